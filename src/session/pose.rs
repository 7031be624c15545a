//! The pose: everything that decides the image of an opened model, as plain numbers.
//!
//! A pose is what undo goes back to, what a saved PNG carries, and what the render thread is asked for. It knows
//! nothing of tensors or widgets, and a pose of one model may be applied to another: what does not fit is ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capped;
use crate::latent::WsRecipe;

/// A place in the plane of seeds: `seed = round(x) + 100 * round(y)`; between seeds the four neighbours are
/// blended bilinearly in W around `w_avg`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SeedPosition {
    /// Steps of 1.
    pub x: f64,
    /// Steps of 100.
    pub y: f64,
}

/// Mixing with the styles of a second seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StyleMix {
    /// The second seed.
    pub seed: u32,
    /// Amount 0..=1 by `ws` index; absent means 0.
    #[serde(deserialize_with = "capped::by_ws")]
    pub amounts: BTreeMap<usize, f32>,
    /// `ws` indices whose amount is kept but switched off for the moment.
    #[serde(deserialize_with = "capped::ws_set")]
    pub muted: std::collections::BTreeSet<usize>,
}

impl Default for StyleMix {
    fn default() -> Self {
        Self { seed: 1000, amounts: BTreeMap::new(), muted: Default::default() }
    }
}

impl StyleMix {
    /// The amounts by `ws` index without the muted ones.
    pub fn acting(&self) -> BTreeMap<usize, f32> {
        self.amounts.iter().filter(|(ws, _)| !self.muted.contains(ws)).map(|(ws, amount)| (*ws, *amount)).collect()
    }

    /// The amount that acts on `ws` index `i`: 0 where it is muted.
    pub fn amount(&self, i: usize) -> f32 {
        if self.muted.contains(&i) { 0.0 } else { self.amounts.get(&i).copied().unwrap_or(0.0) }
    }
}

/// Where the noise inputs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseMode {
    /// No noise.
    Off,
    /// The maps stored in the model.
    #[default]
    Const,
    /// Maps drawn from `Noise::seed`.
    Random,
}

/// The noise inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noise {
    /// Off, const or random.
    pub mode: NoiseMode,
    /// Seed of [`NoiseMode::Random`].
    pub seed: u32,
    /// Factor on every layer's noise strength, 0..=2, 1 as the model was trained.
    pub strength: f32,
    /// The scrub, in turns: the maps become `cos(2 pi t) * maps + sin(2 pi t) * other maps`, which keeps their
    /// variance; a full turn comes back to the start.
    pub turn: f32,
}

impl Default for Noise {
    fn default() -> Self {
        Self { mode: NoiseMode::Const, seed: 0, strength: 1.0, turn: 0.0 }
    }
}

/// Truncation: `lerp(w_avg, w, psi)` on the first `cutoff` of `ws`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Truncation {
    /// -1..=2, 1 leaves `w` as it is.
    pub psi: f32,
    /// 0..=num_ws; `None` is all of them.
    pub cutoff: Option<usize>,
}

impl Default for Truncation {
    fn default() -> Self {
        Self { psi: 1.0, cutoff: None }
    }
}

/// Offsets by channel, added to a vector; absent channels are not moved.
pub type ChannelOffsets = BTreeMap<usize, f32>;

/// Everything that decides the image of an opened model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Pose {
    /// The latent.
    pub seed: SeedPosition,
    /// The class, for a conditional model.
    pub class: usize,
    /// Truncation of all layers.
    pub truncation: Truncation,
    /// Mixing with a second seed.
    pub mix: StyleMix,
    /// The noise inputs.
    pub noise: Noise,
    /// By `ws` index: a psi of its own in place of [`Truncation::psi`] (it ignores the cutoff).
    #[serde(deserialize_with = "capped::by_ws")]
    pub layer_psi: BTreeMap<usize, f32>,
    /// By layer index: a factor on that layer's noise strength, -5..=5; absent is 1.
    #[serde(deserialize_with = "capped::by_layer")]
    pub layer_noise: BTreeMap<usize, f32>,
    /// By `ws` index: offsets added to `w` after truncation and mixing.
    #[serde(deserialize_with = "capped::w_offsets")]
    pub w_offsets: BTreeMap<usize, ChannelOffsets>,
    /// By layer index: offsets added to the layer's style vector (S space).
    #[serde(deserialize_with = "capped::style_offsets")]
    pub style_offsets: BTreeMap<usize, ChannelOffsets>,
}

impl Pose {
    /// What [`crate::latent::compose_ws`] needs of this pose. `mix_amounts` is [`StyleMix::acting`] of the same pose:
    /// muted amounts are left out of it, so it cannot be borrowed from the pose itself.
    pub fn ws_recipe<'a>(&'a self, mix_amounts: &'a BTreeMap<usize, f32>) -> WsRecipe<'a> {
        WsRecipe {
            position: (self.seed.x, self.seed.y),
            mix_seed: self.mix.seed,
            mix_amounts,
            psi: self.truncation.psi,
            cutoff: self.truncation.cutoff,
            layer_psi: &self.layer_psi,
            offsets: &self.w_offsets,
        }
    }

    /// The same latent, class and second seed without any edit: what "compare" shows.
    pub fn unedited(&self) -> Self {
        Self {
            seed: self.seed,
            class: self.class,
            mix: StyleMix { seed: self.mix.seed, ..Default::default() },
            ..Default::default()
        }
    }
}

impl SeedPosition {
    /// The nearest whole position, as "snap" does it.
    pub fn snapped(self) -> Self {
        Self { x: self.x.round(), y: self.y.round() }
    }

    /// The seed at the nearest whole position.
    pub fn nearest_seed(self) -> u32 {
        crate::latent::seed::nearest_seed(self.x, self.y)
    }

    /// The position of a seed, with x in 0..100.
    pub fn of_seed(seed: u32) -> Self {
        let (x, y) = crate::latent::seed::position_of(seed);
        Self { x, y }
    }
}
