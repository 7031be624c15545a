//! Readers and writers of model files: official pickles, community checkpoints, our own format.
//!
//! [`open`] finds out what a file holds by its contents, never runs anything of it, and believes no size before it was
//! checked. A network is turned into weights under official names only when [`Checkpoint::load_generator`] asks for it.

#[allow(clippy::module_inception, reason = "the type, its file and the folder are one idea")]
mod checkpoint;
mod details;
mod error;
mod export;
mod folder;
mod names;
mod network;
mod numpy;
mod official_pickle;
pub mod onnx;
pub mod pickle;
mod progress;
mod safetensors;
mod source;
mod state_dicts;
mod tensor;
mod tensorflow_pickle;
mod torch;
mod torch_legacy;
mod torch_zip;
mod zip_archive;

pub use checkpoint::{Checkpoint, FileFormat, Lineage, open, open_bytes};
pub use error::{CheckpointError, Fault, WHAT_OPENS};
pub use export::{ExportFormat, export, export_with};
pub use folder::{SnapshotFile, run_snapshots};
pub use network::{NetworkConfig, NetworkEntry, Role};
pub use progress::Progress;
pub use safetensors::{Precision, read_safetensors, save_arrays, save_safetensors, save_safetensors_as};
pub use source::{Section, Unavailable};
