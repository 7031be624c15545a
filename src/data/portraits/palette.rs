//! The colours. Chosen to go together: warm shadows, few saturated areas, backgrounds that let the head stand out.

use super::factors::{Background, ClothingColor, EyeColor, HairColor};

/// A colour in sRGB, each channel 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rgb(pub [f32; 3]);

impl Rgb {
    pub const fn hex(hex: u32) -> Self {
        Self([(hex >> 16) as f32 / 255.0, (hex >> 8 & 255) as f32 / 255.0, (hex & 255) as f32 / 255.0])
    }

    /// From this colour (0) to `other` (1).
    pub fn mix(self, other: Self, amount: f32) -> Self {
        let mut mixed = self.0;
        for (a, b) in mixed.iter_mut().zip(other.0) {
            *a += (b - *a) * amount;
        }
        Self(mixed)
    }

    /// As it looks in shade: darker, and a little towards violet.
    pub fn shade(self, amount: f32) -> Self {
        let [r, g, b] = self.0;
        let (k, violet) = (1.0 - amount, amount * 0.06);
        Self([r * k + violet, g * k * (1.0 - amount * 0.1), b * k + violet * 1.2]).clamped()
    }

    /// As it looks in light: lighter, and a little towards yellow.
    pub fn lit(self, amount: f32) -> Self {
        self.mix(Self::hex(0xfff6e4), amount)
    }

    pub fn luma(self) -> f32 {
        let [r, g, b] = self.0;
        0.299 * r + 0.587 * g + 0.114 * b
    }

    fn clamped(self) -> Self {
        Self(self.0.map(|v| v.clamp(0.0, 1.0)))
    }
}

/// Skin from light to dark.
const SKIN: [Rgb; 9] = [
    Rgb::hex(0xffe0cc),
    Rgb::hex(0xfbd0b4),
    Rgb::hex(0xf2bc97),
    Rgb::hex(0xe3a57c),
    Rgb::hex(0xcd8b62),
    Rgb::hex(0xb17149),
    Rgb::hex(0x925838),
    Rgb::hex(0x74432c),
    Rgb::hex(0x573225),
];

/// Skin of a tone of 0 (lightest) to 1.
pub(super) fn skin(tone: f32) -> Rgb {
    let position = tone.clamp(0.0, 1.0) * (SKIN.len() - 1) as f32;
    let below = (position as usize).min(SKIN.len() - 2);
    SKIN[below].mix(SKIN[below + 1], position - below as f32)
}

/// Shade on skin: redder than shade on things.
pub(super) fn skin_shade(skin: Rgb, amount: f32) -> Rgb {
    let [r, g, b] = skin.0;
    Rgb([r * (1.0 - 0.75 * amount), g * (1.0 - 1.12 * amount), b * (1.0 - 1.05 * amount)]).clamped()
}

pub(super) fn hair(color: HairColor) -> Rgb {
    Rgb::hex(match color {
        HairColor::Black => 0x2c2631,
        HairColor::DarkBrown => 0x4a322b,
        HairColor::Brown => 0x71482f,
        HairColor::Auburn => 0x8e3f2b,
        HairColor::Ginger => 0xd4712f,
        HairColor::Blond => 0xe6b960,
        HairColor::Platinum => 0xf1e2bd,
        HairColor::Grey => 0xa9aab5,
        HairColor::Teal => 0x35a09c,
        HairColor::Pink => 0xec7fa3,
        HairColor::Violet => 0x8a68bd,
    })
}

pub(super) fn iris(color: EyeColor) -> Rgb {
    Rgb::hex(match color {
        EyeColor::Brown => 0x7d4a28,
        EyeColor::Hazel => 0xa1762f,
        EyeColor::Green => 0x5c9148,
        EyeColor::Blue => 0x4a90c8,
        EyeColor::Grey => 0x7f929e,
        EyeColor::Black => 0x3a2c2a,
    })
}

pub(super) fn cloth(color: ClothingColor) -> Rgb {
    Rgb::hex(match color {
        ClothingColor::Cream => 0xf3e9d8,
        ClothingColor::Charcoal => 0x474a57,
        ClothingColor::Navy => 0x33467c,
        ClothingColor::Sky => 0x74b3dc,
        ClothingColor::Teal => 0x2f8f8b,
        ClothingColor::Green => 0x6fa05a,
        ClothingColor::Mustard => 0xe0a63c,
        ClothingColor::Coral => 0xee7b64,
        ClothingColor::Crimson => 0xb93a4c,
        ClothingColor::Plum => 0x7c4a80,
    })
}

/// A colour for hats and bands that goes with the clothing: never the same.
pub(super) fn accent(color: ClothingColor) -> Rgb {
    Rgb::hex(match color {
        ClothingColor::Cream => 0xc65b4e,
        ClothingColor::Charcoal => 0xe0a63c,
        ClothingColor::Navy => 0xe7654f,
        ClothingColor::Sky => 0x3d558f,
        ClothingColor::Teal => 0xf0b46a,
        ClothingColor::Green => 0xf1e4c8,
        ClothingColor::Mustard => 0x3d6e78,
        ClothingColor::Coral => 0x3f5a80,
        ClothingColor::Crimson => 0x4a4d5c,
        ClothingColor::Plum => 0xe8a0b4,
    })
}

/// The two ends of a background's gradient, light end first.
pub(super) fn background(background: Background) -> [Rgb; 2] {
    let [light, dark] = match background {
        Background::Sky => [0xd3ebfa, 0x8fc3e8],
        Background::Mint => [0xd6f2e3, 0x8fd0b5],
        Background::Peach => [0xffe6d2, 0xf8b795],
        Background::Lilac => [0xe9e1f8, 0xb6a3de],
        Background::Honey => [0xfff0c4, 0xf3cb6c],
        Background::Rose => [0xfde0e6, 0xeda0b3],
        Background::Sand => [0xf1e9df, 0xcbbba8],
        Background::Lagoon => [0x6fc3c0, 0x2b7f8c],
        Background::Dusk => [0x7f8fd0, 0x41498c],
        Background::Clay => [0xe9a07f, 0xb9604a],
    };
    [Rgb::hex(light), Rgb::hex(dark)]
}
