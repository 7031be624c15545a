//! Training in the window: what is chosen for one ([`form`], [`plan`]), the thread that runs it ([`host`]), what is known of it
//! ([`view`]), and the tab of the dock that shows it all ([`panel`]). The panel draws from [`TrainingState`] and sends
//! [`TrainingCommand`]s; only `App::logic` changes anything.

mod apply;
mod charts;
pub mod closing;
pub mod command;
pub mod curves;
mod data_panel;
pub mod errand;
mod export;
pub mod form;
mod game_rows;
mod grid;
mod host;
mod launch;
pub mod look;
pub mod panel;
pub mod plan;
mod preflight_panel;
mod progress;
pub mod question;
mod run_panel;
mod setup;
mod state;
mod update;
pub mod view;

pub use command::TrainingCommand;
pub use form::TrainingForm;
pub(super) use host::TrainingHost;
pub(super) use progress::progress_text;
pub use question::TrainingQuestion;
pub use state::{Arrival, Closing, ShownSample, Side, TrainingState};
pub use view::{Phase, TrainingView};
