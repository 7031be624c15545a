//! Image values to bytes, exactly as the official tools do it. The window, saved files and the command line agree
//! because they all come here (the shader `present.wgsl` has the same formula).

use rayon::prelude::*;

/// Pixels that a thread converts in one go.
const PART: usize = 1 << 14;

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
    let plane = |channel: usize| &image[channel * pixels..(channel + 1) * pixels];
    // Without colours the grey plane stands for all three, without alpha all is opaque.
    let [red, green, blue] = if channels == 1 { [plane(0); 3] } else { [plane(0), plane(1), plane(2)] };
    let alpha = (channels == 4).then(|| plane(3));
    let mut bytes = vec![255u8; pixels.checked_mul(4).ok_or_else(error)?];
    bytes.par_chunks_mut(4 * PART).enumerate().for_each(|(part, bytes)| {
        let part = part * PART..part * PART + bytes.len() / 4;
        let colours = red[part.clone()].iter().zip(&green[part.clone()]).zip(&blue[part.clone()]);
        for (pixel, ((&red, &green), &blue)) in bytes.chunks_exact_mut(4).zip(colours) {
            pixel[..3].copy_from_slice(&[level(red), level(green), level(blue)]);
        }
        if let Some(alpha) = alpha {
            for (pixel, &alpha) in bytes.chunks_exact_mut(4).zip(&alpha[part]) {
                pixel[3] = level(alpha);
            }
        }
    });
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
    fn large_images_are_converted_in_parts_without_a_seam() {
        let (height, width) = (3, PART);
        let image: Vec<f32> = (0..4 * height * width).map(|i| (i % 1013) as f32 / 506.0 - 1.0).collect();
        let bytes = rgba8(&image, 4, height, width).unwrap();
        let pixels = height * width;
        for pixel in [0, 1, PART - 1, PART, PART + 1, pixels - 1] {
            let expected: Vec<u8> = (0..4).map(|channel| level(image[channel * pixels + pixel])).collect();
            assert_eq!(bytes[4 * pixel..4 * pixel + 4], expected, "pixel {pixel}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert!(rgba8(&[0.0; 6], 2, 1, 3).is_err());
        assert!(rgba8(&[0.0; 5], 3, 1, 2).is_err());
        assert!(rgba8(&[], 3, 0, 0).is_err());
        assert!(rgba8(&[0.0; 3], 3, usize::MAX, 2).is_err());
    }
}
