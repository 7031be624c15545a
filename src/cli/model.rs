//! Reading the model file of a command.

use std::path::Path;

use super::progress::ProgressLine;
use crate::checkpoint::{self, Checkpoint, Progress};

/// Shows how far a file is read.
struct Reading(ProgressLine);

impl Progress for Reading {
    fn advance(&self, done: u64, total: u64) {
        self.0.advance(done, total);
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Shows how far a network is loaded.
pub fn loading() -> impl Progress {
    Reading(ProgressLine::new("loading", ""))
}

/// Opens a model file.
///
/// # Errors
/// If it cannot be read as a model.
pub fn open(file: &Path) -> anyhow::Result<Checkpoint> {
    let progress = Reading(ProgressLine::new(format!("reading {}", file.display()), ""));
    Ok(checkpoint::open(file, &progress)?)
}
