//! The pinned pose through a training, as an animation: a frame for every snapshot, and where it is wished frames of networks
//! in between, whose weights are blended.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    checkpoint::{self, CheckpointError, Progress, SnapshotFile},
    engine::{
        message::ModelId,
        model::{OpenModel, Origin},
        save::{Picture, SaveError, render_picture},
    },
    gpu::pair,
    model::{
        ModelError, Placement,
        config::GeneratorConfig,
        state_dict::{HostTensor, StateDict},
    },
    session::{
        Pose, PoseRecord,
        apng::{Animation, write_animation},
        png::PngError,
    },
};

/// An animation to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The snapshots, in their order.
    pub snapshots: Vec<SnapshotFile>,
    /// What every one of them shows.
    pub pose: Pose,
    /// Frames between two snapshots.
    pub between: u32,
    /// How long a frame is shown.
    pub frame_time: Duration,
    /// The name of what is shown, for people.
    pub name: String,
    /// The file, replacing what is there.
    pub path: PathBuf,
}

impl Sweep {
    /// Number of frames.
    pub fn frames(&self) -> u32 {
        let snapshots = u32::try_from(self.snapshots.len()).unwrap_or(u32::MAX);
        snapshots.saturating_add(snapshots.saturating_sub(1).saturating_mul(self.between))
    }
}

/// Why an animation was not written.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// There is nothing to show.
    #[error("the run has no snapshots yet: wait for one, or let the training write one now")]
    Empty,
    /// A snapshot could not be read.
    #[error(transparent)]
    File(#[from] CheckpointError),
    /// A network could not be built.
    #[error("the network of a snapshot could not be built")]
    Build(#[from] ModelError),
    /// A frame could not be rendered.
    #[error("a frame could not be rendered")]
    Render(#[from] SaveError),
    /// Images of a snapshot do not fit those of the last.
    #[error("{} has images of {found:?} pixels, which cannot be enlarged to the {expected:?} of the last snapshot", .path.display())]
    Size {
        /// The snapshot.
        path: PathBuf,
        /// Its size.
        found: [u32; 2],
        /// The last one's.
        expected: [u32; 2],
    },
    /// It was given up.
    #[error("the animation was given up")]
    Cancelled,
    /// The file could not be written.
    #[error(transparent)]
    Png(#[from] PngError),
}

/// Renders and writes an animation. `progress` counts frames.
///
/// # Errors
/// [`SweepError`]; what was there before is then still there.
pub fn write(sweep: &Sweep, placement: &Placement, progress: &dyn Progress) -> Result<(), SweepError> {
    let last = sweep.snapshots.last().ok_or(SweepError::Empty)?;
    let config = checkpoint::open(&last.path, &()).and_then(|file| config_of(&file))?;
    let side = config.resolution() as u32;
    let frames = sweep.frames();
    let animation =
        Animation { size: [side, side], frames, frame_time: sweep.frame_time, opaque: config.img_channels() != 4 };
    let record = PoseRecord::new(sweep.pose.clone(), sweep.name.clone());
    // The two snapshots that the next frame lies between.
    let (mut from, mut to): (Option<Network>, Option<Network>) = (None, None);
    let frame = |frame: u32| -> Result<Vec<u8>, SweepError> {
        if progress.cancelled() {
            return Err(SweepError::Cancelled);
        }
        let (index, step) = ((frame / (sweep.between + 1)) as usize, frame % (sweep.between + 1));
        if step == 0 {
            let next = sweep.snapshots.get(index).ok_or(SweepError::Empty)?;
            from = Some(to.take().map_or_else(|| Network::read(next), Ok)?);
        } else if to.is_none() {
            to = sweep.snapshots.get(index + 1).map(Network::read).transpose()?;
        }
        let Some(shown) = &from else { return Err(SweepError::Empty) };
        let part = step as f32 / (sweep.between + 1) as f32;
        let picture = shown.towards(to.as_ref(), part).picture(&sweep.pose, placement)?;
        let bytes = enlarged(picture, [side, side]).map_err(|found| SweepError::Size {
            path: shown.path.clone(),
            found,
            expected: [side, side],
        })?;
        progress.advance(u64::from(frame) + 1, u64::from(frames));
        Ok(bytes)
    };
    match write_animation(&sweep.path, &animation, &record, frame, || progress.commit())? {
        true => Ok(()),
        false => Err(SweepError::Cancelled),
    }
}

fn config_of(file: &checkpoint::Checkpoint) -> Result<GeneratorConfig, CheckpointError> {
    let network = file.networks().get(file.preferred_generator()?);
    network
        .and_then(|network| network.generator())
        .cloned()
        .ok_or_else(|| CheckpointError::NotAModelFile { path: file.path.clone(), what: "has no generator".into() })
}

/// A snapshot on the host.
#[derive(Clone)]
struct Network {
    path: PathBuf,
    config: GeneratorConfig,
    weights: StateDict,
}

impl Network {
    fn read(snapshot: &SnapshotFile) -> Result<Self, SweepError> {
        let file = checkpoint::open(&snapshot.path, &())?;
        let (config, weights) = file.load_generator(file.preferred_generator()?)?;
        Ok(Self { path: snapshot.path.clone(), config, weights })
    }

    /// The network at `part` (0..1) of the way to `other`; itself where the two are not of one kind.
    fn towards(&self, other: Option<&Self>, part: f32) -> Self {
        let blended = other.filter(|other| part > 0.0 && other.config == self.config);
        let weights = blended.and_then(|other| blend(&self.weights, &other.weights, part));
        Self { weights: weights.unwrap_or_else(|| self.weights.clone()), ..self.clone() }
    }

    fn picture(self, pose: &Pose, placement: &Placement) -> Result<Picture, SweepError> {
        // A model of its own for each frame; nobody else sees it.
        let model = OpenModel::from_weights(ModelId(0), Origin::default(), self.config, self.weights, placement)?;
        Ok(render_picture(&Arc::new(model), pose)?)
    }
}

/// `a + part * (b - a)`, value by value; `None` if the two have other arrays.
fn blend(a: &StateDict, b: &StateDict, part: f32) -> Option<StateDict> {
    if a.0.len() != b.0.len() {
        return None;
    }
    let blended = a.0.iter().map(|(name, from)| {
        let to = b.0.get(name).filter(|to| to.shape == from.shape)?;
        let data = from.data.iter().zip(&to.data).map(|(a, b)| a + part * (b - a)).collect();
        Some((name.clone(), HostTensor { shape: from.shape.clone(), data }))
    });
    blended.collect::<Option<_>>().map(StateDict)
}

/// The picture with whole pixels enlarged to `size`; an earlier stage of a growing network has smaller images.
fn enlarged((bytes, found): Picture, size: [u32; 2]) -> Result<Vec<u8>, [u32; 2]> {
    let factor = size[0].checked_div(found[0]).unwrap_or(0);
    if factor == 0 || found.map(|side| side * factor) != size {
        return Err(found);
    }
    // Most are of that size already.
    Ok(if found == size { bytes } else { pair::enlarged(&bytes, found, size).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dict(values: &[f32]) -> StateDict {
        let tensor = HostTensor { shape: vec![values.len()], data: values.to_vec() };
        StateDict([("a".to_owned(), tensor)].into())
    }

    #[test]
    fn weights_are_blended_where_they_fit() {
        assert_eq!(blend(&dict(&[0.0, 4.0]), &dict(&[1.0, 2.0]), 0.5), Some(dict(&[0.5, 3.0])));
        assert_eq!(blend(&dict(&[0.0]), &dict(&[1.0, 2.0]), 0.5), None);
        assert_eq!(blend(&dict(&[0.0]), &StateDict::default(), 0.5), None);
    }

    #[test]
    fn small_pictures_are_enlarged_by_whole_factors_alone() {
        let picture = || ([[1, 2, 3, 4], [5, 6, 7, 8]].concat(), [2, 1]);
        let twice = enlarged(picture(), [4, 2]).unwrap();
        let row = [[1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6, 7, 8]].concat();
        assert_eq!(twice, [row.clone(), row].concat());
        assert_eq!(enlarged(picture(), [3, 2]), Err([2, 1]));
        assert_eq!(enlarged(picture(), [1, 1]), Err([2, 1]));
    }
}
