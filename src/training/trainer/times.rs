//! How long the phases of an iteration take.

use crate::training::TrainConfig;

/// Seconds by phase.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PhaseTimes {
    /// Generator.
    pub g: f64,
    /// Path length.
    pub g_reg: f64,
    /// Discriminator.
    pub d: f64,
    /// R1 and R2.
    pub d_reg: f64,
    /// Moving average.
    pub ema: f64,
}

impl PhaseTimes {
    /// What `steps` iterations from number `first` on would have taken with regularisers by their usual share, relative to what they took.
    pub fn usual_share(&self, config: &TrainConfig, first: u64, steps: u64) -> f64 {
        let usual = |seconds: f64, interval: Option<u32>| {
            let interval = u64::from(interval.unwrap_or(1).max(1));
            let due = (first..first + steps).filter(|step| step.is_multiple_of(interval)).count();
            seconds * (steps as f64 / interval as f64) / due.max(1) as f64
        };
        let Self { g, g_reg, d, d_reg, ema } = *self;
        let taken = g + g_reg + d + d_reg + ema;
        let main = g + d + ema;
        let usual =
            main + usual(g_reg, config.generator_reg_interval) + usual(d_reg, config.discriminator_reg_interval);
        if taken > 0.0 { usual / taken } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::preset::{Preset, PresetOptions};

    #[test]
    fn regularisers_count_by_how_often_they_come() {
        let config = Preset::StyleGan2E.build(&PresetOptions::default()).unwrap();
        // Four iterations from the first on: path length once as usual, R1 once instead of a quarter of a time.
        let times = PhaseTimes { g: 2.0, g_reg: 1.0, d: 3.0, d_reg: 4.0, ema: 0.0 };
        assert_eq!(times.usual_share(&config, 0, 4), 0.7);
        assert_eq!(PhaseTimes { d_reg: 0.0, ..times }.usual_share(&config, 1, 4), 1.0);
        assert_eq!(PhaseTimes::default().usual_share(&config, 0, 4), 1.0);
    }
}
