//! One change of the pose, as menus name it and undo takes it back.

use std::{collections::BTreeMap, ops::Range};

use super::{
    pose::{ChannelOffsets, Noise, NoiseMode, Pose, SeedPosition, StyleMix, Truncation},
    ranges::{self, MAX_LAYERS, MAX_STYLE_CHANNELS, MAX_W_CHANNELS, MAX_WS},
};
use crate::latent::StyleGroup;

/// A change of the pose. Numbers out of range are clamped (see [`ranges`]); NaN, infinities and indices that no network
/// has change nothing. What returns to its default leaves no trace, so that poses can be compared with `==`.
#[derive(Debug, Clone, PartialEq)]
pub enum PoseEdit {
    /// Moves in the plane of seeds.
    Seed(SeedPosition),
    /// Chooses the class of a conditional model.
    Class(usize),
    /// Truncation of all layers, -1..=2.
    Psi(f32),
    /// How many of `ws` are truncated; `None` is all.
    Cutoff(Option<usize>),
    /// The second seed.
    MixSeed(u32),
    /// How much of the second seed a `ws` index takes, 0..=1.
    MixAmount {
        /// Index into `ws`.
        ws: usize,
        /// 0..=1; 0 is the default.
        amount: f32,
    },
    /// Switches the mixing of a `ws` index off and on, keeping its amount.
    MixMuted {
        /// Index into `ws`.
        ws: usize,
        /// Off.
        muted: bool,
    },
    /// Full mixing of a group of layers and none elsewhere, for a network with this `num_ws`.
    MixPreset(MixPreset, usize),
    /// Off, const or random.
    NoiseMode(NoiseMode),
    /// Seed of random noise.
    NoiseSeed(u32),
    /// Factor on all noise, 0..=2.
    NoiseStrength(f32),
    /// The noise scrub in turns, wrapped into 0..=1.
    NoiseTurn(f32),
    /// A psi of its own for a `ws` index, -1..=2; `None` follows the others.
    LayerPsi {
        /// Index into `ws`.
        ws: usize,
        /// The override.
        psi: Option<f32>,
    },
    /// Factor on one layer's noise, -5..=5; `None` is 1.
    LayerNoise {
        /// Index into the model's layers.
        layer: usize,
        /// The factor.
        factor: Option<f32>,
    },
    /// Moves one channel of `w` for one `ws` index; `None` is 0.
    WOffset {
        /// Index into `ws`.
        ws: usize,
        /// Channel of `w`.
        channel: usize,
        /// Added to it.
        offset: Option<f32>,
    },
    /// Moves one channel of a layer's style vector; `None` is 0.
    StyleOffset {
        /// Index into the model's layers.
        layer: usize,
        /// Channel of the style vector.
        channel: usize,
        /// Added to it.
        offset: Option<f32>,
    },
    /// A row of the layers table: mixing and psi of a `ws` index, noise factors of layers. Vectors stay.
    ResetLayer {
        /// Index into `ws`.
        ws: usize,
        /// Indices into the model's layers.
        layers: Vec<usize>,
    },
    /// All offsets of a layer's style vector and of the `w` that drives it.
    ResetVectors {
        /// Index into the model's layers.
        layer: usize,
        /// Index into `ws`.
        ws: usize,
    },
    /// psi and cutoff of all layers.
    ResetTruncation,
    /// The second seed, all amounts and switches.
    ResetMix,
    /// Mode, seed, strength and scrub of the noise.
    ResetNoise,
    /// Everything but the seeds and the class, as [`Pose::unedited`].
    ResetAll,
    /// Another pose, e.g. that of a saved picture.
    Replace(Box<Pose>),
}

/// Groups of layers for style mixing ([`StyleGroup`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MixPreset {
    /// Pose, face shape, glasses.
    Coarse,
    /// Features, hair, eyes.
    Middle,
    /// Colours and fine structure.
    Fine,
    /// All layers.
    All,
    /// No layer.
    Clear,
}

impl MixPreset {
    /// All presets, in the order of their buttons.
    pub const ALL: [Self; 5] = [Self::Coarse, Self::Middle, Self::Fine, Self::All, Self::Clear];

    /// The `ws` indices that take all of the second seed, in a network with `num_ws` of them. Empty where the network
    /// has no such layers, e.g. fine ones at 4x4.
    pub fn ws_range(self, num_ws: usize) -> Range<usize> {
        match self {
            Self::Coarse => StyleGroup::Coarse.ws_range(num_ws),
            Self::Middle => StyleGroup::Middle.ws_range(num_ws),
            Self::Fine => StyleGroup::Fine.ws_range(num_ws),
            Self::All => 0..num_ws,
            Self::Clear => 0..0,
        }
    }

    /// The name of its button.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coarse => "Coarse",
            Self::Middle => "Middle",
            Self::Fine => "Fine",
            Self::All => "All",
            Self::Clear => "None",
        }
    }
}

impl PoseEdit {
    /// What the menu calls it, behind "Undo" or "Redo".
    pub fn label(&self) -> String {
        match self {
            Self::Seed(_) => "Change seed".into(),
            Self::Class(_) => "Change class".into(),
            Self::Psi(_) => "Change psi".into(),
            Self::Cutoff(_) => "Change cutoff".into(),
            Self::MixSeed(_) => "Change second seed".into(),
            Self::MixAmount { .. } => "Change mix amount".into(),
            Self::MixMuted { muted: true, .. } => "Switch mixing off".into(),
            Self::MixMuted { muted: false, .. } => "Switch mixing on".into(),
            Self::MixPreset(MixPreset::Clear, _) => "Mix no layers".into(),
            Self::MixPreset(preset, _) => format!("Mix {} layers", preset.name().to_lowercase()),
            Self::NoiseMode(_) => "Change noise mode".into(),
            Self::NoiseSeed(_) => "Change noise seed".into(),
            Self::NoiseStrength(_) => "Change noise strength".into(),
            Self::NoiseTurn(_) => "Turn noise".into(),
            Self::LayerPsi { psi: Some(_), .. } => "Change layer psi".into(),
            Self::LayerPsi { psi: None, .. } => "Reset layer psi".into(),
            Self::LayerNoise { factor: Some(_), .. } => "Change layer noise".into(),
            Self::LayerNoise { factor: None, .. } => "Reset layer noise".into(),
            Self::WOffset { channel, offset: Some(_), .. } => format!("Move w channel {channel}"),
            Self::WOffset { channel, offset: None, .. } => format!("Reset w channel {channel}"),
            Self::StyleOffset { channel, offset: Some(_), .. } => format!("Move style channel {channel}"),
            Self::StyleOffset { channel, offset: None, .. } => format!("Reset style channel {channel}"),
            Self::ResetLayer { .. } => "Reset layer".into(),
            Self::ResetVectors { .. } => "Reset style vector".into(),
            Self::ResetTruncation => "Reset truncation".into(),
            Self::ResetMix => "Reset style mix".into(),
            Self::ResetNoise => "Reset noise".into(),
            Self::ResetAll => "Reset all edits".into(),
            Self::Replace(_) => "Restore pose".into(),
        }
    }

    /// Changes `pose`.
    pub fn apply(&self, pose: &mut Pose) {
        match self {
            Self::Seed(position) => {
                if let (Some(x), Some(y)) = (ranges::seed_coordinate(position.x), ranges::seed_coordinate(position.y)) {
                    pose.seed = SeedPosition { x, y };
                }
            }
            Self::Class(class) => pose.class = (*class).min(crate::model::config::MAX_WIDTH - 1),
            Self::Psi(psi) => set(&mut pose.truncation.psi, ranges::finite_in(*psi, ranges::PSI)),
            Self::Cutoff(cutoff) => pose.truncation.cutoff = cutoff.map(|cutoff| cutoff.min(MAX_WS)),
            Self::MixSeed(seed) => pose.mix.seed = *seed,
            Self::MixAmount { ws, amount } => {
                set_entry(&mut pose.mix.amounts, *ws, MAX_WS, ranges::finite_in(*amount, ranges::MIX_AMOUNT), 0.0);
            }
            Self::MixMuted { ws, muted: true } if *ws < MAX_WS => {
                pose.mix.muted.insert(*ws);
            }
            Self::MixMuted { ws, .. } => {
                pose.mix.muted.remove(ws);
            }
            Self::MixPreset(preset, num_ws) => {
                pose.mix.amounts = preset.ws_range((*num_ws).min(MAX_WS)).map(|ws| (ws, 1.0)).collect();
                pose.mix.muted.clear();
            }
            Self::NoiseMode(mode) => pose.noise.mode = *mode,
            Self::NoiseSeed(seed) => pose.noise.seed = *seed,
            Self::NoiseStrength(strength) => {
                set(&mut pose.noise.strength, ranges::finite_in(*strength, ranges::NOISE_STRENGTH));
            }
            Self::NoiseTurn(turn) => set(&mut pose.noise.turn, ranges::turn(*turn)),
            Self::LayerPsi { ws, psi: None } => {
                pose.layer_psi.remove(ws);
            }
            Self::LayerPsi { ws, psi: Some(psi) } => {
                // No number stands for "follows the others", so an override stays until it is removed.
                if let (Some(psi), true) = (ranges::finite_in(*psi, ranges::PSI), *ws < MAX_WS) {
                    pose.layer_psi.insert(*ws, psi);
                }
            }
            Self::LayerNoise { layer, factor } => {
                let factor = ranges::finite_in(factor.unwrap_or(1.0), ranges::LAYER_NOISE);
                set_entry(&mut pose.layer_noise, *layer, MAX_LAYERS, factor, 1.0);
            }
            Self::WOffset { ws, channel, offset } if *ws < MAX_WS => {
                set_offset(&mut pose.w_offsets, *ws, *channel, MAX_W_CHANNELS, *offset);
            }
            Self::StyleOffset { layer, channel, offset } if *layer < MAX_LAYERS => {
                set_offset(&mut pose.style_offsets, *layer, *channel, MAX_STYLE_CHANNELS, *offset);
            }
            Self::WOffset { .. } | Self::StyleOffset { .. } => {}
            Self::ResetLayer { ws, layers } => {
                pose.mix.amounts.remove(ws);
                pose.mix.muted.remove(ws);
                pose.layer_psi.remove(ws);
                for layer in layers {
                    pose.layer_noise.remove(layer);
                }
            }
            Self::ResetVectors { layer, ws } => {
                pose.style_offsets.remove(layer);
                pose.w_offsets.remove(ws);
            }
            Self::ResetTruncation => pose.truncation = Truncation::default(),
            Self::ResetMix => pose.mix = StyleMix::default(),
            Self::ResetNoise => pose.noise = Noise::default(),
            Self::ResetAll => *pose = pose.unedited(),
            Self::Replace(other) => *pose = other.sanitized(),
        }
    }
}

fn set(field: &mut f32, value: Option<f32>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Sets `map[index]`; an entry equal to its default is removed, `None` and indices from `end` on change nothing.
fn set_entry(map: &mut BTreeMap<usize, f32>, index: usize, end: usize, value: Option<f32>, default: f32) {
    match value {
        Some(value) if value == default => {
            map.remove(&index);
        }
        Some(value) if index < end => {
            map.insert(index, value);
        }
        _ => {}
    }
}

/// Sets one channel's offset; vectors without offsets are removed.
fn set_offset(
    vectors: &mut BTreeMap<usize, ChannelOffsets>,
    vector: usize,
    channel: usize,
    channels: usize,
    offset: Option<f32>,
) {
    let offsets = vectors.entry(vector).or_default();
    set_entry(offsets, channel, channels, ranges::finite_in(offset.unwrap_or(0.0), ranges::OFFSET), 0.0);
    if offsets.is_empty() {
        vectors.remove(&vector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(edits: impl IntoIterator<Item = PoseEdit>) -> Pose {
        let mut pose = Pose::default();
        for edit in edits {
            edit.apply(&mut pose);
        }
        pose
    }

    #[test]
    fn numbers_are_clamped_to_their_ranges() {
        assert_eq!(edited([PoseEdit::Psi(7.0)]).truncation.psi, 2.0);
        assert_eq!(edited([PoseEdit::Psi(-7.0)]).truncation.psi, -1.0);
        assert_eq!(edited([PoseEdit::NoiseStrength(9.0)]).noise.strength, 2.0);
        assert_eq!(edited([PoseEdit::MixAmount { ws: 2, amount: 3.0 }]).mix.amount(2), 1.0);
        assert_eq!(edited([PoseEdit::LayerNoise { layer: 3, factor: Some(-8.0) }]).layer_noise[&3], -5.0);
        assert_eq!(edited([PoseEdit::LayerPsi { ws: 3, psi: Some(4.0) }]).layer_psi[&3], 2.0);
        assert_eq!(edited([PoseEdit::Cutoff(Some(1000))]).truncation.cutoff, Some(18));
        let far = edited([PoseEdit::Seed(SeedPosition { x: 1e300, y: -1e300 })]).seed;
        assert_eq!((far.x, far.y), (4_294_967_296.0, -4_294_967_296.0));
        assert_eq!(edited([PoseEdit::NoiseTurn(1.25)]).noise.turn, 0.25);
        assert_eq!(edited([PoseEdit::NoiseTurn(-0.25)]).noise.turn, 0.75);
        assert_eq!(edited([PoseEdit::NoiseTurn(1.0)]).noise.turn, 1.0);
    }

    #[test]
    fn numbers_that_are_none_and_places_that_no_network_has_change_nothing() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let pose = edited([
                PoseEdit::Seed(SeedPosition { x: bad.into(), y: 1.0 }),
                PoseEdit::Seed(SeedPosition { x: 1.0, y: bad.into() }),
                PoseEdit::Psi(bad),
                PoseEdit::MixAmount { ws: 0, amount: bad },
                PoseEdit::NoiseStrength(bad),
                PoseEdit::NoiseTurn(bad),
                PoseEdit::LayerPsi { ws: 0, psi: Some(bad) },
                PoseEdit::LayerNoise { layer: 0, factor: Some(bad) },
                PoseEdit::WOffset { ws: 0, channel: 0, offset: Some(bad) },
                PoseEdit::StyleOffset { layer: 0, channel: 0, offset: Some(bad) },
            ]);
            assert_eq!(pose, Pose::default(), "{bad}");
        }
        let nowhere = usize::MAX;
        let pose = edited([
            PoseEdit::MixAmount { ws: nowhere, amount: 0.5 },
            PoseEdit::MixMuted { ws: nowhere, muted: true },
            PoseEdit::LayerPsi { ws: nowhere, psi: Some(0.5) },
            PoseEdit::LayerNoise { layer: nowhere, factor: Some(0.5) },
            PoseEdit::WOffset { ws: nowhere, channel: 0, offset: Some(0.5) },
            PoseEdit::WOffset { ws: 0, channel: nowhere, offset: Some(0.5) },
            PoseEdit::StyleOffset { layer: nowhere, channel: 0, offset: Some(0.5) },
            PoseEdit::StyleOffset { layer: 0, channel: nowhere, offset: Some(0.5) },
        ]);
        assert_eq!(pose, Pose::default());
        assert_eq!(edited([PoseEdit::MixPreset(MixPreset::All, nowhere)]).mix.amounts.len(), MAX_WS);
    }

    #[test]
    fn what_returns_to_its_default_leaves_no_trace() {
        let pairs = [
            (PoseEdit::MixAmount { ws: 1, amount: 0.5 }, PoseEdit::MixAmount { ws: 1, amount: 0.0 }),
            (PoseEdit::MixAmount { ws: 1, amount: 0.5 }, PoseEdit::MixAmount { ws: 1, amount: -0.0 }),
            (PoseEdit::MixMuted { ws: 1, muted: true }, PoseEdit::MixMuted { ws: 1, muted: false }),
            (PoseEdit::MixPreset(MixPreset::Fine, 14), PoseEdit::MixPreset(MixPreset::Clear, 14)),
            (PoseEdit::LayerPsi { ws: 1, psi: Some(1.0) }, PoseEdit::LayerPsi { ws: 1, psi: None }),
            (
                PoseEdit::LayerNoise { layer: 1, factor: Some(2.0) },
                PoseEdit::LayerNoise { layer: 1, factor: Some(1.0) },
            ),
            (PoseEdit::LayerNoise { layer: 1, factor: Some(2.0) }, PoseEdit::LayerNoise { layer: 1, factor: None }),
            (
                PoseEdit::WOffset { ws: 1, channel: 5, offset: Some(2.0) },
                PoseEdit::WOffset { ws: 1, channel: 5, offset: Some(0.0) },
            ),
            (
                PoseEdit::StyleOffset { layer: 1, channel: 5, offset: Some(2.0) },
                PoseEdit::StyleOffset { layer: 1, channel: 5, offset: None },
            ),
            (
                PoseEdit::StyleOffset { layer: 1, channel: 5, offset: Some(2.0) },
                PoseEdit::ResetVectors { layer: 1, ws: 0 },
            ),
            (PoseEdit::LayerNoise { layer: 4, factor: Some(2.0) }, PoseEdit::ResetLayer { ws: 0, layers: vec![3, 4] }),
            (PoseEdit::Psi(0.5), PoseEdit::ResetTruncation),
            (PoseEdit::MixSeed(7), PoseEdit::ResetMix),
            (PoseEdit::NoiseMode(NoiseMode::Off), PoseEdit::ResetNoise),
            (PoseEdit::Psi(0.5), PoseEdit::ResetAll),
        ];
        for (there, back) in pairs {
            assert_ne!(edited([there.clone()]), Pose::default(), "{there:?}");
            assert_eq!(edited([there.clone(), back]), Pose::default(), "{there:?}");
        }
    }

    #[test]
    fn reset_all_keeps_seeds_and_class() {
        let pose = edited([
            PoseEdit::Seed(SeedPosition { x: 3.5, y: 1.0 }),
            PoseEdit::Class(2),
            PoseEdit::MixSeed(5),
            PoseEdit::MixPreset(MixPreset::All, 10),
            PoseEdit::Psi(0.3),
            PoseEdit::ResetAll,
        ]);
        assert_eq!((pose.seed.x, pose.seed.y, pose.class, pose.mix.seed), (3.5, 1.0, 2, 5));
        assert_eq!(pose, pose.unedited());
    }

    #[test]
    fn presets_cover_each_layer_once() {
        for num_ws in (2..=18).step_by(2) {
            let ranges = [MixPreset::Coarse, MixPreset::Middle, MixPreset::Fine].map(|p| p.ws_range(num_ws));
            assert_eq!(ranges.into_iter().flatten().collect::<Vec<_>>(), (0..num_ws).collect::<Vec<_>>());
            assert_eq!(MixPreset::All.ws_range(num_ws), 0..num_ws);
        }
        assert_eq!(edited([PoseEdit::MixPreset(MixPreset::Coarse, 14)]).mix.amounts.into_keys().max(), Some(3));
    }
}
