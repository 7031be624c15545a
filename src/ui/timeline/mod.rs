//! Travelling through a training: which run is open, which of its snapshots is shown, and with which it is compared. The
//! strip under the image draws from [`Timeline`] and sends [`TimelineCommand`]s; only `App::logic` changes anything.

mod apply;
pub mod command;
mod strip;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub(super) use apply::Travel;
pub use command::TimelineCommand;
pub(super) use strip::strip_ui;

use crate::{
    checkpoint::SnapshotFile,
    engine::{Against, ModelSummary, PairView, Snapshot, SnapshotRequest},
};

/// What the window knows of the run that it travels through.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The run's folder; `None` while the model is of no run.
    pub run: Option<PathBuf>,
    /// Its snapshots in the order of the training, as the folder was seen last.
    pub snapshots: Vec<SnapshotFile>,
    /// What is shown, or on its way.
    pub shown: Option<Snapshot>,
    /// How it is compared with another snapshot, if it is.
    pub view: Option<PairView>,
    /// The snapshot that it is compared with.
    pub against: Option<SnapshotFile>,
    /// The network of that snapshot, once it is there.
    pub other: Option<Arc<ModelSummary>>,
    /// Whether the newest weights of the training are shown as they come.
    pub follow: bool,
    /// Whether animations have frames between snapshots.
    pub smooth: bool,
}

impl Timeline {
    /// Frames between two snapshots of a smooth animation.
    const BETWEEN: u32 = 3;

    /// Begins with a run, of which `shown` is on the screen already.
    pub fn enter(&mut self, run: &Path, shown: Option<Snapshot>) {
        if self.run.as_deref() != Some(run) {
            *self = Self { run: Some(run.to_owned()), smooth: self.smooth, ..Self::default() };
        }
        self.shown = shown;
    }

    /// Leaves the run.
    pub fn leave(&mut self) {
        *self = Self { smooth: self.smooth, ..Self::default() };
    }

    /// Images that had been shown to the network that is shown.
    pub fn at(&self) -> Option<u64> {
        self.shown.as_ref().map(Snapshot::nimg)
    }

    /// Where the snapshots are.
    pub fn marks(&self) -> Vec<u64> {
        self.snapshots.iter().map(|snapshot| snapshot.nimg).collect()
    }

    /// The snapshot at `nimg`, or the nearest.
    pub fn nearest(&self, nimg: u64) -> Option<&SnapshotFile> {
        self.snapshots.iter().min_by_key(|snapshot| snapshot.nimg.abs_diff(nimg))
    }

    /// What the engine shall make ready.
    pub fn wanted(&self) -> Option<SnapshotRequest> {
        let against = self.view.and(self.against.clone()).map(Snapshot::File);
        Some(SnapshotRequest { shown: self.shown.clone()?, against })
    }

    /// What the render thread shall show beside the model, once it is there.
    pub fn compared(&self) -> Option<Against> {
        let (view, other) = self.view.zip(self.other.as_ref())?;
        Some(Against { model: other.id, view })
    }

    /// The snapshot to compare with where none was chosen: the newest, or the first if the newest is shown.
    fn proposal(&self) -> Option<&SnapshotFile> {
        let newest = self.snapshots.last()?;
        if self.at() == Some(newest.nimg) { self.snapshots.first() } else { Some(newest) }
    }

    /// Frames between two snapshots of an animation.
    pub fn between(&self) -> u32 {
        if self.smooth { Self::BETWEEN } else { 0 }
    }
}

/// Thousands of images, as short as they stay apart.
pub fn kimg_text(nimg: u64) -> String {
    let kimg = nimg as f64 / 1000.0;
    let text = match nimg {
        100_000.. => return format!("{kimg:.0} kimg"),
        10_000.. => format!("{kimg:.1}"),
        _ => format!("{kimg:.3}"),
    };
    format!("{} kimg", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(marks: &[u64]) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.enter(Path::new("/run"), None);
        let file =
            |nimg: &u64| SnapshotFile { nimg: *nimg, path: format!("/run/snapshots/{nimg:09}.safetensors").into() };
        timeline.snapshots = marks.iter().map(file).collect();
        timeline
    }

    #[test]
    fn thousands_of_images_are_short() {
        let cases = [(0, "0"), (8, "0.008"), (250, "0.25"), (12_340, "12.3"), (20_000, "20"), (1_000_000, "1000")];
        for (nimg, text) in cases {
            assert_eq!(kimg_text(nimg), format!("{text} kimg"));
        }
    }

    #[test]
    fn the_other_snapshot_is_another_one_unless_it_was_chosen() {
        let mut timeline = timeline(&[0, 500, 900]);
        let file = |timeline: &Timeline, index: usize| timeline.snapshots[index].clone();
        assert_eq!(timeline.proposal().map(|file| file.nimg), Some(900));
        timeline.shown = Some(Snapshot::File(file(&timeline, 2)));
        assert_eq!(timeline.proposal().map(|file| file.nimg), Some(0));
        timeline.against = Some(file(&timeline, 1));
        assert_eq!(timeline.wanted().map(|wanted| wanted.against), Some(None), "nothing is compared");
        timeline.view = Some(PairView::SideBySide);
        assert_eq!(timeline.wanted().unwrap().against, Some(Snapshot::File(file(&timeline, 1))));
        assert_eq!(timeline.compared(), None, "its network is not there yet");
        assert_eq!(timeline.nearest(800).map(|file| file.nimg), Some(900));
        timeline.leave();
        assert!(timeline.run.is_none() && timeline.wanted().is_none());
    }
}
