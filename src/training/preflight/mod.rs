//! What a training will take, said before it begins: parameters, arithmetic, memory, and, once a few steps were timed, time.
//!
//! No network is made: [`costs`] adds up the layers of a configuration.

mod costs;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{
    config::{Loss, TrainConfig},
    growing::{self, Stage},
};
use crate::model::config::ConfigError;
use costs::Cost;

/// Forward passes' worth of arithmetic in a first-order gradient by weights and input, the forward pass included.
const TRAINED: f64 = 3.0;
/// The same by the input alone.
const PASSED: f64 = 2.0;
/// A gradient by the input, and the gradient of that by the weights (R1, path length, WGAN-GP).
const SECOND_ORDER: f64 = 6.0;
/// Values that a second-order gradient keeps, for each that the forward pass keeps.
const SECOND_ORDER_KEPT: f64 = 2.0;
/// The weights of a checkpoint while it is written: in training, copied, and read back as bytes and as values.
const CHECKPOINT_COPIES: u64 = 4;
const BYTES: u64 = 4;
/// Memory that the largest phase takes for each value that it keeps: besides these there are gradients on their way back, and results
/// whose memory waits to be used again. With the kernels of the CPU, five trainings of networks of 0.65 to 9.5 million values took between
/// 0.87 and 1.30 times what comes of these two numbers, the most with augmentation.
const WORKING: f64 = 3.0;
/// What the program takes by itself, in bytes: itself, its threads, the images that come next.
const PROGRAM: u64 = 80_000_000;

/// What a training takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preflight {
    /// Values that learn: generator and discriminator.
    pub parameters: [usize; 2],
    /// Operations (a multiplication and an addition are two) of a forward pass at full resolution, an image: generator and
    /// discriminator.
    pub forward_flops: [u64; 2],
    /// Operations of training at full resolution, for each real image shown, regularisers by their share.
    pub training_flops: f64,
    /// Bytes that training takes, about: weights, Adam's memories, the moving average, and what the largest phase keeps for its
    /// gradients, or a checkpoint being written; with the program itself, without the cache of the user's images.
    pub memory_bytes: u64,
}

impl Preflight {
    /// Of this configuration.
    ///
    /// # Errors
    /// If the configuration is out of range.
    pub fn of(config: &TrainConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let [g, d] = costs_at(config, config.resolution());
        Ok(Self {
            parameters: [g.parameters as usize, d.parameters as usize],
            forward_flops: [g.flops, d.flops],
            training_flops: training_flops(config, config.resolution()),
            memory_bytes: memory(config),
        })
    }
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [g, d] = self.parameters.map(|count| quantity(count as f64, ""));
        let [g_flops, d_flops] = self.forward_flops.map(|flops| quantity(flops as f64, "FLOP"));
        let training = quantity(self.training_flops, "FLOP");
        let memory = quantity(self.memory_bytes as f64, "B");
        write!(
            f,
            "generator {g} parameters, {g_flops} an image; discriminator {d}, {d_flops}; training {training} an image, about {memory} \
             of memory"
        )
    }
}

/// `1.23 M`, `45.6 GFLOP`.
pub fn quantity(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match value {
        1e12.. => (value / 1e12, "T"),
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e3.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = if scaled < 10.0 { 2 } else { usize::from(scaled < 100.0) };
    format!("{scaled:.digits$} {prefix}{unit}").trim_end().to_owned()
}

/// Operations of training for a real image, after `nimg` of them: networks that grow begin with less.
pub fn flops_per_image(config: &TrainConfig, nimg: u64) -> f64 {
    training_flops(config, growing::stage(config, nimg).resolution)
}

/// Operations of the whole training.
pub fn total_flops(config: &TrainConfig) -> f64 {
    flops_between(config, 0, config.total_images())
}

/// Operations of training for the images from `from` to `to`. Larger resolutions of networks that grow take more.
pub fn flops_between(config: &TrainConfig, from: u64, to: u64) -> f64 {
    let mut flops = 0.0;
    let mut at = from;
    while at < to {
        let Stage { resolution, .. } = growing::stage(config, at);
        // Without growing the first stage lasts to the end.
        let next = match config.growing {
            Some(_) if resolution < config.resolution() => next_resolution(config, at, to),
            _ => to,
        };
        flops += (next - at) as f64 * training_flops(config, resolution);
        at = next;
    }
    flops
}

/// Seconds until the end, from `nimg` images on, when an image takes `seconds` now, by the arithmetic that is left.
pub fn remaining_seconds(config: &TrainConfig, nimg: u64, seconds: f64) -> f64 {
    seconds * flops_between(config, nimg, config.total_images()) / flops_per_image(config, nimg).max(1.0)
}

/// The first moment after `at`, at most `total`, at which a larger resolution is trained.
fn next_resolution(config: &TrainConfig, at: u64, total: u64) -> u64 {
    let resolution = |nimg| growing::stage(config, nimg).resolution;
    let (mut same, mut larger) = (at, total);
    while larger - same > 1 {
        let middle = same + (larger - same) / 2;
        if resolution(middle) == resolution(at) { same = middle } else { larger = middle }
    }
    larger
}

fn costs_at(config: &TrainConfig, side: usize) -> [Cost; 2] {
    [
        costs::generator(&config.generator, config.growing.is_some(), side),
        costs::discriminator(&config.discriminator, side),
    ]
}

fn training_flops(config: &TrainConfig, side: usize) -> f64 {
    let [g, d] = costs_at(config, side).map(|cost| cost.flops as f64);
    let share = |interval: Option<u32>| 1.0 / f64::from(interval.unwrap_or(1).max(1));
    let relativistic = config.loss == Loss::Relativistic;
    // The generator's loss goes through the discriminator; the relativistic one also looks at reals.
    let mut flops = TRAINED * g + PASSED * d + if relativistic { d } else { 0.0 };
    flops += g + 2.0 * TRAINED * d;
    if matches!(config.loss, Loss::WganGp { .. }) {
        flops += SECOND_ORDER * d;
    }
    let discriminator = share(config.discriminator_reg_interval);
    if config.r1_gamma > 0.0 {
        flops += SECOND_ORDER * d * discriminator;
    }
    if config.r2_gamma > 0.0 {
        flops += (SECOND_ORDER * d + g) * discriminator;
    }
    if config.pl_weight > 0.0 {
        flops += SECOND_ORDER * g * share(config.generator_reg_interval) / config.pl_batch_shrink as f64;
    }
    flops
}

fn memory(config: &TrainConfig) -> u64 {
    let [g, d] = costs_at(config, config.resolution());
    // Weights, two moments; the generator's moving average.
    let state = 4 * g.parameters + 3 * d.parameters;
    let gradients = g.parameters.max(d.parameters);
    let working = (graph_values(config) as f64 * WORKING) as u64;
    PROGRAM + BYTES * (state + gradients + working).max(CHECKPOINT_COPIES * state)
}

/// Values that the largest phase keeps for its gradients.
fn graph_values(config: &TrainConfig) -> u64 {
    let [g, d] = costs_at(config, config.resolution());
    let kept = |batch: usize, cost: Cost| batch as u64 * cost.kept + cost.shared;
    let penalty = |batch: usize, cost: Cost| (kept(batch, cost) as f64 * SECOND_ORDER_KEPT) as u64;
    let batch = config.batch;
    let mut phases = vec![kept(batch, g) + kept(batch, d), 2 * kept(batch, d)];
    if config.pl_weight > 0.0 {
        phases.push(penalty(batch / config.pl_batch_shrink, g));
    }
    if config.r1_gamma > 0.0 || config.r2_gamma > 0.0 {
        phases.push(penalty(batch, d));
    }
    if matches!(config.loss, Loss::WganGp { .. }) {
        phases.push(2 * kept(batch, d) + penalty(batch, d));
    }
    phases.into_iter().max().unwrap_or(0)
}
