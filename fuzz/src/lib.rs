//! The readers of foreign files, compiled without the rest of the program.
//!
//! The modules are the program's own sources. None of them names burn, wgpu or egui, so that the fuzz targets build in
//! seconds and with flags of their own.

#![allow(dead_code, missing_docs, reason = "a part of the library, whose users are elsewhere")]

extern crate self as stylescope;

#[path = "../../src/base/mod.rs"]
pub mod base;
#[path = "../../src/checkpoint/mod.rs"]
pub mod checkpoint;
#[path = "../../src/data/mod.rs"]
pub mod data;
#[path = "../../src/latent/mod.rs"]
pub mod latent;
pub mod model;
#[path = "../../src/session/mod.rs"]
pub mod session;
pub mod targets;
