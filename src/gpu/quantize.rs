//! Image values to bytes, exactly as the official tools do it. The window, saved files and the command line agree
//! because they all come here (the shader `present.wgsl` has the same formula).

/// Why values do not form an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{len} values are no image of {channels} channels, {height} rows and {width} columns (1, 3 or 4 channels)")]
pub struct NotAnImage {
    /// Number of values.
    pub len: usize,
    /// Channels asked for.
    pub channels: usize,
    /// Rows asked for.
    pub height: usize,
    /// Columns asked for.
    pub width: usize,
}

/// The byte of one image value (nominal range -1..=1): `trunc(x * 127.5 + 128)`, clamped to 0..=255; 0 for a value
/// that is not a number.
#[inline]
pub fn level(x: f32) -> u8 {
    // A cast from f32 to u8 truncates, saturates, and gives 0 for NaN.
    (x * 127.5 + 128.0) as u8
}

/// A planar image (`[C, H, W]`, C = 1 grey, 3 RGB or 4 RGBA) to interleaved RGBA bytes, row by row. Grey is
/// repeated in all colours; alpha is kept, and opaque where the image has none.
///
/// # Errors
/// [`NotAnImage`] if the sizes do not fit or the number of channels is another one.
pub fn rgba8(image: &[f32], channels: usize, height: usize, width: usize) -> Result<Vec<u8>, NotAnImage> {
    let error = || NotAnImage { len: image.len(), channels, height, width };
    let pixels = height.checked_mul(width).filter(|&n| n > 0).ok_or_else(error)?;
    if !matches!(channels, 1 | 3 | 4) || pixels.checked_mul(channels) != Some(image.len()) {
        return Err(error());
    }
    let mut bytes = vec![255u8; pixels.checked_mul(4).ok_or_else(error)?];
    for (channel, plane) in image.chunks_exact(pixels).enumerate() {
        for (pixel, &value) in bytes.chunks_exact_mut(4).zip(plane) {
            pixel[channel] = level(value);
        }
    }
    if channels == 1 {
        for pixel in bytes.chunks_exact_mut(4) {
            (pixel[1], pixel[2]) = (pixel[0], pixel[0]);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_official_formula() {
        let expected = [(-1.0, 0), (-1.004, 0), (0.0, 128), (0.999, 255), (1.0, 255), (7.0, 255), (-7.0, 0)];
        for (x, byte) in expected {
            assert_eq!(level(x), byte, "{x}");
        }
        assert_eq!(level(f32::NAN), 0);
        assert_eq!(level(f32::INFINITY), 255);
        assert_eq!(level(f32::NEG_INFINITY), 0);
        // Truncation, not rounding: just below a level stays below.
        assert_eq!(level((10.0f32 - 128.0) / 127.5 - 1e-5), 9);
    }

    #[test]
    fn grey_is_repeated_and_alpha_is_kept() {
        let grey = rgba8(&[-1.0, 1.0], 1, 1, 2).unwrap();
        assert_eq!(grey, [0, 0, 0, 255, 255, 255, 255, 255]);
        let rgb = rgba8(&[-1.0, 1.0, 0.0, 0.0, 1.0, -1.0], 3, 2, 1).unwrap();
        assert_eq!(rgb, [0, 128, 255, 255, 255, 128, 0, 255]);
        let rgba = rgba8(&[-1.0, 0.0, 1.0, 0.0], 4, 1, 1).unwrap();
        assert_eq!(rgba, [0, 128, 255, 128]);
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(rgba8(&[0.0; 6], 2, 1, 3).is_err());
        assert!(rgba8(&[0.0; 5], 3, 1, 2).is_err());
        assert!(rgba8(&[], 3, 0, 0).is_err());
        assert!(rgba8(&[0.0; 3], 3, usize::MAX, 2).is_err());
    }
}
