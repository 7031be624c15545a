//! The window: panels read the state and send commands, one place applies them.

pub mod animation;
pub mod command;
pub mod performance;
pub mod picture;
pub mod state;
pub mod theme;
pub mod toast;
pub mod zoom;
