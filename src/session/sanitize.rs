//! Poses from strangers: every number into its range, everything without effect removed.

use std::collections::BTreeMap;

use super::{
    pose::{ChannelOffsets, Noise, Pose, SeedPosition, StyleMix, Truncation},
    ranges::{self, MAX_LAYERS, MAX_STYLE_CHANNELS, MAX_W_CHANNELS, MAX_WS},
};
use crate::model::config::MAX_WIDTH;

impl Pose {
    /// The same pose as edits could have made it: numbers clamped as [`super::edit::PoseEdit`] clamps them, those
    /// that are not finite back at their defaults, entries that no network can have and entries equal to their
    /// default removed. A pose made by edits comes back unchanged.
    pub fn sanitized(&self) -> Self {
        let (truncation, noise) = (Truncation::default(), Noise::default());
        Self {
            seed: SeedPosition {
                x: ranges::seed_coordinate(self.seed.x).unwrap_or_default(),
                y: ranges::seed_coordinate(self.seed.y).unwrap_or_default(),
            },
            class: self.class.min(MAX_WIDTH - 1),
            truncation: Truncation {
                psi: ranges::finite_in(self.truncation.psi, ranges::PSI).unwrap_or(truncation.psi),
                cutoff: self.truncation.cutoff.map(|cutoff| cutoff.min(MAX_WS)),
            },
            mix: StyleMix {
                seed: self.mix.seed,
                amounts: entries(&self.mix.amounts, MAX_WS, |amount| {
                    ranges::finite_in(amount, ranges::MIX_AMOUNT).filter(|amount| *amount != 0.0)
                }),
                muted: self.mix.muted.range(..MAX_WS).copied().collect(),
            },
            noise: Noise {
                strength: ranges::finite_in(self.noise.strength, ranges::NOISE_STRENGTH).unwrap_or(noise.strength),
                turn: ranges::turn(self.noise.turn).unwrap_or(noise.turn),
                ..self.noise
            },
            layer_psi: entries(&self.layer_psi, MAX_WS, |psi| ranges::finite_in(psi, ranges::PSI)),
            layer_noise: entries(&self.layer_noise, MAX_LAYERS, |factor| {
                ranges::finite_in(factor, ranges::LAYER_NOISE).filter(|factor| *factor != 1.0)
            }),
            w_offsets: vectors(&self.w_offsets, MAX_WS, MAX_W_CHANNELS),
            style_offsets: vectors(&self.style_offsets, MAX_LAYERS, MAX_STYLE_CHANNELS),
        }
    }
}

/// The entries below `end`, as `keep` changes or drops them.
fn entries(map: &BTreeMap<usize, f32>, end: usize, keep: impl Fn(f32) -> Option<f32>) -> BTreeMap<usize, f32> {
    map.range(..end).filter_map(|(index, value)| Some((*index, keep(*value)?))).collect()
}

fn vectors(map: &BTreeMap<usize, ChannelOffsets>, end: usize, channels: usize) -> BTreeMap<usize, ChannelOffsets> {
    map.range(..end)
        .map(|(index, offsets)| {
            let keep = |offset| ranges::finite_in(offset, ranges::OFFSET).filter(|offset| *offset != 0.0);
            (*index, entries(offsets, channels, keep))
        })
        .filter(|(_, offsets)| !offsets.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pose_becomes_one_that_edits_could_make() {
        let nan = f32::NAN;
        let hostile = Pose {
            seed: SeedPosition { x: f64::INFINITY, y: -1e300 },
            class: usize::MAX,
            truncation: Truncation { psi: nan, cutoff: Some(usize::MAX) },
            mix: StyleMix {
                seed: 3,
                amounts: [(0, 5.0), (1, nan), (2, 0.0), (usize::MAX, 1.0)].into(),
                muted: [1, usize::MAX].into(),
            },
            noise: Noise { strength: f32::NEG_INFINITY, turn: 3.5, ..Noise::default() },
            layer_psi: [(0, -9.0), (99, 0.5)].into(),
            layer_noise: [(0, 99.0), (1, 1.0), (999, 2.0)].into(),
            w_offsets: [(0, [(0, nan)].into()), (1, [(7, 1e30), (4096, 1.0)].into()), (18, [(0, 1.0)].into())].into(),
            style_offsets: [(26, [(8191, 0.5), (8192, 0.5)].into()), (27, [(0, 1.0)].into())].into(),
        };
        let expected = Pose {
            seed: SeedPosition { x: 0.0, y: -4_294_967_296.0 },
            class: MAX_WIDTH - 1,
            truncation: Truncation { psi: 1.0, cutoff: Some(18) },
            mix: StyleMix { seed: 3, amounts: [(0, 1.0)].into(), muted: [1].into() },
            noise: Noise { strength: 1.0, turn: 0.5, ..Noise::default() },
            layer_psi: [(0, -1.0)].into(),
            layer_noise: [(0, 5.0)].into(),
            w_offsets: [(1, [(7, 10_000.0)].into())].into(),
            style_offsets: [(26, [(8191, 0.5)].into())].into(),
        };
        assert_eq!(hostile.sanitized(), expected);
        assert_eq!(expected.sanitized(), expected);
    }
}
