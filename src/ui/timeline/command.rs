//! What the user can ask of the timeline.

use std::path::PathBuf;

use egui::{Key, KeyboardShortcut, Modifiers};

use super::Timeline;
use crate::{engine::PairView, ui::state::AppState};

/// Something that the user wants of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub enum TimelineCommand {
    /// Ask for the folder of a run.
    OpenRun,
    /// Show the snapshot after this many images, or the nearest.
    Show(u64),
    /// Show the snapshot before.
    Previous,
    /// Show the snapshot after.
    Next,
    /// Show the newest weights of the training as they come, or stop that.
    Follow(bool),
    /// Follow or not, whichever applies.
    ToggleFollow,
    /// Compare with another snapshot in this way, or with none.
    View(Option<PairView>),
    /// Compare side by side or not, whichever applies.
    ToggleBeside,
    /// Compare by difference or not, whichever applies.
    ToggleDifference,
    /// Compare with the snapshot after this many images.
    Against(u64),
    /// Compare with the snapshot that is shown now.
    Pin,
    /// Whether animations have frames between snapshots.
    Smooth(bool),
    /// Ask where to write the animation.
    Export,
    /// Type where to write the animation.
    ExportTo(PathBuf),
    /// Close the timeline; the model stays.
    Close,
}

/// The factor that differences begin with.
pub const GAIN: u8 = 4;

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

impl TimelineCommand {
    /// Those of the menu, in its order.
    pub const MENU: [Option<Self>; 11] = [
        Some(Self::OpenRun),
        Some(Self::ToggleFollow),
        None,
        Some(Self::Previous),
        Some(Self::Next),
        None,
        Some(Self::ToggleBeside),
        Some(Self::ToggleDifference),
        Some(Self::Pin),
        None,
        Some(Self::Export),
    ];

    /// What the command is called.
    pub fn label(&self) -> &'static str {
        match self {
            Self::OpenRun => "Open a run\u{2026}",
            Self::Show(_) => "Show snapshot",
            Self::Previous => "Previous snapshot",
            Self::Next => "Next snapshot",
            Self::Follow(true) | Self::ToggleFollow => "Follow the training",
            Self::Follow(false) => "Stop following the training",
            Self::View(Some(PairView::SideBySide)) | Self::ToggleBeside => "Compare snapshots side by side",
            Self::View(Some(PairView::Difference { .. })) | Self::ToggleDifference => "Difference of snapshots",
            Self::View(None) => "Compare no snapshots",
            Self::Against(_) => "Compare with snapshot",
            Self::Pin => "Compare with this snapshot",
            Self::Smooth(_) => "Smooth animation",
            Self::Export => "Export run as animation\u{2026}",
            Self::ExportTo(_) => "Export animation",
            Self::Close => "Close timeline",
        }
    }

    /// What it does, in a sentence.
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::OpenRun => "Open the folder of a training run, with all its snapshots",
            Self::Previous | Self::Next => "The same pose at another time of the training",
            Self::Follow(_) | Self::ToggleFollow => {
                "Show the newest weights of the training as they come; the pose stays"
            }
            Self::View(Some(PairView::SideBySide)) | Self::ToggleBeside => {
                "The same pose of two snapshots, the other one on the left"
            }
            Self::View(Some(PairView::Difference { .. })) | Self::ToggleDifference => {
                "How far the images of two snapshots are apart; black where they agree"
            }
            Self::Pin => "Hold on to the snapshot that is shown, and see others beside it",
            Self::Smooth(_) => "Blend the weights of neighbouring snapshots for three frames between them",
            Self::Export => "The pose at every snapshot, as an animated PNG",
            Self::Close => "Close the timeline; the model stays open",
            _ => "",
        }
    }

    /// The keys that call it.
    pub fn shortcuts(&self) -> &'static [KeyboardShortcut] {
        match self {
            Self::Previous => const { &[plain(Key::Comma)] },
            Self::Next => const { &[plain(Key::Period)] },
            Self::ToggleFollow => const { &[plain(Key::L)] },
            Self::ToggleBeside => const { &[plain(Key::S)] },
            Self::ToggleDifference => const { &[plain(Key::D)] },
            Self::Pin => const { &[plain(Key::P)] },
            _ => &[],
        }
    }

    /// Whether what it stands for is on now; `None` where there is nothing to be on or off.
    pub fn is_on(&self, timeline: &Timeline) -> Option<bool> {
        match self {
            Self::ToggleFollow => Some(timeline.follow),
            Self::ToggleBeside => Some(timeline.view == Some(PairView::SideBySide)),
            Self::ToggleDifference => Some(matches!(timeline.view, Some(PairView::Difference { .. }))),
            _ => None,
        }
    }

    /// Whether it can do anything now.
    pub fn enabled(&self, state: &AppState) -> bool {
        let timeline = &state.timeline;
        match self {
            Self::OpenRun | Self::Smooth(_) => true,
            Self::Follow(_) | Self::ToggleFollow => timeline.run.is_some() || state.live().is_some(),
            Self::Close => timeline.run.is_some(),
            Self::Export | Self::ExportTo(_) => !timeline.snapshots.is_empty() && state.exporting.is_none(),
            _ => !timeline.snapshots.is_empty(),
        }
    }
}
