//! The losses of generator and discriminator, as functions of everything that goes into them.
//!
//! Each is a [`Var`] whose gradient by the weights is the gradient of the training; draws come in from outside, so that the
//! fixtures can replay what the reference implementations did.

use super::{config::Loss, error::TrainError};
use crate::{
    grad::{Var, gradients, no_graph},
    model::trainable::{Images, TrainNoise, TrainableDiscriminator, TrainableGenerator, Weights},
};

/// The two networks with their level of detail.
#[derive(Debug, Clone, Copy)]
pub struct Networks<'a> {
    /// The generator.
    pub generator: &'a TrainableGenerator,
    /// The discriminator.
    pub discriminator: &'a TrainableDiscriminator,
    /// Level of detail of networks that grow.
    pub lod: Option<f32>,
}

/// What a batch of generated images is made of.
#[derive(Debug, Clone)]
pub struct Latents {
    /// [N, z_dim, 1, 1]
    pub z: Var,
    /// [N, label_dim, 1, 1] of a conditional network.
    pub label: Option<Var>,
    /// Style mixing: another z, and the first layer that follows it.
    pub mix: Option<(Var, usize)>,
}

/// Changes images before the discriminator sees them, differentiably.
pub type Augment<'a> = &'a mut dyn FnMut(&Var) -> Var;

/// Generated images and what led to them.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The images.
    pub images: Images,
    /// [N, num_ws, w_dim, 1]
    pub ws: Var,
    /// `w` of the first latents, [N, w_dim, 1, 1]: what the moving average follows.
    pub w: Var,
}

impl Networks<'_> {
    /// Runs the generator.
    ///
    /// # Errors
    /// If a label or a weight is missing.
    pub fn generate(&self, weights: &Weights, latents: &Latents, noise: TrainNoise) -> Result<Generated, TrainError> {
        let label = latents.label.as_ref();
        let w = self.generator.map(weights, &latents.z, label)?;
        let mix = latents
            .mix
            .as_ref()
            .map(|(z, cutoff)| Ok::<_, TrainError>((self.generator.map(weights, z, label)?, *cutoff)));
        let mix = mix.transpose()?;
        let ws = self.generator.broadcast(&w, mix.as_ref().map(|(w, cutoff)| (w, *cutoff)));
        let images = self.generator.synthesize(weights, &ws, noise, self.lod)?;
        Ok(Generated { images, ws, w })
    }

    /// Runs the discriminator on augmented images: [N, 1, 1, 1].
    ///
    /// # Errors
    /// If a label or a weight is missing.
    pub fn judge(
        &self,
        weights: &Weights,
        images: &Images,
        label: Option<&Var>,
        augment: Option<Augment>,
    ) -> Result<Var, TrainError> {
        let logits = match augment {
            None => self.discriminator.logits(weights, images, label, self.lod)?,
            Some(augment) => {
                let images = Images { image: augment(&images.image), smaller: images.smaller.clone() };
                self.discriminator.logits(weights, &images, label, self.lod)?
            }
        };
        Ok(logits)
    }
}

/// The generator's loss of every sample, [N, 1, 1, 1]. `reals` are the scores of real images, for the relativistic loss.
pub fn generator_loss(loss: Loss, fakes: &Var, reals: Option<&Var>) -> Var {
    match (loss, reals) {
        (Loss::Logistic, _) | (Loss::Relativistic, None) => fakes.scale(-1.0).softplus(),
        (Loss::WganGp { .. }, _) => fakes.scale(-1.0),
        (Loss::Relativistic, Some(reals)) => reals.sub(fakes).softplus(),
    }
}

/// The discriminator's loss of every pair of a fake and a real, [N, 1, 1, 1], without gradient penalties.
pub fn discriminator_loss(loss: Loss, fakes: &Var, reals: &Var) -> Var {
    match loss {
        Loss::Logistic => fakes.softplus().add(&reals.scale(-1.0).softplus()),
        Loss::WganGp { epsilon_drift, .. } => fakes.sub(reals).add(&reals.square().scale(epsilon_drift as f32)),
        Loss::Relativistic => fakes.sub(reals).softplus(),
    }
}

/// `sum |d sum(logits) / d image|^2` of every sample, [N, 1, 1, 1], differentiable (R1 and R2, arXiv 1801.04406). The images must
/// be leaves that are tracked.
///
/// # Errors
/// If the logits do not depend on the images.
pub fn squared_gradient(logits: &Var, images: &Images) -> Result<Var, TrainError> {
    let [batch, ..] = logits.dims();
    let wrt: Vec<&Var> = std::iter::once(&images.image).chain(&images.smaller).collect();
    let seed = Var::constant(logits.value().ones_like());
    let mut sum: Option<Var> = None;
    for gradient in gradients(logits, &seed, &wrt, true).into_iter().flatten() {
        let part = gradient.mul_fit(&gradient, [batch, 1, 1, 1]);
        sum = Some(match sum {
            Some(sum) => sum.add(&part),
            None => part,
        });
    }
    sum.ok_or_else(|| TrainError::State("the discriminator does not look at its images".into()))
}

/// The images as leaves of which gradients are wanted.
pub fn as_leaves(images: &Images) -> Images {
    let leaf = |image: &Var| Var::parameter(image.value().clone());
    Images { image: leaf(&images.image), smaller: images.smaller.iter().map(leaf).collect() }
}

/// WGAN-GP's `lambda * (|gradient| - 1)^2` of every sample (arXiv 1704.00028, equation 3), from the squared gradient at points
/// between fakes and reals.
pub fn wgan_penalty(squared_gradient: &Var, lambda: f64) -> Var {
    // The root has no slope at 0; the addend is far below f32 at the norms that occur.
    let norm = squared_gradient.affine(1.0, 1e-12).power(0.5);
    norm.affine(1.0, -1.0).square().scale(lambda as f32)
}

/// `(1 - t) * fake + t * real` of every sample, `t` [N, 1, 1, 1].
pub fn between(fakes: &Images, reals: &Images, t: &Var) -> Images {
    no_graph(|| {
        let mix = |fake: &Var, real: &Var| fake.detach().add(&real.detach().sub(&fake.detach()).mul(t));
        Images {
            image: mix(&fakes.image, &reals.image),
            smaller: fakes.smaller.iter().zip(&reals.smaller).map(|(fake, real)| mix(fake, real)).collect(),
        }
    })
}

/// Path length regularisation (StyleGAN2, section 3.2 and appendix B).
#[derive(Debug, Clone)]
pub struct PathLength {
    /// `(length - mean)^2` of every sample, [N, 1, 1, 1].
    pub penalty: Var,
    /// The length of every sample.
    pub lengths: Var,
    /// The new moving average of the length, [1, 1, 1, 1].
    pub mean: Var,
}

/// The length of `J^T y` for `y` normal numbers like the image (before the division by `sqrt(H W)`), against its moving average
/// `mean`, which follows by `decay`. The penalty uses the new average, whose own gradient counts.
///
/// # Errors
/// If the images do not depend on `ws`.
pub fn path_length(generated: &Generated, y: &Var, mean: f32, decay: f64) -> Result<PathLength, TrainError> {
    let image = &generated.images.image;
    let [_, _, height, width] = image.dims();
    let [batch, num_ws, ..] = generated.ws.dims();
    let seed = y.scale(1.0 / ((height * width) as f32).sqrt());
    let gradient = gradients(image, &seed, &[&generated.ws], true).remove(0);
    let gradient = gradient.ok_or_else(|| TrainError::State("the image does not depend on w".into()))?;
    let lengths = gradient.mul_fit(&gradient, [batch, 1, 1, 1]).scale(1.0 / num_ws as f32).power(0.5);
    let mean = lengths.mean().scale(decay as f32).affine(1.0, mean * (1.0 - decay as f32));
    let penalty = lengths.sub(&mean).square();
    Ok(PathLength { penalty, lengths, mean })
}
