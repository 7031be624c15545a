//! `stylescope info`: what is in a model file.

use std::{
    io::{ErrorKind, Write},
    path::PathBuf,
};

use clap::Args;

use super::model;

/// Arguments of `stylescope info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The model file: .pkl, .pt or .safetensors
    file: PathBuf,
}

/// Prints the lines that the window shows of the same file.
///
/// # Errors
/// If the file cannot be read as a model.
pub fn run(arguments: &InfoArgs) -> anyhow::Result<()> {
    let checkpoint = model::open(&arguments.file)?;
    let mut stdout = std::io::stdout().lock();
    for line in checkpoint.details() {
        match writeln!(stdout, "{line}") {
            // `stylescope info x.pkl | head -1`
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            result => result?,
        }
    }
    Ok(())
}
