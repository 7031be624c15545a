//! Saved images: rendered once more at full resolution, and written with the pose that made them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crossbeam_channel::Receiver;

use crate::{
    base::{
        error_chain::error_chain,
        worker::{Outcome, catch},
    },
    engine::{
        events::Events,
        message::{EngineEvent, SaveImage, SaveTarget},
        model::OpenModel,
        pipeline::Pipeline,
        render::RenderError,
    },
    gpu::{
        quantize::{self, NotAnImage},
        readback::{self, ReadbackError},
    },
    session::{
        Pose,
        png::{PngError, write_png, write_png_numbered},
        record::PoseRecord,
    },
};

/// Why an image was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It could not be brought back from its device.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// The network's output is no image.
    #[error(transparent)]
    NotAnImage(#[from] NotAnImage),
    /// It could not be written.
    #[error(transparent)]
    Png(#[from] PngError),
    /// The folder is missing and cannot be made.
    #[error("the folder {} could not be made", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something panicked.
    #[error("saving failed unexpectedly: {0}")]
    Panicked(String),
}

/// A picture as it is saved: `[height, width, 4]` bytes, and width and height.
pub type Picture = (Vec<u8>, [u32; 2]);

/// Renders a pose at full resolution for the host, without any cache.
///
/// # Errors
/// [`SaveError`] if the network or its device fails.
pub fn render_picture(model: &Arc<OpenModel>, pose: &Pose) -> Result<Picture, SaveError> {
    let mut pipeline = Pipeline::once(Arc::clone(model));
    let latents = pipeline.latents(pose)?;
    let image = pipeline.image(pose, &latents, || false)?;
    // Nothing asked to give it up, so there is an image.
    let image = image.ok_or(RenderError::NotOpen(model.summary.id))?;
    let [_, channels, height, width] = image.dims();
    let bytes = quantize::rgba8(&readback::values(image)?, channels, height, width)?;
    Ok((bytes, [width as u32, height as u32]))
}

/// The job thread that saves images, one after the other.
pub(crate) struct Saver {
    pub jobs: Receiver<SaveJob>,
    pub events: Events,
}

/// An image to save with its model, which may be replaced while the image waits; `None` if it was not open.
pub(crate) struct SaveJob {
    pub model: Option<Arc<OpenModel>>,
    pub save: SaveImage,
}

impl Saver {
    /// Waits for an image to save, and saves it. Ends when nobody can ask any more and all that was asked for is saved.
    pub fn step(&mut self) -> Outcome {
        let Ok(job) = self.jobs.recv() else { return Outcome::Finished };
        let saved = catch(|| self.save(&job)).unwrap_or_else(|message| Err(SaveError::Panicked(message)));
        self.events.push(match saved {
            Ok(path) => EngineEvent::Saved(path),
            Err(error) => {
                EngineEvent::SaveFailed { path: asked_for(&job.save.target).to_owned(), message: error_chain(&error) }
            }
        });
        Outcome::Again
    }

    fn save(&self, SaveJob { model, save: SaveImage { request, target } }: &SaveJob) -> Result<PathBuf, SaveError> {
        let model = model.as_ref().ok_or(RenderError::NotOpen(request.model))?;
        let (bytes, size) = render_picture(model, &request.pose)?;
        let record = PoseRecord {
            model_fingerprint: Some(model.fingerprint.clone()),
            ..PoseRecord::new(request.pose.clone(), model.summary.name.clone())
        };
        Ok(match target {
            SaveTarget::Path(path) => {
                write_png(path, &bytes, size, &record)?;
                path.clone()
            }
            SaveTarget::Numbered { dir, stem } => {
                std::fs::create_dir_all(dir).map_err(|source| SaveError::Folder { path: dir.clone(), source })?;
                write_png_numbered(dir, stem, &bytes, size, &record)?
            }
        })
    }
}

/// The file or folder of a target.
pub(crate) fn asked_for(target: &SaveTarget) -> &Path {
    match target {
        SaveTarget::Path(path) => path,
        SaveTarget::Numbered { dir, .. } => dir,
    }
}
