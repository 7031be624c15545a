//! The networks as training sees them: functions of their weights, with gradients of any order ([`crate::grad`]).
//!
//! The arithmetic is that of [`super::Generator`], which shows and exports what is trained here; the tests hold the two
//! together. Weights go by the same official names.

mod discriminator;
mod filters;
mod generator;
mod latent_side;
mod minibatch_stddev;
mod params;
mod stylegan1;
mod stylegan1_discriminator;
mod stylegan2;
mod stylegan2_discriminator;

pub use discriminator::TrainableDiscriminator;
pub use generator::{Images, TrainNoise, TrainableGenerator};
pub use params::{Param, Params, Weights, in_block};
