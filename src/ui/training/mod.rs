//! Training in the window: what is chosen for one ([`form`]), the thread that runs it ([`host`]), and what is known of it
//! ([`view`]). The panel draws from [`TrainingState`] and sends [`TrainingCommand`]s; only `App::logic` changes anything.

mod apply;
pub mod command;
pub mod form;
mod host;
pub mod view;

use std::time::Duration;

pub use command::TrainingCommand;
pub use form::TrainingForm;
pub(super) use host::TrainingHost;
pub use view::{Phase, TrainingView};

/// How often the numbers of a running training are looked at.
const REFRESH: Duration = Duration::from_millis(250);

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

/// Everything of the window that has to do with training.
#[derive(Debug, Default)]
pub struct TrainingState {
    /// What the next training will be.
    pub form: TrainingForm,
    /// The training that runs, or the last one that ran.
    pub view: Option<TrainingView>,
    /// Set while the window wants to close.
    pub closing: Option<Closing>,
}

impl TrainingState {
    /// Whether a training is under way: a second one is refused.
    pub fn is_active(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.phase.is_active())
    }
}
