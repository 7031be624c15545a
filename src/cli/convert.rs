//! `stylescope convert`: write a generator in another format.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{UsageError, model};
use crate::checkpoint::{ExportFormat, Precision, export};

/// Arguments of `stylescope convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// The model file: .pkl, .pt or .safetensors
    input: PathBuf,

    /// The file to write; .safetensors and .onnx decide the format
    output: PathBuf,

    /// What to write, where the name of the file does not say it
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// The network of the file by its name, e.g. G [default: the moving average where there is one]
    #[arg(long, value_name = "NAME")]
    network: Option<String>,

    /// Write weights in 16 bits (safetensors alone)
    #[arg(long)]
    half: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Weights and configuration in one safetensors file
    Stylescope,
    /// Safetensors for `load_state_dict` of the official networks
    StateDict,
    /// The synthesis network, for programs that run ONNX
    Onnx,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Stylescope => Self::Stylescope,
            Format::StateDict => Self::StateDict,
            Format::Onnx => Self::Onnx,
        }
    }
}

/// Reads one generator of a file and writes it.
///
/// # Errors
/// If the file cannot be read as a model, has no such network, or the other file cannot be written.
pub fn run(arguments: &ConvertArgs) -> anyhow::Result<()> {
    let Some(format) = arguments.format.map(ExportFormat::from).or_else(|| ExportFormat::of(&arguments.output)) else {
        let name = arguments.output.display();
        return Err(UsageError(format!(
            "{name} does not say which format: end it in .safetensors or .onnx, or give --format"
        ))
        .into());
    };
    if arguments.half && format == ExportFormat::Onnx {
        return Err(UsageError("--half is for safetensors; ONNX is written in 32 bits".to_owned()).into());
    }
    let checkpoint = model::open(&arguments.input)?;
    let index = checkpoint.generator_named(arguments.network.as_deref())?;
    let (config, weights) = checkpoint.load_generator_with(index, &model::loading())?;
    let precision = if arguments.half { Precision::F16 } else { Precision::F32 };
    let name = arguments.input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let notes = [("source".to_owned(), name)];
    export(&arguments.output, format, precision, &config, &weights, &notes)?;
    println!(
        "{}: {} {}x{}",
        arguments.output.display(),
        config.family_name(),
        config.resolution(),
        config.resolution()
    );
    Ok(())
}
