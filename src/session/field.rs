//! The rows of the window: one value of the pose each, with a way to see whether it was changed and to reset it.

use std::collections::BTreeSet;

use super::{
    edit::PoseEdit,
    pose::{Noise, Pose, SeedPosition, StyleMix, Truncation},
};

/// One value of the pose, or one group with a common reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoseField {
    /// [`Pose::seed`].
    Seed,
    /// [`Pose::class`].
    Class,
    /// [`Truncation::psi`].
    Psi,
    /// [`Truncation::cutoff`].
    Cutoff,
    /// psi and cutoff.
    Truncation,
    /// [`StyleMix::seed`].
    MixSeed,
    /// Amount and switch of a `ws` index; its reset sets the amount alone.
    MixAmount(usize),
    /// The second seed, all amounts and switches.
    Mix,
    /// [`Noise::mode`].
    NoiseMode,
    /// [`Noise::seed`].
    NoiseSeed,
    /// [`Noise::strength`].
    NoiseStrength,
    /// [`Noise::turn`].
    NoiseTurn,
    /// All of [`Pose::noise`].
    Noise,
    /// The override of a `ws` index.
    LayerPsi(usize),
    /// The factor of a layer.
    LayerNoise(usize),
    /// One channel of `w`.
    WOffset {
        /// Index into `ws`.
        ws: usize,
        /// Channel of `w`.
        channel: usize,
    },
    /// One channel of a style vector.
    StyleOffset {
        /// Index into the model's layers.
        layer: usize,
        /// Channel of the style vector.
        channel: usize,
    },
    /// All offsets of a layer's style vector and of its `w`.
    Vectors {
        /// Index into the model's layers.
        layer: usize,
        /// Index into `ws`.
        ws: usize,
    },
    /// Everything but the seeds and the class.
    Edits,
}

impl PoseField {
    /// The edit that brings this field back to its default.
    pub fn reset(self) -> PoseEdit {
        match self {
            Self::Seed => PoseEdit::Seed(SeedPosition::default()),
            Self::Class => PoseEdit::Class(0),
            Self::Psi => PoseEdit::Psi(Truncation::default().psi),
            Self::Cutoff => PoseEdit::Cutoff(Truncation::default().cutoff),
            Self::Truncation => PoseEdit::ResetTruncation,
            Self::MixSeed => PoseEdit::MixSeed(StyleMix::default().seed),
            Self::MixAmount(ws) => PoseEdit::MixAmount { ws, amount: 0.0 },
            Self::Mix => PoseEdit::ResetMix,
            Self::NoiseMode => PoseEdit::NoiseMode(Noise::default().mode),
            Self::NoiseSeed => PoseEdit::NoiseSeed(Noise::default().seed),
            Self::NoiseStrength => PoseEdit::NoiseStrength(Noise::default().strength),
            Self::NoiseTurn => PoseEdit::NoiseTurn(Noise::default().turn),
            Self::Noise => PoseEdit::ResetNoise,
            Self::LayerPsi(ws) => PoseEdit::LayerPsi { ws, psi: None },
            Self::LayerNoise(layer) => PoseEdit::LayerNoise { layer, factor: None },
            Self::WOffset { ws, channel } => PoseEdit::WOffset { ws, channel, offset: None },
            Self::StyleOffset { layer, channel } => PoseEdit::StyleOffset { layer, channel, offset: None },
            Self::Vectors { layer, ws } => PoseEdit::ResetVectors { layer, ws },
            Self::Edits => PoseEdit::ResetAll,
        }
    }
}

impl Pose {
    /// Whether `field` has its default value: its reset would change nothing. Expects a pose that was made by edits or
    /// came through [`Pose::sanitized`], where defaults leave no entries.
    pub fn is_default(&self, field: PoseField) -> bool {
        let offset = |offsets: &std::collections::BTreeMap<usize, super::pose::ChannelOffsets>, vector, channel| {
            offsets.get(vector).is_some_and(|offsets| offsets.contains_key(channel))
        };
        match field {
            PoseField::Seed => self.seed == SeedPosition::default(),
            PoseField::Class => self.class == 0,
            PoseField::Psi => self.truncation.psi == Truncation::default().psi,
            PoseField::Cutoff => self.truncation.cutoff == Truncation::default().cutoff,
            PoseField::Truncation => self.truncation == Truncation::default(),
            PoseField::MixSeed => self.mix.seed == StyleMix::default().seed,
            PoseField::MixAmount(ws) => !self.mix.amounts.contains_key(&ws),
            PoseField::Mix => self.mix == StyleMix::default(),
            PoseField::NoiseMode => self.noise.mode == Noise::default().mode,
            PoseField::NoiseSeed => self.noise.seed == Noise::default().seed,
            PoseField::NoiseStrength => self.noise.strength == Noise::default().strength,
            PoseField::NoiseTurn => self.noise.turn == Noise::default().turn,
            PoseField::Noise => self.noise == Noise::default(),
            PoseField::LayerPsi(ws) => !self.layer_psi.contains_key(&ws),
            PoseField::LayerNoise(layer) => !self.layer_noise.contains_key(&layer),
            PoseField::WOffset { ws, channel } => !offset(&self.w_offsets, &ws, &channel),
            PoseField::StyleOffset { layer, channel } => !offset(&self.style_offsets, &layer, &channel),
            PoseField::Vectors { layer, ws } => {
                !self.style_offsets.contains_key(&layer) && !self.w_offsets.contains_key(&ws)
            }
            PoseField::Edits => *self == self.unedited(),
        }
    }

    /// Whether a row of the layers table was changed, i.e. [`PoseEdit::ResetLayer`] would do something.
    pub fn is_layer_changed(&self, ws: usize, layers: &[usize]) -> bool {
        self.mix.amounts.contains_key(&ws)
            || self.mix.muted.contains(&ws)
            || self.layer_psi.contains_key(&ws)
            || layers.iter().any(|layer| self.layer_noise.contains_key(layer))
    }

    /// The factor on a layer's noise; 1 where it was not changed.
    pub fn layer_noise(&self, layer: usize) -> f32 {
        self.layer_noise.get(&layer).copied().unwrap_or(1.0)
    }

    /// The offset of one channel of `w`; 0 where it was not moved.
    pub fn w_offset(&self, ws: usize, channel: usize) -> f32 {
        self.w_offsets.get(&ws).and_then(|offsets| offsets.get(&channel)).copied().unwrap_or(0.0)
    }

    /// The offset of one channel of a style vector; 0 where it was not moved.
    pub fn style_offset(&self, layer: usize, channel: usize) -> f32 {
        self.style_offsets.get(&layer).and_then(|offsets| offsets.get(&channel)).copied().unwrap_or(0.0)
    }

    /// The `ws` indices with any change of their own: mixing, psi or offsets of `w`.
    pub fn changed_ws(&self) -> BTreeSet<usize> {
        let keys = self.mix.amounts.keys().chain(&self.mix.muted).chain(self.layer_psi.keys());
        keys.chain(self.w_offsets.keys()).copied().collect()
    }

    /// The layers with any change of their own: noise factor or offsets of the style vector.
    pub fn changed_layers(&self) -> BTreeSet<usize> {
        self.layer_noise.keys().chain(self.style_offsets.keys()).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::pose::NoiseMode;

    #[test]
    fn each_field_is_changed_by_its_edit_and_restored_by_its_reset() {
        let cases = [
            (PoseField::Seed, PoseEdit::Seed(SeedPosition { x: 0.0, y: 1.0 })),
            (PoseField::Class, PoseEdit::Class(1)),
            (PoseField::Psi, PoseEdit::Psi(0.5)),
            (PoseField::Cutoff, PoseEdit::Cutoff(Some(4))),
            (PoseField::Truncation, PoseEdit::Cutoff(Some(4))),
            (PoseField::MixSeed, PoseEdit::MixSeed(1)),
            (PoseField::MixAmount(3), PoseEdit::MixAmount { ws: 3, amount: 0.2 }),
            (PoseField::Mix, PoseEdit::MixMuted { ws: 3, muted: true }),
            (PoseField::NoiseMode, PoseEdit::NoiseMode(NoiseMode::Random)),
            (PoseField::NoiseSeed, PoseEdit::NoiseSeed(1)),
            (PoseField::NoiseStrength, PoseEdit::NoiseStrength(0.5)),
            (PoseField::NoiseTurn, PoseEdit::NoiseTurn(0.5)),
            (PoseField::Noise, PoseEdit::NoiseTurn(0.5)),
            (PoseField::LayerPsi(3), PoseEdit::LayerPsi { ws: 3, psi: Some(1.0) }),
            (PoseField::LayerNoise(3), PoseEdit::LayerNoise { layer: 3, factor: Some(0.0) }),
            (PoseField::WOffset { ws: 1, channel: 2 }, PoseEdit::WOffset { ws: 1, channel: 2, offset: Some(0.5) }),
            (
                PoseField::StyleOffset { layer: 1, channel: 2 },
                PoseEdit::StyleOffset { layer: 1, channel: 2, offset: Some(0.5) },
            ),
            (PoseField::Vectors { layer: 9, ws: 1 }, PoseEdit::WOffset { ws: 1, channel: 2, offset: Some(0.5) }),
            (PoseField::Vectors { layer: 1, ws: 9 }, PoseEdit::StyleOffset { layer: 1, channel: 2, offset: Some(0.5) }),
            (PoseField::Edits, PoseEdit::Psi(0.5)),
        ];
        for (field, edit) in cases {
            let mut pose = Pose::default();
            assert!(pose.is_default(field), "{field:?}");
            edit.apply(&mut pose);
            assert!(!pose.is_default(field), "{field:?}");
            field.reset().apply(&mut pose);
            assert!(pose.is_default(field), "{field:?}");
            assert_eq!(pose, Pose::default(), "{field:?}");
        }
    }

    #[test]
    fn changed_rows_are_found() {
        let mut pose = Pose::default();
        PoseEdit::LayerNoise { layer: 4, factor: Some(2.0) }.apply(&mut pose);
        PoseEdit::StyleOffset { layer: 5, channel: 7, offset: Some(-1.5) }.apply(&mut pose);
        PoseEdit::LayerPsi { ws: 2, psi: Some(0.0) }.apply(&mut pose);
        PoseEdit::WOffset { ws: 1, channel: 6, offset: Some(0.25) }.apply(&mut pose);
        assert_eq!(pose.changed_layers(), [4, 5].into());
        assert_eq!(pose.changed_ws(), [1, 2].into());
        assert!(pose.is_layer_changed(0, &[4]) && pose.is_layer_changed(2, &[]) && !pose.is_layer_changed(1, &[5]));
        assert_eq!((pose.style_offset(5, 7), pose.style_offset(5, 8)), (-1.5, 0.0));
        assert_eq!((pose.w_offset(1, 6), pose.w_offset(2, 6)), (0.25, 0.0));
        assert_eq!((pose.layer_noise(4), pose.layer_noise(5)), (2.0, 1.0));
    }
}
