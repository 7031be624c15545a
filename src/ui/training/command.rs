//! What the user can ask of a training.

use std::path::PathBuf;

use egui::{Key, KeyboardShortcut, Modifiers};

use super::{
    Phase, Side, TrainingForm,
    form::Control,
    question::{Picks, TrainingQuestion},
};
use crate::{training::session::Fault, ui::state::AppState};

/// Something that the user wants of a training.
#[derive(Debug, Clone, PartialEq)]
pub enum TrainingCommand {
    /// Change what the next training will be.
    Form(Box<TrainingForm>),
    /// Show this side of the panel.
    Show(Side),
    /// Show a control of the form.
    GoTo(Control),
    /// Ask for a path.
    Ask(TrainingQuestion),
    /// The answer to that.
    Chosen(TrainingQuestion, PathBuf),
    /// Make a cell of the grid the pose.
    PoseOf(usize),
    /// Prepare to go on with the run that was trained last.
    ResumeLast,
    /// Start the training that was chosen.
    Start,
    /// Pause, or go on.
    TogglePause,
    /// One iteration of the generator alone.
    StepG,
    /// One iteration of the discriminator alone.
    StepD,
    /// Write a snapshot now.
    Snapshot,
    /// Save and end.
    Stop,
    /// Save and end the training, then close the window.
    SaveAndClose,
    /// Close the window although the training cannot be saved.
    CloseUnsaved,
    /// Do not close the window after all.
    KeepOpen,
    /// Let the training fail in this way: for tests.
    #[doc(hidden)]
    Inject(Fault),
}

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

impl TrainingCommand {
    /// Those of the menu, in its order.
    pub const MENU: [Option<Self>; 12] = [
        Some(Self::Start),
        Some(Self::TogglePause),
        Some(Self::Stop),
        None,
        Some(Self::Snapshot),
        None,
        Some(Self::StepG),
        Some(Self::StepD),
        None,
        Some(Self::ResumeLast),
        Some(Self::Ask(TrainingQuestion::Csv)),
        Some(Self::Ask(TrainingQuestion::Png)),
    ];

    /// What the command is called.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Form(_) => "Change the training's settings",
            Self::Show(Side::Setup) => "Show the training's settings",
            Self::Show(Side::Run) => "Show the training's run",
            Self::GoTo(_) => "Show a setting of the training",
            Self::Ask(TrainingQuestion::Csv) => "Export the training's history\u{2026}",
            Self::Ask(TrainingQuestion::Png) => "Export the training's charts\u{2026}",
            Self::Ask(question) | Self::Chosen(question, _) => question.title(),
            Self::PoseOf(_) => "Take the pose of a sample",
            Self::ResumeLast => "Resume the last training\u{2026}",
            Self::Start => "Start training",
            Self::TogglePause => "Pause or go on training",
            Self::StepG => "Step G",
            Self::StepD => "Step D",
            Self::Snapshot => "Snapshot now",
            Self::Stop => "Stop training",
            Self::SaveAndClose => "Save and close",
            Self::CloseUnsaved => "Close without saving",
            Self::KeepOpen => "Keep training",
            Self::Inject(_) => "Let the training fail",
        }
    }

    /// What it does, in a sentence.
    pub fn tooltip(&self) -> &'static str {
        match self {
            Self::Start => "Train with the settings of the training panel",
            Self::TogglePause => "Stop between two iterations and wait, or go on",
            Self::StepG => "Train the generator alone for one iteration, then pause",
            Self::StepD => "Train the discriminator alone for one iteration, then pause",
            Self::Snapshot => "Write the generator's moving average as a model file now",
            Self::Stop => "Write a checkpoint and end; the run can be resumed later",
            Self::SaveAndClose => "Write a checkpoint, then close the window",
            Self::CloseUnsaved => "The last checkpoint is kept; what was trained since is lost",
            Self::Ask(question) => question.words(),
            Self::ResumeLast => "Shows the settings that may change, then start",
            _ => "",
        }
    }

    /// The keys that call it.
    pub fn shortcuts(&self) -> &'static [KeyboardShortcut] {
        match self {
            Self::Start => const { &[plain(Key::F5)] },
            Self::TogglePause => const { &[plain(Key::F6)] },
            Self::StepG => const { &[plain(Key::F7)] },
            Self::StepD => const { &[plain(Key::F8)] },
            Self::Snapshot => const { &[plain(Key::F3)] },
            Self::Stop => const { &[KeyboardShortcut::new(Modifiers::SHIFT, Key::F5)] },
            _ => &[],
        }
    }

    /// Whether it can do anything now.
    pub fn enabled(&self, state: &AppState) -> bool {
        let training = &state.training;
        let phase = training.view.as_ref().map(|view| &view.phase);
        match self {
            // While a training runs it says so.
            Self::Form(_) | Self::Start | Self::Show(_) | Self::GoTo(_) => true,
            Self::Ask(question) | Self::Chosen(question, _) => match question.picks() {
                Picks::Save(_) => training.view.as_ref().is_some_and(|view| !view.history.is_empty()),
                _ => true,
            },
            Self::PoseOf(_) => training.sample.is_some() && state.model.is_some(),
            Self::ResumeLast => training.form.last_run.is_some() && !training.is_active(),
            Self::TogglePause | Self::StepG | Self::StepD | Self::Snapshot | Self::Inject(_) => {
                matches!(phase, Some(Phase::Running | Phase::Paused(_)))
            }
            Self::Stop => matches!(phase, Some(Phase::Starting | Phase::Running | Phase::Paused(_))),
            Self::SaveAndClose | Self::CloseUnsaved | Self::KeepOpen => training.closing.is_some(),
        }
    }
}
