//! Writing a generator for this program, for PyTorch and for programs that run ONNX.

use std::{collections::BTreeMap, path::Path};

use super::{
    error::{CheckpointError, Fault},
    onnx::OnnxFile,
    progress::Progress,
    safetensors::{Precision, save_safetensors_with, write_arrays, write_parts},
};
use crate::base::error_chain::error_chain;
use crate::model::{
    config::{GeneratorConfig, StyleGan2Config, resolutions},
    state_dict::{HostTensor, StateDict},
};

/// What a generator can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportFormat {
    /// Our own: weights and configuration in one safetensors file.
    Stylescope,
    /// Safetensors that `load_state_dict` of the official networks takes: official names, the filters' buffers included.
    StateDict,
    /// The synthesis network as ONNX, inputs `ws` (without styles `z`) and noise maps.
    Onnx,
}

impl ExportFormat {
    /// The format that a file's extension asks for, if it asks for one.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "safetensors" => Some(Self::Stylescope),
            "onnx" => Some(Self::Onnx),
            _ => None,
        }
    }
}

/// Writes a generator to `path`, which is replaced in one step. `precision` is for the two safetensors formats; ONNX is
/// written in 32 bits, and `notes` go into our own format alone.
///
/// # Errors
/// Weights that do not fit the configuration, or a step of writing that failed.
pub fn export(
    path: &Path,
    format: ExportFormat,
    precision: Precision,
    config: &GeneratorConfig,
    weights: &StateDict,
    notes: &[(String, String)],
) -> Result<(), CheckpointError> {
    export_with(path, format, precision, config, weights, notes, &())
}

/// As [`export`]; `progress` is told, and asked whether to go on. Whatever was at `path` stays when it is cancelled.
///
/// # Errors
/// As [`export`], and when it was cancelled.
pub fn export_with(
    path: &Path,
    format: ExportFormat,
    precision: Precision,
    config: &GeneratorConfig,
    weights: &StateDict,
    notes: &[(String, String)],
    progress: &dyn Progress,
) -> Result<(), CheckpointError> {
    match format {
        ExportFormat::Stylescope => save_safetensors_with(path, config, weights, notes, precision, progress),
        ExportFormat::StateDict => {
            let mut filters = StateDict::default();
            if let GeneratorConfig::StyleGan2(config) = config {
                add_filters(config, weights, &mut filters);
            }
            let arrays = weights.0.iter().chain(&filters.0).collect();
            write_arrays(path, &BTreeMap::new(), &arrays, precision, progress)
        }
        ExportFormat::Onnx => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let file = OnnxFile::new(config, weights, &name).map_err(|error| CheckpointError::Unsaved {
                path: path.to_owned(),
                fault: Fault::Weights { network: "the network".into(), cause: error_chain(&error) },
            })?;
            write_parts(path, progress, |part| file.write(part), file.num_bytes())
        }
    }
}

/// The resampling filters, which the official networks keep as buffers of every block and 3x3 layer.
fn add_filters(config: &StyleGan2Config, weights: &StateDict, filters: &mut StateDict) {
    let taps = &config.resample_filter;
    let sum: f32 = taps.iter().sum();
    let data: Vec<f32> = taps.iter().flat_map(|a| taps.iter().map(move |b| a * b / (sum * sum))).collect();
    let filter = HostTensor { shape: vec![taps.len(); 2], data };
    for r in resolutions(config.resolution) {
        let block = format!("synthesis.b{r}");
        let layers: &[&str] = if r == 4 { &["conv1."] } else { &["conv0.", "conv1."] };
        for layer in layers.iter().chain(&[""]) {
            filters.0.insert(format!("{block}.{layer}resample_filter"), filter.clone());
        }
        if weights.0.contains_key(&format!("{block}.skip.weight")) {
            filters.0.insert(format!("{block}.skip.resample_filter"), filter.clone());
        }
    }
}
