//! The networks: configuration, weights by name, and the generator that the rest of the program uses.

pub mod config;
pub mod discriminator_config;
pub mod error;
pub mod generator;
pub mod layer;
pub mod noise;
pub mod state_dict;
pub mod trainable;

mod block_state;
mod cpu_blocks;
mod linear;
mod mapping;
mod stylegan1;
mod stylegan2;
mod stylegan2_cpu;
mod weights;

#[cfg(test)]
mod tests;

pub use block_state::BlockState;
pub use error::ModelError;
pub use generator::{Generator, Placement, Styles};
pub use noise::{Noise, NoiseInput};
