//! The four phases of an iteration (generator, path length, discriminator, R1), each as a loss to descend and what to report.

use super::{
    config::Loss,
    error::TrainError,
    losses::{
        Augment, Generated, Latents, Networks, as_leaves, between, discriminator_loss, generator_loss, path_length,
        squared_gradient, wgan_penalty,
    },
};
use crate::{
    grad::{Var, no_graph},
    model::trainable::{Images, TrainNoise, Weights},
};

/// A phase's result.
#[derive(Debug, Clone)]
pub struct Phase {
    /// The mean over the batch, [1, 1, 1, 1].
    pub loss: Var,
    /// `w` of the batch, where latents were mapped: the moving average follows it.
    pub w: Option<Var>,
    /// Name and values of what the history shows, [N, 1, 1, 1] each.
    pub reports: Vec<(&'static str, Var)>,
}

/// Real images with their labels.
#[derive(Debug, Clone, Copy)]
pub struct Reals<'a> {
    /// The images, as leaves or constants.
    pub images: &'a Images,
    /// [N, label_dim, 1, 1] of a conditional network.
    pub label: Option<&'a Var>,
}

/// How the discriminator sees fakes and reals; `None`: as they are.
#[derive(Default)]
pub struct Augments<'a> {
    /// What happens to fakes.
    pub fakes: Option<Augment<'a>>,
    /// What happens to reals.
    pub reals: Option<Augment<'a>>,
    /// What happens to the points between them (WGAN-GP).
    pub points: Option<Augment<'a>>,
}

/// The generator against the discriminator as it is. `reals` are for the relativistic loss alone.
///
/// # Errors
/// If a label or a weight is missing.
pub fn generator_main(
    networks: &Networks,
    [generator, discriminator]: [&Weights; 2],
    latents: &Latents,
    noise: TrainNoise,
    loss: Loss,
    reals: Reals,
    augments: Augments,
) -> Result<Phase, TrainError> {
    let Generated { images, w, .. } = networks.generate(generator, latents, noise)?;
    let fakes = networks.judge(discriminator, &images, latents.label.as_ref(), augments.fakes)?;
    let scores = if loss == Loss::Relativistic {
        Some(no_graph(|| networks.judge(discriminator, reals.images, reals.label, augments.reals))?)
    } else {
        None
    };
    let losses = generator_loss(loss, &fakes, scores.as_ref());
    Ok(Phase { loss: losses.mean(), w: Some(w.detach()), reports: vec![("loss_g", losses.detach())] })
}

/// Path length regularisation, and the new average length.
///
/// # Errors
/// If a label or a weight is missing.
pub fn generator_path(
    networks: &Networks,
    generator: &Weights,
    latents: &Latents,
    noise: TrainNoise,
    y: &Var,
    mean: f32,
    [weight, decay]: [f64; 2],
) -> Result<(Phase, Var), TrainError> {
    let generated = networks.generate(generator, latents, noise)?;
    let path = path_length(&generated, y, mean, decay)?;
    let reports = vec![("pl_penalty", path.penalty.detach()), ("path_length", path.lengths.detach())];
    let loss = path.penalty.mean().scale(weight as f32);
    Ok((Phase { loss, w: Some(generated.w.detach()), reports }, path.mean.detach()))
}

/// The discriminator against the generator as it is, with WGAN-GP's penalty at the points `t` where the loss has one.
///
/// # Errors
/// If a label or a weight is missing.
#[allow(clippy::too_many_arguments, reason = "each is a part of the loss's definition")]
pub fn discriminator_main(
    networks: &Networks,
    [generator, discriminator]: [&Weights; 2],
    latents: &Latents,
    noise: TrainNoise,
    loss: Loss,
    reals: Reals,
    augments: Augments,
    t: Option<&Var>,
) -> Result<Phase, TrainError> {
    let generated = no_graph(|| networks.generate(generator, latents, noise))?;
    let fakes = networks.judge(discriminator, &generated.images, latents.label.as_ref(), augments.fakes)?;
    let scores = networks.judge(discriminator, reals.images, reals.label, augments.reals)?;
    let losses = discriminator_loss(loss, &fakes, &scores);
    let mut reports = vec![
        ("loss_d", losses.detach()),
        ("score_fake", fakes.detach()),
        ("score_real", scores.detach()),
        ("sign_fake", sign(&fakes)),
        ("sign_real", sign(&scores)),
    ];
    let mut total = losses.mean();
    if let (Loss::WganGp { lambda, .. }, Some(t)) = (loss, t) {
        let points = as_leaves(&between(&generated.images, reals.images, t));
        let logits = networks.judge(discriminator, &points, reals.label, augments.points)?;
        let penalty = wgan_penalty(&squared_gradient(&logits, &points)?, lambda);
        reports.push(("gradient_penalty", penalty.detach()));
        total = total.add(&penalty.mean());
    }
    Ok(Phase { loss: total, w: Some(generated.w.detach()), reports })
}

/// `gamma / 2 * |gradient|^2` at `images`: R1 at reals, R2 at fakes, under that name.
///
/// # Errors
/// If a label or a weight is missing.
pub fn discriminator_penalty(
    networks: &Networks,
    discriminator: &Weights,
    images: &Images,
    label: Option<&Var>,
    augment: Option<Augment>,
    gamma: f64,
    name: &'static str,
) -> Result<Phase, TrainError> {
    let leaves = as_leaves(images);
    let logits = networks.judge(discriminator, &leaves, label, augment)?;
    let squared = squared_gradient(&logits, &leaves)?;
    let loss = squared.mean().scale((gamma * 0.5) as f32);
    Ok(Phase { loss, w: None, reports: vec![(name, squared.detach())] })
}

fn sign(logits: &Var) -> Var {
    Var::constant(logits.value().clone().sign())
}
