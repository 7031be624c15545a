//! Writers of model files for the tests, of honest and of hostile ones.

// Every test binary compiles this module and uses its own part of it.
#![allow(dead_code)]

use std::collections::BTreeMap;

use stylescope::model::state_dict::StateDict;

/// A pickle in the making: raw opcodes, and the values that model files are made of.
#[derive(Default, Clone)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new(protocol: u8) -> Self {
        Self(vec![0x80, protocol])
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn str(self, text: &str) -> Self {
        let len = (text.len() as u32).to_le_bytes();
        self.raw(b"X").raw(&len).raw(text.as_bytes())
    }

    pub fn bytes(self, bytes: &[u8]) -> Self {
        let len = (bytes.len() as u32).to_le_bytes();
        self.raw(b"B").raw(&len).raw(bytes)
    }

    pub fn int(self, value: i64) -> Self {
        match i32::try_from(value) {
            Ok(value) => self.raw(b"J").raw(&value.to_le_bytes()),
            Err(_) => self.raw(&[0x8a, 8]).raw(&value.to_le_bytes()),
        }
    }

    pub fn float(self, value: f64) -> Self {
        self.raw(b"G").raw(&value.to_be_bytes())
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// A tuple of what `fill` puts.
    pub fn tuple(self, fill: impl FnOnce(Self) -> Self) -> Self {
        fill(self.raw(b"(")).raw(b"t")
    }

    /// A list of what `fill` puts.
    pub fn list(self, fill: impl FnOnce(Self) -> Self) -> Self {
        fill(self.raw(b"](")).raw(b"e")
    }

    /// A dictionary of the keys and values that `fill` puts.
    pub fn dict(self, fill: impl FnOnce(Self) -> Self) -> Self {
        fill(self.raw(b"}(")).raw(b"u")
    }

    pub fn ints(self, values: &[i64]) -> Self {
        self.tuple(|p| values.iter().fold(p, |p, value| p.int(*value)))
    }

    /// A reference to a storage of f32.
    pub fn storage(self, key: &str, elements: i64) -> Self {
        self.tuple(|p| p.str("storage").global("torch", "FloatStorage").str(key).str("cpu").int(elements)).raw(b"Q")
    }

    /// A tensor over `storage`.
    pub fn tensor(self, storage: impl FnOnce(Self) -> Self, offset: i64, shape: &[i64], strides: &[i64]) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .tuple(|p| {
                storage(p)
                    .int(offset)
                    .ints(shape)
                    .ints(strides)
                    .raw(&[0x89])
                    .global("collections", "OrderedDict")
                    .raw(b")R")
            })
            .raw(b"R")
    }

    /// A numpy array of f32.
    pub fn numpy(self, shape: &[i64], data: &[f32]) -> Self {
        let bytes: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.global("numpy.core.multiarray", "_reconstruct")
            .tuple(|p| p.global("numpy", "ndarray").ints(&[0]).raw(b"C\x01b"))
            .raw(b"R")
            .tuple(|p| {
                p.int(1)
                    .ints(shape)
                    .global("numpy", "dtype")
                    .tuple(|p| p.str("f4").int(0).int(1))
                    .raw(b"R")
                    .tuple(|p| p.int(3).str("<").raw(b"NNN").int(-1).int(-1).int(0))
                    .raw(b"b\x89")
                    .bytes(&bytes)
            })
            .raw(b"b")
    }

    pub fn stop(self) -> Vec<u8> {
        self.raw(b".").0
    }
}

/// An entry of a zip archive; the fields other than name and data can lie.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub data: Vec<u8>,
    pub crc: Option<u32>,
    pub flags: u16,
    pub method: u16,
    /// What the directory says instead of the size.
    pub size: Option<u32>,
    /// Where the directory looks for it instead.
    pub offset: Option<u32>,
}

impl Entry {
    pub fn new(name: &str, data: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), data: data.into(), crc: None, flags: 0, method: 0, size: None, offset: None }
    }
}

/// A zip archive of the entries.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let crc = entry.crc.unwrap_or_else(|| crc32fast::hash(&entry.data));
        let compressed = entry.data.len() as u32;
        let size = entry.size.unwrap_or(compressed);
        let offset = entry.offset.unwrap_or(file.len() as u32);
        let mut common = Vec::new();
        for half in [20, entry.flags, entry.method, 0, 0] {
            common.extend_from_slice(&half.to_le_bytes());
        }
        for word in [crc, if entry.method == 0 { size } else { compressed }, size] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        common.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&common);
        file.extend_from_slice(entry.name.as_bytes());
        file.extend_from_slice(&entry.data);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(entry.name.as_bytes());
    }
    let (start, count) = (file.len() as u32, entries.len() as u16);
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00");
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&count.to_le_bytes());
    file.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    file.extend_from_slice(&start.to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file
}

/// A safetensors file of a header as it is given.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    safetensors_with_length(header.len() as u64, header.as_bytes(), data)
}

pub fn safetensors_with_length(length: u64, header: &[u8], data: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), header, data].concat()
}

/// A PyTorch zip of {group: state dict}; `None` for a state dict alone.
pub fn torch_zip(groups: &[(Option<&str>, &StateDict)]) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut dict = |p: Pickle, weights: &StateDict| {
        weights
            .0
            .iter()
            .fold(p.global("collections", "OrderedDict").raw(b")R("), |p, (name, array)| {
                let key = entries.len().to_string();
                let data: Vec<u8> = array.data.iter().flat_map(|value| value.to_le_bytes()).collect();
                entries.push(Entry::new(&format!("archive/data/{key}"), data));
                let shape: Vec<i64> = array.shape.iter().map(|&length| length as i64).collect();
                let mut strides = vec![1i64; shape.len()];
                for axis in (1..shape.len()).rev() {
                    strides[axis - 1] = strides[axis] * shape[axis];
                }
                p.str(name).tensor(|p| p.storage(&key, array.data.len() as i64), 0, &shape, &strides)
            })
            .raw(b"u")
    };
    let pickle = match groups {
        [(None, weights)] => dict(Pickle::new(2), weights),
        groups => {
            Pickle::new(2).dict(|p| groups.iter().fold(p, |p, (name, weights)| dict(p.str(name.unwrap()), weights)))
        }
    };
    entries.insert(0, Entry::new("archive/data.pkl", pickle.stop()));
    zip(&entries)
}

/// A safetensors file by the format's own crate.
pub fn plain_safetensors(weights: &StateDict) -> Vec<u8> {
    let bytes: BTreeMap<&str, Vec<u8>> = weights
        .0
        .iter()
        .map(|(name, array)| (name.as_str(), array.data.iter().flat_map(|value| value.to_le_bytes()).collect()))
        .collect();
    let views = weights.0.iter().map(|(name, array)| {
        let data = bytes[name.as_str()].as_slice();
        (name, ::safetensors::tensor::TensorView::new(::safetensors::Dtype::F32, array.shape.clone(), data).unwrap())
    });
    ::safetensors::serialize(views, None).unwrap()
}
