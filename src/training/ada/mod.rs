//! Augmentation of what the discriminator sees, and its strength (Karras et al., "Training generative adversarial networks with
//! limited data", arXiv 2006.06676, appendix B).
//!
//! Every transformation happens to an image with probability `p` (times its weight in [`AugmentConfig`]). All of them are
//! linear or affine in the image and made of operations of [`crate::grad`], so the generator's gradients and R1 go through. What
//! happens to an image is decided on the host, from [`AugmentDraws`].

mod affine;
mod color;
mod config;
mod controller;
mod corruption;
mod draws;
mod filter;
mod geometry;

#[cfg(test)]
mod tests;

pub use config::AugmentConfig;
pub use controller::AdaController;
pub use draws::AugmentDraws;
pub use filter::filter_bank;

use crate::grad::Var;
use draws::Lottery;

/// The chain of transformations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AugmentPipe {
    /// Which of them, and how often.
    pub config: AugmentConfig,
}

impl AugmentPipe {
    /// Augments images, each in its own way.
    ///
    /// Colours of images with neither 1 nor 3 channels stay as they are, and nothing is drawn for them.
    ///
    /// # Shapes
    /// - images: [N, C, H, W], values from -1 to 1
    /// - output: the same
    ///
    /// `p` is the probability of each transformation; above 1 it means 1. The draws are taken in the order of the paper's
    /// figure 20, whatever `p` is.
    pub fn apply(&self, images: &Var, p: f32, draws: &mut dyn AugmentDraws) -> Var {
        let [batch, channels, height, width] = images.dims();
        let mut lottery = Lottery::new(draws, batch, p);
        let maps = geometry::draw(&self.config, [height, width], &mut lottery);
        let moved = geometry::execute(images, &maps);
        let colored = match color::draw(&self.config, channels, &mut lottery) {
            Some(maps) => color::execute(&moved, &maps),
            None => moved,
        };
        let filtered = filter::apply(&self.config, &colored, &mut lottery);
        corruption::apply(&self.config, &filtered, &mut lottery)
    }
}
