//! Tensors in PyTorch pickles: which calls mean a tensor, and what their arguments are.

use std::{cell::RefCell, collections::BTreeMap};

use super::{
    error::{Fault, shown},
    pickle::{Id, Pickle, Value},
    tensor::{DType, Storage, TensorView},
    torch_legacy,
};

/// Where the storages that a pickle refers to lie in the file.
pub(super) trait Storages {
    /// The storage under `key`.
    fn storage(&self, key: &str, dtype: DType) -> Result<Storage, Fault>;
}

/// Storages that are inside of the pickle (official snapshots).
#[derive(Default)]
pub(super) struct Embedded {
    /// Tensors may share a storage, which is then parsed once.
    known: RefCell<BTreeMap<Id, Storage>>,
}

impl Embedded {
    fn read(&self, pickle: &Pickle<'_>, id: Id) -> Result<Storage, Fault> {
        if let Some(storage) = self.known.borrow().get(&id) {
            return Ok(*storage);
        }
        let bytes = pickle.part(id).ok_or_else(|| malformed("a storage that is not bytes"))?;
        let storage = torch_legacy::single_storage(bytes)?;
        self.known.borrow_mut().insert(id, storage);
        Ok(storage)
    }
}

impl Storages for Embedded {
    fn storage(&self, key: &str, _: DType) -> Result<Storage, Fault> {
        Err(Fault::damaged(format!("storage {}", shown(key)), "the file has no storages of its own"))
    }
}

/// The tensor that `id` stands for; `None` if it is something else.
pub(super) fn tensor(
    pickle: &Pickle<'_>,
    id: Id,
    storages: &dyn Storages,
    embedded: Option<&Embedded>,
) -> Result<Option<TensorView>, Fault> {
    let mut id = id;
    // A parameter wraps a tensor; more than one layer of wrapping is not a thing.
    for _ in 0..2 {
        let Some((module, name, args)) = pickle.call(id) else { return Ok(None) };
        if module != "torch._utils" {
            return Ok(None);
        }
        match name {
            "_rebuild_parameter" | "_rebuild_parameter_with_state" => {
                id = *args.first().ok_or_else(|| malformed("a parameter without a tensor"))?;
            }
            "_rebuild_tensor_v2" | "_rebuild_tensor" => return rebuild(pickle, args, storages, embedded).map(Some),
            _ => return Err(Fault::unsupported(format!("a checkpoint with tensors of the kind {}", shown(name)))),
        }
    }
    Ok(None)
}

fn rebuild(
    pickle: &Pickle<'_>,
    args: &[Id],
    storages: &dyn Storages,
    embedded: Option<&Embedded>,
) -> Result<TensorView, Fault> {
    let [storage, offset, shape, strides, ..] = *args else {
        return Err(malformed("a tensor with too few arguments"));
    };
    let storage = match pickle.value(storage) {
        Value::Persistent(reference) => {
            let reference = Reference::read(pickle, reference)?;
            let found = storages.storage(reference.key, reference.dtype)?;
            let needed = reference.elements.checked_mul(found.dtype.size());
            if needed.is_none_or(|needed| needed > found.len) {
                return Err(Fault::damaged(
                    format!("storage {}", shown(reference.key)),
                    format!("it should have {} elements and is shorter", reference.elements),
                ));
            }
            found
        }
        Value::Object(_) => match (pickle.call(storage), embedded) {
            (Some(("torch.storage", "_load_from_bytes", [bytes])), Some(embedded)) => embedded.read(pickle, *bytes)?,
            _ => return Err(malformed("a tensor over something that is no storage")),
        },
        other => return Err(malformed(&format!("a tensor over {}", other.kind()))),
    };
    let lengths = |id, what: &str| -> Result<Vec<usize>, Fault> {
        let elements = pickle.elements(id).ok_or_else(|| malformed(&format!("a tensor whose {what} is no tuple")))?;
        let length = |id: &Id| pickle.int(*id).and_then(|length| usize::try_from(length).ok());
        let lengths = elements.iter().take(64).map(length).collect::<Option<Vec<_>>>();
        lengths.ok_or_else(|| malformed(&format!("a tensor whose {what} has a negative or impossible number")))
    };
    let offset = pickle.int(offset).and_then(|offset| usize::try_from(offset).ok());
    let offset = offset.ok_or_else(|| malformed("a tensor with a negative or impossible offset"))?;
    TensorView::strided(lengths(shape, "shape")?, &lengths(strides, "stride")?, offset, storage)
}

/// A reference to a storage: ('storage', type, key, location, number of elements, ...).
pub(super) struct Reference<'p> {
    pub key: &'p str,
    pub dtype: DType,
    pub elements: usize,
}

impl<'p> Reference<'p> {
    pub fn read(pickle: &'p Pickle<'_>, id: Id) -> Result<Self, Fault> {
        let bad = || malformed("a reference to a storage that cannot be read");
        let [tag, kind, key, _, elements, rest @ ..] = pickle.elements(id).ok_or_else(bad)? else { return Err(bad()) };
        if pickle.str(*tag) != Some("storage") {
            return Err(bad());
        }
        // Views of storages come from PyTorch before 0.4.
        if rest.first().is_some_and(|view| !matches!(pickle.value(*view), Value::None)) {
            return Err(Fault::unsupported("a checkpoint of a PyTorch before 0.4; save it again with a newer one"));
        }
        let Value::Global { module, name } = pickle.value(*kind) else { return Err(bad()) };
        let dtype = dtype(module, name).ok_or_else(|| {
            Fault::unsupported(format!("a checkpoint with elements of the type {}.{}", shown(module), shown(name)))
        })?;
        let elements = pickle.int(*elements).and_then(|n| usize::try_from(n).ok()).ok_or_else(bad)?;
        Ok(Self { key: pickle.str(*key).ok_or_else(bad)?, dtype, elements })
    }
}

fn dtype(module: &str, name: &str) -> Option<DType> {
    if !matches!(module, "torch" | "torch.cuda") {
        return None;
    }
    Some(match name {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool,
        _ => return None,
    })
}

fn malformed(what: &str) -> Fault {
    Fault::damaged("the pickle", what)
}
