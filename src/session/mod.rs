//! What the user has chosen: the pose, its history, settings, and how they are kept.

pub mod apng;
mod capped;
pub mod document;
pub mod edit;
pub mod field;
pub mod png;
pub mod pose;
pub mod ranges;
pub mod record;
mod sanitize;
pub mod settings;
pub mod settings_store;
pub mod training_settings;

pub use document::{Document, GestureId};
pub use edit::{MixPreset, PoseEdit};
pub use field::PoseField;
pub use pose::Pose;
pub use record::PoseRecord;
pub use settings::Settings;
pub use settings_store::{SettingsSaver, SettingsStore};
pub use training_settings::TrainingSettings;
