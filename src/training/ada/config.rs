//! Which transformations, and how often.

use serde::{Deserialize, Serialize};

/// The weight of every transformation: it happens with the weight times `p`. 0 switches it off, and nothing is drawn for it.
/// Named as in the paper's appendix B.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AugmentConfig {
    /// Mirroring left and right.
    pub xflip: f32,
    /// Rotation by a multiple of 90 degrees.
    pub rotate90: f32,
    /// Translation by whole pixels, up to 1/8 of the image on each axis.
    pub xint: f32,
    /// Scaling, log-normal with a deviation of 0.2 octaves.
    pub scale: f32,
    /// Rotation by any angle, half of it before and half after the anisotropic scaling.
    pub rotate: f32,
    /// Stretching one axis and shrinking the other, log-normal with a deviation of 0.2 octaves.
    pub aniso: f32,
    /// Translation by any distance, normal with a deviation of 1/8 of the image.
    pub xfrac: f32,
    /// An offset on all channels, normal with a deviation of 0.2.
    pub brightness: f32,
    /// A factor on all channels, log-normal with a deviation of 0.5 octaves.
    pub contrast: f32,
    /// Dark becomes bright; hue and saturation stay.
    pub lumaflip: f32,
    /// Rotation about the axis of grays, by any angle.
    pub hue: f32,
    /// A factor on the distance from gray, log-normal with a deviation of one octave.
    pub saturation: f32,
    /// A factor on each of four octaves of frequencies, log-normal with a deviation of one octave.
    pub imgfilter: f32,
    /// Normal noise, whose deviation is half-normal with a deviation of 0.1.
    pub noise: f32,
    /// A square of half the side becomes gray.
    pub cutout: f32,
}

impl AugmentConfig {
    /// Nothing at all.
    pub const fn none() -> Self {
        Self {
            xflip: 0.0,
            rotate90: 0.0,
            xint: 0.0,
            scale: 0.0,
            rotate: 0.0,
            aniso: 0.0,
            xfrac: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            lumaflip: 0.0,
            hue: 0.0,
            saturation: 0.0,
            imgfilter: 0.0,
            noise: 0.0,
            cutout: 0.0,
        }
    }

    /// Pixel blitting and geometry.
    pub const fn bg() -> Self {
        Self { xflip: 1.0, rotate90: 1.0, xint: 1.0, scale: 1.0, rotate: 1.0, aniso: 1.0, xfrac: 1.0, ..Self::none() }
    }

    /// Pixel blitting, geometry and colour: the paper's choice.
    pub const fn bgc() -> Self {
        Self { brightness: 1.0, contrast: 1.0, lumaflip: 1.0, hue: 1.0, saturation: 1.0, ..Self::bg() }
    }

    /// Everything: also filtering, noise and cutout.
    pub const fn bgcfnc() -> Self {
        Self { imgfilter: 1.0, noise: 1.0, cutout: 1.0, ..Self::bgc() }
    }
}
