//! Numpy arrays and scalars in pickles.

use super::{
    error::{Fault, shown},
    pickle::{Id, Pickle, Value},
    tensor::{DType, Storage, TensorView},
};

fn is_numpy(module: &str) -> bool {
    matches!(module, "numpy.core.multiarray" | "numpy._core.multiarray" | "numpy.core.numeric" | "numpy._core.numeric")
}

/// Type and whether it is big endian.
fn dtype(pickle: &Pickle<'_>, id: Id) -> Option<(DType, bool)> {
    let ("numpy", "dtype", [name, ..]) = pickle.call(id)? else { return None };
    let name = match pickle.value(*name) {
        Value::Str(name) => name,
        Value::Bytes(name) => std::str::from_utf8(name).ok()?,
        _ => return None,
    };
    let dtype = match name.trim_start_matches(['<', '>', '|', '=']) {
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "i1" => DType::I8,
        "i2" => DType::I16,
        "i4" => DType::I32,
        "i8" => DType::I64,
        "u1" => DType::U8,
        "b1" => DType::Bool,
        _ => return None,
    };
    let Value::Object(object) = pickle.value(id) else { return None };
    let order = object.state.and_then(|state| pickle.elements(state)).and_then(|state| state.get(1));
    Some((dtype, order.and_then(|order| pickle.str(*order)) == Some(">") || name.starts_with('>')))
}

/// A scalar as a number.
pub(super) fn scalar(pickle: &Pickle<'_>, id: Id) -> Option<f64> {
    let (module, "scalar", [kind, bytes]) = pickle.call(id)? else { return None };
    let Value::Bytes(bytes) = pickle.value(*bytes) else { return None };
    if !is_numpy(module) {
        return None;
    }
    match dtype(pickle, *kind)? {
        (DType::F64, false) => bytes.try_into().ok().map(f64::from_le_bytes),
        (DType::F32, false) => bytes.try_into().ok().map(|bytes| f64::from(f32::from_le_bytes(bytes))),
        (DType::I64, false) => bytes.try_into().ok().map(|bytes| i64::from_le_bytes(bytes) as f64),
        (DType::I32, false) => bytes.try_into().ok().map(|bytes| f64::from(i32::from_le_bytes(bytes))),
        _ => None,
    }
}

/// The array that `id` stands for; `None` if it is none.
pub(super) fn array(pickle: &Pickle<'_>, id: Id) -> Result<Option<TensorView>, Fault> {
    let Some((module, "_reconstruct", _)) = pickle.call(id) else { return Ok(None) };
    if !is_numpy(module) {
        return Ok(None);
    }
    let damaged = |cause: &str| Fault::damaged("a numpy array", cause);
    let Value::Object(object) = pickle.value(id) else { return Ok(None) };
    let state = object.state.and_then(|state| pickle.elements(state)).ok_or_else(|| damaged("it has no contents"))?;
    let [_, shape, kind, fortran, data] = *state else { return Err(damaged("its contents cannot be read")) };
    let (dtype, big_endian) = dtype(pickle, kind).ok_or_else(|| {
        let kind = pickle.call(kind).and_then(|(_, _, args)| args.first()).and_then(|name| pickle.str(*name));
        Fault::unsupported(format!("a pickle with numpy elements of the type {}", shown(kind.unwrap_or("unknown"))))
    })?;
    let shape = pickle.elements(shape).ok_or_else(|| damaged("its shape is no tuple"))?;
    let length = |id: &Id| pickle.int(*id).and_then(|length| usize::try_from(length).ok());
    let shape: Option<Vec<usize>> = shape.iter().take(64).map(length).collect();
    let shape = shape.ok_or_else(|| damaged("its shape has a negative or impossible number"))?;
    let data = pickle.part(data).ok_or_else(|| damaged("its data is not bytes"))?;
    let storage = Storage { start: data.start(), len: data.len(), dtype, big_endian };
    let needed = shape.iter().try_fold(dtype.size(), |n, &length| n.checked_mul(length));
    if needed != Some(data.len()) {
        return Err(damaged("its shape does not fit its data"));
    }
    if !matches!(pickle.value(fortran), Value::Bool(true)) {
        return TensorView::contiguous(shape, storage).map(Some);
    }
    // Column-major: the first axis counts fastest.
    let reversed = TensorView::contiguous(shape.iter().rev().copied().collect(), storage)?;
    let order: Vec<usize> = (0..shape.len()).rev().collect();
    Ok(Some(reversed.permute(&order)))
}
