//! The network that the program brings along, so that there is something to explore before any file is opened.
//! The README has the training that made it; `stylescope convert SNAPSHOT assets/bundled.safetensors --half` wrote the file.

use std::sync::Arc;

use crate::{
    checkpoint::{self, Checkpoint, CheckpointError},
    engine::{
        message::{ModelId, ModelSummary},
        model::OpenModel,
        open::OpenError,
    },
    model::Placement,
};

/// Its name in the window.
pub const NAME: &str = "portraits-64";
/// What the window says about it.
pub const NOTICE: &str = "A small network that this program trained on its built-in portraits, two hours and a quarter on two \
                          cores. Open a model file to explore a larger one.";
/// The file.
const BYTES: &[u8] = include_bytes!("../../assets/bundled.safetensors");

/// The file, open. [`NAME`] stands for its path.
///
/// # Errors
/// [`CheckpointError`] if the program was built with a damaged file.
pub fn checkpoint() -> Result<Checkpoint, CheckpointError> {
    checkpoint::open_bytes(NAME, BYTES.to_vec())
}

/// The model as the window shows it: without a path, and with an honest word.
///
/// # Errors
/// [`OpenError`] if the program was built with a damaged file, or the device refuses.
pub fn open(id: ModelId, placement: &Placement) -> Result<OpenModel, OpenError> {
    let model = OpenModel::build(id, checkpoint()?, None, placement, &())?;
    let notice = Some(NOTICE.to_owned());
    let summary = Arc::new(ModelSummary { path: None, notice, ..(*model.summary).clone() });
    Ok(OpenModel { summary, ..model })
}
