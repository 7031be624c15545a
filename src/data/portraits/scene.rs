//! What all parts of one drawing share.

use super::{
    factors::Factors,
    head::Head,
    palette::{self, Rgb},
};
use crate::data::random::Random;

/// Measures and colours of one portrait.
pub(super) struct Scene<'a> {
    pub factors: &'a Factors,
    pub head: Head,
    /// Draws that belong to no factor.
    pub detail: Random,
    /// -1 left, 1 right.
    pub light: f32,
    pub skin: Rgb,
    pub hair: Rgb,
    pub cloth: Rgb,
    pub accent: Rgb,
    pub background: [Rgb; 2],
}

impl<'a> Scene<'a> {
    pub fn new(factors: &'a Factors, detail_seed: u64) -> Self {
        Self {
            factors,
            head: Head::new(factors),
            detail: Random::new(&[detail_seed]),
            light: factors.light.clamp(-1.0, 1.0),
            skin: palette::skin(factors.skin_tone),
            hair: palette::hair(factors.hair_color),
            cloth: palette::cloth(factors.clothing_color),
            accent: palette::accent(factors.clothing_color),
            background: palette::background(factors.background),
        }
    }

    /// Skin in shade of 0..1.
    pub fn skin_at(&self, shade: f32) -> Rgb {
        palette::skin_shade(self.skin, shade)
    }

    /// The colour of lines in the face: never black, it would look like a comic.
    pub fn line(&self) -> Rgb {
        self.skin_at(0.62).mix(Rgb::hex(0x2a1a22), 0.35)
    }
}
