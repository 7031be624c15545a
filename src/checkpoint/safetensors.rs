//! Safetensors, read strictly and written atomically.
//!
//! The format leaves open what the reader is strict about here: keys may not repeat, the arrays fill the data part without
//! holes, overlaps or rest, and no size is believed before it was checked against the file.

use std::{collections::BTreeMap, fmt, io, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};

use super::{
    error::{CheckpointError, Fault, shown},
    progress::Progress,
    source::Section,
    tensor::{DType, NamedTensors, Storage, TensorView, f32_to_half, half_to_f32},
};
use crate::{
    base::atomic_file::write_atomic_if,
    model::{
        config::GeneratorConfig,
        state_dict::{HostTensor, StateDict},
    },
};

/// More than the index of any model takes.
const MAX_HEADER: usize = 16 << 20;
const MAX_RANK: usize = 8;
/// Values that are written at a time.
const VALUES: usize = 1 << 16;
/// Metadata key and value that mark our own files.
pub(super) const FORMAT_KEY: &str = "format";
pub(super) const FORMAT: &str = "stylescope generator";
/// Metadata key of the configuration, as JSON.
pub(super) const CONFIG_KEY: &str = "config";
const VERSION_KEY: &str = "format_version";
const VERSION: &str = "1";

/// Arrays of a file, where they lie, and its metadata.
#[derive(Debug)]
pub(super) struct SafetensorsFile {
    pub tensors: NamedTensors,
    pub metadata: BTreeMap<String, String>,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits: exact.
    #[default]
    F32,
    /// 16 bits; an array with a value beyond their range stays at 32.
    F16,
}

/// All arrays of a safetensors file in memory, as f32, and its metadata.
///
/// # Errors
/// What the strict reader refuses, and where.
pub fn read_safetensors(bytes: &[u8]) -> Result<(StateDict, BTreeMap<String, String>), Fault> {
    let source = Section::from(bytes);
    let file = index(source)?;
    let read = |(name, view): (&String, &TensorView)| -> Result<_, Fault> {
        Ok((name.clone(), HostTensor { shape: view.shape.clone(), data: view.read(source)? }))
    };
    Ok((StateDict(file.tensors.iter().map(read).collect::<Result<_, _>>()?), file.metadata))
}

/// Writes arrays exactly, in 32 bits, and texts beside them: what [`read_safetensors`] gives back. The file at `path` is
/// replaced in one step.
///
/// # Errors
/// An array whose data does not fit its shape, or a step of writing that failed.
pub fn save_arrays(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    arrays: &StateDict,
) -> Result<(), CheckpointError> {
    write_arrays(path, metadata, &arrays.0.iter().collect(), Precision::F32, &())
}

/// Writes a generator in our own format, in 32 bits: weights under their official names, the configuration and `notes`
/// in the metadata. The file at `path` is replaced in one step.
///
/// # Errors
/// A weight whose data does not fit its shape, or a step of writing that failed.
pub fn save_safetensors(
    path: &Path,
    config: &GeneratorConfig,
    weights: &StateDict,
    notes: &[(String, String)],
) -> Result<(), CheckpointError> {
    save_safetensors_as(path, config, weights, notes, Precision::F32)
}

/// As [`save_safetensors`], in the precision of one's choice.
///
/// # Errors
/// As [`save_safetensors`].
pub fn save_safetensors_as(
    path: &Path,
    config: &GeneratorConfig,
    weights: &StateDict,
    notes: &[(String, String)],
    precision: Precision,
) -> Result<(), CheckpointError> {
    save_safetensors_with(path, config, weights, notes, precision, &())
}

/// As [`save_safetensors_as`]; `progress` is told, and asked whether to go on.
pub(super) fn save_safetensors_with(
    path: &Path,
    config: &GeneratorConfig,
    weights: &StateDict,
    notes: &[(String, String)],
    precision: Precision,
    progress: &dyn Progress,
) -> Result<(), CheckpointError> {
    let mut metadata: BTreeMap<String, String> = notes.iter().cloned().collect();
    metadata.insert(FORMAT_KEY.into(), FORMAT.into());
    metadata.insert(VERSION_KEY.into(), VERSION.into());
    let config = serde_json::to_string(config).map_err(|error| unsaved(path, error.to_string()))?;
    metadata.insert(CONFIG_KEY.into(), config);
    write_arrays(path, &metadata, &weights.0.iter().collect(), precision, progress)
}

fn unsaved(path: &Path, cause: String) -> CheckpointError {
    CheckpointError::Unsaved { path: path.to_owned(), fault: Fault::Weights { network: "the network".into(), cause } }
}

/// Writes arrays and metadata; the file at `path` is replaced in one step.
///
/// # Errors
/// As [`save_safetensors`], and when it was cancelled.
pub(super) fn write_arrays(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    arrays: &BTreeMap<&String, &HostTensor>,
    precision: Precision,
    progress: &dyn Progress,
) -> Result<(), CheckpointError> {
    let unsaved = |cause| unsaved(path, cause);
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), serde_json::json!(metadata));
    let mut position = 0usize;
    let mut order = Vec::with_capacity(arrays.len());
    for (name, tensor) in arrays {
        if tensor.shape.iter().product::<usize>() != tensor.data.len() {
            return Err(unsaved(format!("the weight {name} has other data than its shape says")));
        }
        let half = precision == Precision::F16 && tensor.data.iter().all(|value| fits_half(*value));
        let end = position + tensor.data.len() * if half { 2 } else { 4 };
        let dtype = if half { "F16" } else { "F32" };
        let entry = serde_json::json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [position, end] });
        header.insert((*name).clone(), entry);
        order.push((tensor, half));
        position = end;
    }
    let mut header = serde_json::to_vec(&header).map_err(|error| unsaved(error.to_string()))?;
    // Spaces behind the header align the data.
    header.resize(header.len().next_multiple_of(8), b' ');
    let total = 8 + header.len() + position;
    let parts = |part: &mut dyn FnMut(&[u8]) -> io::Result<()>| {
        part(&(header.len() as u64).to_le_bytes())?;
        part(&header)?;
        order.iter().try_for_each(|(tensor, half)| write_values(part, &tensor.data, *half))
    };
    write_parts(path, progress, parts, total)
}

/// Writes what `parts` hands over, `total` bytes in all; the file at `path` is replaced in one step, or left alone if
/// `progress` was cancelled.
pub(super) fn write_parts(
    path: &Path,
    progress: &dyn Progress,
    parts: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
    total: usize,
) -> Result<(), CheckpointError> {
    let mut cancelled = false;
    let write = |out: &mut dyn io::Write| {
        let mut done = 0;
        parts(&mut |bytes| {
            if progress.cancelled() {
                cancelled = true;
                return Err(io::Error::other("it was cancelled"));
            }
            out.write_all(bytes)?;
            done += bytes.len() as u64;
            progress.advance(done, total as u64);
            Ok(())
        })
    };
    let written = write_atomic_if(path, write, || progress.commit());
    if cancelled || matches!(written, Ok(false)) {
        return Err(CheckpointError::ExportCancelled { path: path.to_owned() });
    }
    written?;
    Ok(())
}

fn fits_half(value: f32) -> bool {
    !value.is_finite() || half_to_f32(f32_to_half(value)).is_finite()
}

fn write_values(part: &mut dyn FnMut(&[u8]) -> io::Result<()>, values: &[f32], half: bool) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4 * VALUES);
    for chunk in values.chunks(VALUES) {
        buffer.clear();
        for value in chunk {
            match half {
                true => buffer.extend_from_slice(&f32_to_half(*value).to_le_bytes()),
                false => buffer.extend_from_slice(&value.to_le_bytes()),
            }
        }
        part(&buffer)?;
    }
    Ok(())
}

/// Whether a file of these first bytes means to be safetensors: a length, then the header's brace (or a byte order mark,
/// which is refused later).
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    matches!(bytes.get(8), Some(b'{')) || bytes.get(8..11) == Some(b"\xef\xbb\xbf")
}

/// Checks the header and finds the arrays.
pub(super) fn index(file: Section<'_>) -> Result<SafetensorsFile, Fault> {
    let damaged = |cause: String| Fault::damaged("the safetensors header", cause);
    let length = file.array(0)?.map(u64::from_le_bytes);
    let length = length.ok_or_else(|| damaged("the file is shorter than the header's length".into()))?;
    let available = file.len() - 8;
    let length =
        usize::try_from(length).ok().filter(|length| *length <= available.min(MAX_HEADER)).ok_or_else(|| {
            damaged(format!("it should have {length} bytes, more than the file or any model's header has"))
        })?;
    let header = file.get(8, length).map_err(|cause| cause.into_fault(8))?;
    let data_len = available - length;
    if header.first() != Some(&b'{') {
        return Err(damaged("it does not begin with a brace".into()));
    }
    let header: Header = serde_json::from_slice(&header).map_err(|error| damaged(shown(&error.to_string())))?;

    let mut infos: Vec<(&String, &Info)> = header.tensors.iter().collect();
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let mut expected = 0u64;
    for (name, info) in &infos {
        let [begin, end] = info.data_offsets;
        if begin != expected || end < begin {
            let cause = format!("its data is from {begin} to {end}, it should begin at {expected}");
            return Err(Fault::damaged(format!("array {}", shown(name)), cause));
        }
        expected = end;
    }
    if expected != data_len as u64 {
        return Err(damaged(format!("it speaks of {expected} bytes of data, the file has {data_len}")));
    }
    let mut tensors = NamedTensors::new();
    for (name, info) in &header.tensors {
        let broken = |cause: String| Fault::damaged(format!("array {}", shown(name)), cause);
        let dtype = dtype(&info.dtype).ok_or_else(|| broken(format!("elements of type {}", shown(&info.dtype))))?;
        let shape: Option<Vec<usize>> = info.shape.0.iter().map(|&length| usize::try_from(length).ok()).collect();
        let shape = shape.ok_or_else(|| broken("its shape overflows".into()))?;
        let [begin, end] = info.data_offsets.map(|offset| offset as usize);
        let bytes = shape.iter().try_fold(dtype.size(), |n, &length| n.checked_mul(length));
        if bytes != Some(end - begin) {
            return Err(broken(format!("its shape {shape:?} does not fit its {} bytes of data", end - begin)));
        }
        let storage = Storage { start: 8 + length + begin, len: end - begin, dtype, big_endian: false };
        tensors.insert(name.clone(), TensorView::contiguous(shape, storage)?);
    }
    Ok(SafetensorsFile { tensors, metadata: header.metadata })
}

fn dtype(name: &str) -> Option<DType> {
    Some(match name {
        "F16" => DType::F16,
        "BF16" => DType::BF16,
        "F32" => DType::F32,
        "F64" => DType::F64,
        "U8" => DType::U8,
        "I8" => DType::I8,
        "I16" => DType::I16,
        "I32" => DType::I32,
        "I64" => DType::I64,
        "BOOL" => DType::Bool,
        _ => return None,
    })
}

struct Header {
    tensors: BTreeMap<String, Info>,
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Shape,
    data_offsets: [u64; 2],
}

struct Shape(Vec<u64>);

/// A map whose keys occur once each.
struct Unique<T>(BTreeMap<String, T>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names to arrays")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut tensors = BTreeMap::new();
                let mut metadata = None;
                while let Some(key) = map.next_key::<String>()? {
                    let repeated = if key == "__metadata__" {
                        metadata.replace(map.next_value::<Unique<String>>()?.0).is_some()
                    } else {
                        tensors.insert(key.clone(), map.next_value::<Info>()?).is_some()
                    };
                    if repeated {
                        return Err(A::Error::custom(format!("{} occurs twice", shown(&key))));
                    }
                }
                Ok(Header { tensors, metadata: metadata.unwrap_or_default() })
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}

impl<'de> Deserialize<'de> for Unique<String> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueVisitor;
        impl<'de> Visitor<'de> for UniqueVisitor {
            type Value = Unique<String>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from texts to texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if values.insert(key.clone(), value).is_some() {
                        return Err(A::Error::custom(format!("{} occurs twice", shown(&key))));
                    }
                }
                Ok(Unique(values))
            }
        }
        deserializer.deserialize_map(UniqueVisitor)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ShapeVisitor;
        impl<'de> Visitor<'de> for ShapeVisitor {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_RANK} lengths")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut lengths = Vec::new();
                while let Some(length) = seq.next_element()? {
                    if lengths.len() == MAX_RANK {
                        return Err(A::Error::custom("an array with more than 8 axes"));
                    }
                    lengths.push(length);
                }
                Ok(Shape(lengths))
            }
        }
        deserializer.deserialize_seq(ShapeVisitor)
    }
}
