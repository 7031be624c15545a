//! Progressive growing (arXiv 1710.10196, section 2): which part of the networks is trained, by how many images were shown.
//!
//! ```text
//! 8 px      16 px               32 px
//! stable    fade      stable    fade      stable ...
//! ```
//!
//! `lod`, the level of detail, counts halvings of the full resolution: 0 is the full one, 1 half of it, 0.25 means that the
//! full resolution is three quarters faded in over the half one. Batches come at full resolution whatever the level is; what
//! takes them averages them down to the level's [`Stage::resolution`], and blends as the generator does while fading.

use super::config::{Growing, TrainConfig, images};

/// What is trained at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Level of detail: halvings of the full resolution, with a fraction while a resolution is faded in.
    pub lod: f64,
    /// The highest resolution that takes part, in pixels.
    pub resolution: usize,
    /// Images of a step.
    pub batch: usize,
    /// Factor on both learning rates.
    pub lr_scale: f64,
    /// Whether the highest resolution is faded in.
    pub phase: Phase,
}

/// The part of a resolution's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Phase {
    /// The highest resolution enters: weight of it, 0..1, over the one below.
    Fade(f64),
    /// All resolutions so far are trained together.
    Stable,
}

/// The stage in which the images from `nimg` on are shown. Without growing it is always the full resolution.
pub fn stage(config: &TrainConfig, nimg: u64) -> Stage {
    let full = config.resolution();
    let Some(growing) = &config.growing else {
        return Stage { lod: 0.0, resolution: full, batch: config.batch, lr_scale: 1.0, phase: Phase::Stable };
    };
    let (resolution, phase) = position(growing, full, nimg);
    let halvings = f64::from((full / resolution).ilog2());
    let lod = match phase {
        Phase::Fade(alpha) => halvings + 1.0 - alpha,
        Phase::Stable => halvings,
    };
    let lr_scale = match resolution {
        _ if !growing.scale_lr => 1.0,
        ..128 => 1.0,
        128 => 1.5,
        256 => 2.0,
        _ => 3.0,
    };
    Stage { lod, resolution, batch: batch(config, growing, resolution), lr_scale, phase }
}

/// Whether a resolution entered between two moments: then the optimizers begin anew, because what they remember belongs to
/// another network.
pub fn grew(config: &TrainConfig, before: u64, now: u64) -> bool {
    stage(config, before).resolution != stage(config, now).resolution
}

fn position(growing: &Growing, full: usize, nimg: u64) -> (usize, Phase) {
    let (fade, stable) = (images(growing.fade_kimg), images(growing.stable_kimg));
    let mut resolution = growing.initial_resolution.min(full);
    let mut left = nimg;
    while resolution < full {
        if left < stable {
            return (resolution, Phase::Stable);
        }
        left -= stable;
        resolution *= 2;
        if left < fade {
            return (resolution, Phase::Fade(left as f64 / fade as f64));
        }
        left -= fade;
    }
    (full, Phase::Stable)
}

fn batch(config: &TrainConfig, growing: &Growing, resolution: usize) -> usize {
    let wanted = config.batch.saturating_mul(config.resolution() / resolution);
    let most = growing.max_batch.max(config.batch);
    // A multiple of the full batch, so that groups of the minibatch standard deviation still divide it.
    wanted.min(most / config.batch * config.batch)
}

/// Phases for a budget: those of the paper, 600 thousand images each, or less, so that at least half of the training happens
/// at full resolution.
pub fn for_budget(initial_resolution: usize, resolution: usize, kimg: f64, batch: usize) -> Growing {
    let initial_resolution = initial_resolution.min(resolution);
    let doublings = (resolution / initial_resolution).max(1).ilog2();
    // A stable phase before each doubling, a fade after it.
    let phase = (0.5 * kimg / f64::from(2 * doublings).max(1.0)).min(600.0);
    // Whole images, so that the phases do not depend on rounding.
    let phase = images(phase) as f64 / 1000.0;
    Growing {
        initial_resolution,
        fade_kimg: phase,
        stable_kimg: phase,
        max_batch: (4 * batch).min(128.max(batch)),
        scale_lr: true,
    }
}

#[cfg(test)]
mod borders;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::preset::{Preset, PresetOptions};

    fn config() -> TrainConfig {
        let options = PresetOptions { resolution: 32, batch: 8, kimg: 1.0, ..PresetOptions::default() };
        let mut config = Preset::StyleGanF.build(&options).unwrap();
        config.growing =
            Some(Growing { initial_resolution: 8, fade_kimg: 0.1, stable_kimg: 0.2, max_batch: 16, scale_lr: true });
        config
    }

    #[test]
    fn resolutions_enter_one_after_the_other() {
        let config = config();
        let at = |nimg| {
            let Stage { lod, resolution, batch, phase, .. } = stage(&config, nimg);
            (lod, resolution, batch, phase)
        };
        assert_eq!(at(0), (2.0, 8, 16, Phase::Stable));
        assert_eq!(at(199), (2.0, 8, 16, Phase::Stable));
        assert_eq!(at(200), (2.0, 16, 16, Phase::Fade(0.0)));
        assert_eq!(at(250), (1.5, 16, 16, Phase::Fade(0.5)));
        assert_eq!(at(300), (1.0, 16, 16, Phase::Stable));
        assert_eq!(at(500), (1.0, 32, 8, Phase::Fade(0.0)));
        assert_eq!(at(575), (0.25, 32, 8, Phase::Fade(0.75)));
        assert_eq!(at(600), (0.0, 32, 8, Phase::Stable));
        assert_eq!(at(u64::MAX), (0.0, 32, 8, Phase::Stable));
    }

    #[test]
    fn the_level_of_detail_never_jumps_and_never_rises() {
        let config = config();
        let mut last = stage(&config, 0).lod;
        for nimg in 1..700 {
            let lod = stage(&config, nimg).lod;
            assert!(lod <= last && last - lod <= 0.011, "{last} to {lod} at {nimg}");
            last = lod;
        }
    }

    #[test]
    fn optimizers_begin_anew_where_a_resolution_enters() {
        let config = config();
        let resets: Vec<u64> = (1..700).filter(|&nimg| grew(&config, nimg - 1, nimg)).collect();
        assert_eq!(resets, [200, 500]);
        assert!(!grew(&TrainConfig { growing: None, ..config }, 0, 1_000_000));
    }

    #[test]
    fn phases_scale_with_the_budget() {
        let paper = for_budget(8, 1024, 25_000.0, 4);
        assert_eq!((paper.fade_kimg, paper.stable_kimg), (600.0, 600.0));
        let small = for_budget(8, 32, 100.0, 16);
        assert_eq!((small.fade_kimg, small.stable_kimg, small.max_batch), (12.5, 12.5, 64));
        // Nothing to grow.
        assert_eq!(for_budget(8, 8, 100.0, 16).initial_resolution, 8);
    }

    #[test]
    fn phases_of_no_length_are_passed_over() {
        let mut config = config();
        config.growing =
            Some(Growing { initial_resolution: 4, fade_kimg: 0.0, stable_kimg: 0.0, max_batch: 8, scale_lr: false });
        assert_eq!(stage(&config, 0), stage(&TrainConfig { growing: None, ..config }, 0));
    }

    #[test]
    fn learning_rates_follow_the_papers_table() {
        let options = PresetOptions { resolution: 1024, batch: 4, kimg: 25_000.0, ..PresetOptions::default() };
        let config = Preset::StyleGanF.build(&options).unwrap();
        let mut scales = Vec::new();
        for kimg in 0..10_000 {
            let Stage { resolution, lr_scale, .. } = stage(&config, kimg * 1000);
            if scales.last() != Some(&(resolution, lr_scale)) {
                scales.push((resolution, lr_scale));
            }
        }
        let expected = [(8, 1.0), (16, 1.0), (32, 1.0), (64, 1.0), (128, 1.5), (256, 2.0), (512, 3.0), (1024, 3.0)];
        assert_eq!(scales, expected);
    }
}
