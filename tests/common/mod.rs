//! What the integration tests share: fixtures of reference numbers, devices, comparisons.

// Every test binary compiles this module and uses its own part of it.
#![allow(dead_code)]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use stylescope::{
    gpu::device::{DeviceChoice, DeviceError, select},
    model::state_dict::{HostTensor, StateDict},
};

/// Images and feature maps: `max |a - b| <= TOLERANCE * max(1, max |b|)`. The reference against itself (threads,
/// batches, order of operations, f64) stays under 2e-6 of its maximum.
pub const TOLERANCE: f64 = 1e-4;

/// The fixture folder: `STYLESCOPE_FIXTURES`, else `../shared/fixtures`; `None` (with a line) where there is none.
pub fn fixtures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("STYLESCOPE_FIXTURES")
        .map_or_else(|| root.join("../shared/fixtures"), |folder| root.join(folder));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("passed over: no fixtures at {}; the small ones under tests/fixtures run", folder.display());
    None
}

/// All files of a group that end in `.extension`: those of the fixture folder, and the small checked-in ones.
pub fn group(name: &str, extension: &str) -> Vec<PathBuf> {
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files = Vec::new();
    for folder in fixtures().into_iter().chain([checked_in]) {
        let Ok(entries) = std::fs::read_dir(folder.join(name)) else { continue };
        files.extend(
            entries
                .map(|entry| entry.expect("a readable folder").path())
                .filter(|path| path.extension().is_some_and(|found| found == extension)),
        );
    }
    files.sort();
    files
}

/// One array of a fixture. f64 holds every type that occurs exactly.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    pub fn f32(&self) -> Vec<f32> {
        self.values.iter().map(|&value| value as f32).collect()
    }

    pub fn tensor<const D: usize>(&self, device: &Device) -> Tensor<D> {
        let shape: [usize; D] = self.shape.clone().try_into().expect("the rank");
        Tensor::from_data(TensorData::new(self.f32(), shape), device)
    }

    /// Element `index` of the first axis, which stays with length 1.
    pub fn sample(&self, index: usize) -> Self {
        let len = self.values.len() / self.shape[0];
        let mut shape = self.shape.clone();
        shape[0] = 1;
        Self { shape, values: self.values[index * len..(index + 1) * len].to_vec() }
    }
}

/// A fixture file. Remembers what was asked for, so that a test can tell that nothing was forgotten.
pub struct Fixture {
    pub path: PathBuf,
    pub meta: serde_json::Value,
    pub arrays: BTreeMap<String, Array>,
    used: RefCell<BTreeSet<String>>,
}

impl Fixture {
    pub fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("a readable fixture");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors header");
        let meta = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("meta"))
            .map_or(serde_json::Value::Null, |text| serde_json::from_str(text).expect("meta is JSON"));
        let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
        let arrays = tensors
            .tensors()
            .into_iter()
            .map(|(name, view)| {
                let bytes = view.data();
                let values = match view.dtype() {
                    Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
                    Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
                    Dtype::I64 => bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
                    other => panic!("{name}: type {other:?} in a fixture"),
                };
                (name, Array { shape: view.shape().to_vec(), values })
            })
            .collect();
        Self { path: path.to_owned(), meta, arrays, used: RefCell::default() }
    }

    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn kind(&self) -> &str {
        self.meta["kind"].as_str().unwrap_or("(none)")
    }

    pub fn try_get(&self, name: &str) -> Option<&Array> {
        let array = self.arrays.get(name)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(array)
    }

    pub fn get(&self, name: &str) -> &Array {
        self.try_get(name).unwrap_or_else(|| panic!("{}: no array {name}", self.name()))
    }

    /// The rest of the names that begin with `prefix`.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        self.arrays.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect()
    }

    /// The arrays under `prefix` as a network's weights; filters follow from the configuration.
    pub fn weights(&self, prefix: &str) -> StateDict {
        let weights = self
            .names(prefix)
            .into_iter()
            .filter(|name| !name.ends_with("resample_filter"))
            .map(|name| {
                let array = &self.arrays[&format!("{prefix}{name}")];
                let tensor = HostTensor { shape: array.shape.clone(), data: array.f32() };
                (name, tensor)
            })
            .collect();
        StateDict(weights)
    }

    /// Asserts that every array under `prefix` was looked at, but for those that `passed_over` names.
    pub fn assert_all_used(&self, prefix: &str, passed_over: impl Fn(&str) -> bool) {
        let used = self.used.borrow();
        let forgotten: Vec<_> = self
            .arrays
            .keys()
            .filter(|name| name.starts_with(prefix) && !used.contains(*name) && !passed_over(name))
            .collect();
        assert!(forgotten.is_empty(), "{}: nothing compares {forgotten:?}", self.name());
    }
}

/// The values of a tensor on the host.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("readable")
}

/// Asserts `max |a - b| <= tolerance * max(1, max |b|)` and says where it fails.
pub fn assert_close<const D: usize>(what: &str, tensor: Tensor<D>, expected: &Array, tolerance: f64) -> f64 {
    assert_eq!(tensor.dims().to_vec(), expected.shape, "{what}: shape");
    assert_values_close(what, &values(tensor), &expected.values, tolerance)
}

/// As [`assert_close`], on values; gives the largest error relative to `max(1, max |b|)`.
pub fn assert_values_close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) -> f64 {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    let scale = expected.iter().fold(1.0f64, |max, value| max.max(value.abs()));
    let mut worst = (0.0, 0);
    for (i, (&a, &b)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(a) - b).abs();
        assert!(error.is_finite(), "{what}: {a} at {i}");
        if error > worst.0 {
            worst = (error, i);
        }
    }
    let (error, i) = worst;
    assert!(
        error <= tolerance * scale,
        "{what}: {} instead of {} at {i}, error {error:e} at a scale of {scale}",
        got[i],
        expected[i]
    );
    error / scale
}

/// Software Vulkan; `None` (with a line) where the machine has none.
pub fn software_vulkan() -> Option<Device> {
    match select(DeviceChoice::Software) {
        Ok(compute) => Some(compute.device),
        Err(DeviceError::NoSoftware) => {
            eprintln!("passed over: no software Vulkan driver on this machine");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
