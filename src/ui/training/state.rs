//! What the training panel shows.

use std::path::PathBuf;

use egui::TextureHandle;

use super::{
    form::{Classes, Control, DataChoice, TrainingForm},
    look::DataLook,
    plan::{Plan, Suggestions},
    view::TrainingView,
};
use crate::{data::portraits::factors::HairStyle, training::run_folder::RunFile};

/// How far closing the window is while a training is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The window asks.
    Asking,
    /// The training saves and ends.
    Saving,
    /// The window may go.
    Done,
}

/// What the left part of the panel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Side {
    /// The choices for the next training.
    #[default]
    Setup,
    /// The training that runs or ran last.
    Run,
}

/// Somebody was sent to a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The control.
    pub control: Control,
    /// Tells one arrival from the next.
    pub number: u64,
}

/// The picture of the grid on the screen.
pub struct ShownSample {
    /// The file.
    pub path: PathBuf,
    /// Images shown when it was made.
    pub nimg: u64,
    /// The picture.
    pub texture: TextureHandle,
}

/// Everything of the window that has to do with training.
#[derive(Default)]
pub struct TrainingState {
    /// What the next training will be.
    pub form: TrainingForm,
    /// What the form comes to.
    pub plan: Option<Plan>,
    /// A look at the chosen images.
    pub look: DataLook,
    /// The run to go on with, once it was read, with its folder.
    pub run: Option<(PathBuf, Box<RunFile>)>,
    /// What the left part shows.
    pub side: Side,
    /// The control that somebody was sent to last.
    pub go_to: Option<Arrival>,
    /// The training that runs, or the last one that ran.
    pub view: Option<TrainingView>,
    /// The picture of the grid.
    pub sample: Option<ShownSample>,
    /// The file that was asked for as that picture last.
    pub(super) asked_sample: Option<PathBuf>,
    /// Operations of training a second on this machine, once they were measured.
    pub flops_per_second: Option<f64>,
    /// Whether they have been asked for.
    pub(super) measuring: bool,
    /// Set while the window wants to close.
    pub closing: Option<Closing>,
}

impl TrainingState {
    /// Whether a training is under way: a second one is refused.
    pub fn is_active(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.phase.is_active())
    }

    /// Numbers that the form leaves open.
    pub fn suggestions(&self) -> Suggestions {
        self.plan.as_ref().map(|plan| plan.suggestions).unwrap_or_default()
    }

    /// What is known of the classes of the chosen images.
    pub fn classes(&self) -> Classes {
        match (&self.form.data, self.look.label_dim(&self.form.data)) {
            (DataChoice::Portraits, _) => Ok(HairStyle::ALL.len()),
            (DataChoice::Path(_), None) => Err("The images are still being looked at.".into()),
            (DataChoice::Path(_), Some(Ok(0))) => {
                Err("The images have no classes; a dataset.json beside them would say them.".into())
            }
            (DataChoice::Path(_), Some(Ok(count))) => Ok(*count),
            (DataChoice::Path(_), Some(Err(error))) => Err(format!("The classes cannot be used: {error}.")),
        }
    }

    /// Number of classes of the training; 0 for an unconditional one.
    pub fn label_dim(&self) -> usize {
        let config = self.view.as_ref().and_then(|view| view.config.as_ref());
        config.map_or(0, |config| config.generator.label_dim())
    }

    /// Sends the user to a control of the form.
    pub fn go_to(&mut self, control: Control) {
        let number = self.go_to.map_or(0, |last| last.number) + 1;
        self.go_to = Some(Arrival { control, number });
        self.side = Side::Setup;
    }
}
