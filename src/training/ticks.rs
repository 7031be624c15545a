//! When a training measures and saves: a tick every so many images, and before the first one a few that only measure, so that the
//! charts need not wait for it.
//!
//! Everything here is a function of the images shown, so that a run that was killed or stopped has the ticks of an undisturbed one.

use super::{config::TrainConfig, growing};

/// Iterations that a measurement rests on, at least.
const FEWEST_ITERATIONS: u64 = 8;

/// The moments at which something is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    /// Images of a whole tick.
    images: u64,
    /// Images before the first measurement, at least.
    fewest: u64,
}

/// A tick that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// Within the first whole one: the losses so far are measured, and a grid is drawn.
    Early,
    /// A whole one, with its number from 1: also snapshots and checkpoints are due by it.
    Whole(u64),
}

impl Ticks {
    /// Of this training.
    pub fn of(config: &TrainConfig) -> Self {
        let images = ((config.intervals.tick_kimg * 1000.0).round() as u64).max(1);
        Self { images, fewest: FEWEST_ITERATIONS * growing::stage(config, 0).batch as u64 }
    }

    /// What ended with an iteration that began after `before` images and ended after `now`. Early ticks end at half of the first whole
    /// one, at a quarter, and so on.
    pub fn ended(&self, before: u64, now: u64) -> Option<Tick> {
        if now / self.images > before / self.images {
            return Some(Tick::Whole(self.number(now)));
        }
        let mut early = (1..u64::BITS).map(|halvings| self.images >> halvings).take_while(|at| *at >= self.fewest);
        early.any(|at| before < at && at <= now).then_some(Tick::Early)
    }

    /// Whole ticks until there were so many images.
    pub fn number(&self, nimg: u64) -> u64 {
        nimg / self.images
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::preset::{Preset, PresetOptions};

    fn ends(preset: Preset, kimg: f64, batch: usize, until: u64) -> Vec<(u64, Tick)> {
        let config = preset.build(&PresetOptions { kimg, batch, ..PresetOptions::default() }).unwrap();
        let ticks = Ticks::of(&config);
        let step = growing::stage(&config, 0).batch as u64;
        let ended = |before: u64| ticks.ended(before, before + step).map(|tick| (before + step, tick));
        (0..until / step).filter_map(|i| ended(i * step)).collect()
    }

    #[test]
    fn the_first_tick_is_measured_on_the_way() {
        use Tick::{Early, Whole};
        let found = ends(Preset::StyleGan2E, 100.0, 8, 4000);
        assert_eq!(
            found,
            [(128, Early), (256, Early), (504, Early), (1000, Early), (2000, Whole(1)), (4000, Whole(2))]
        );
        // Not before eight iterations, which networks that grow begin with larger batches.
        assert_eq!(ends(Preset::StyleGan2E, 1.0, 4, 40), [(20, Whole(1)), (40, Whole(2))]);
        let grows = ends(Preset::StyleGanF, 100.0, 8, 2016);
        assert_eq!(grows, [(512, Early), (1024, Early), (2016, Whole(1))]);
    }
}
