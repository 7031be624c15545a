//! Stylescope: explore and train style-based generators (StyleGAN, StyleGAN2).
//!
//! The library is layered; `ARCHITECTURE.md` draws the layers and `tests/layering.rs` holds them:
//!
//! ```text
//! ui, cli -> engine -> session -> training -> latent, checkpoint, data -> model -> grad -> ops -> gpu -> base
//! ```

// A file, a device or another thread may fail at any time: that is an error, never a panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod base;
pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod engine;
pub mod gpu;
pub mod grad;
pub mod latent;
pub mod model;
pub mod ops;
pub mod session;
pub mod training;
pub mod ui;
