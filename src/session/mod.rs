//! What the user has chosen: the pose, its history, settings, and how they are kept.

pub mod pose;

pub use pose::Pose;
