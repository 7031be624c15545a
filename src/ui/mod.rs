//! The window: panels read the state and send commands, one place applies them.

pub mod animation;
pub mod app;
mod apply;
pub mod background;
pub mod canvas;
pub mod command;
mod dialog;
pub mod dock;
mod events;
pub mod export;
mod fuzzy;
mod keyboard;
mod menu;
mod overlay;
mod palette;
pub mod panels;
pub mod performance;
pub mod picture;
mod remember;
mod run;
pub mod state;
mod status;
pub mod theme;
pub mod timeline;
pub mod toast;
pub mod training;
mod typed_path;
pub mod widgets;
pub mod zoom;

pub use run::run;
