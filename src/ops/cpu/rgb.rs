//! The image side of a skip generator: 1x1 convolutions to RGB and the running image that they add to (StyleGAN2, section 4.1).

use std::fmt;

use super::buffer::{NhwcBuffer, padded};
use super::simd::{AlignedBuffer, InstructionSet, Simd, Task};
use super::threads::{Spread, Threads};

/// One sample's image, `[height, channels, width]`: whole rows can then be handed to different threads.
#[derive(Clone)]
pub struct RowImage {
    data: Vec<f32>,
    channels: usize,
    height: usize,
    width: usize,
}

impl RowImage {
    /// `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// From `[channels, height, width]`.
    ///
    /// # Panics
    /// If the length of `values` is not the product of the shape.
    pub fn from_nchw(values: &[f32], channels: usize, height: usize, width: usize) -> Self {
        assert_eq!(
            values.len(),
            channels * height * width,
            "values do not have the shape [{channels}, {height}, {width}]"
        );
        let mut data = vec![0.0; values.len()];
        for (i, row) in values.chunks_exact(width).enumerate() {
            let (c, y) = (i / height, i % height);
            data[(y * channels + c) * width..][..width].copy_from_slice(row);
        }
        Self { data, channels, height, width }
    }

    /// Appends the image as `[channels, height, width]`.
    pub fn append_nchw(&self, values: &mut Vec<f32>) {
        for c in 0..self.channels {
            for row in self.data.chunks_exact(self.channels * self.width) {
                values.extend_from_slice(&row[c * self.width..][..self.width]);
            }
        }
    }

    /// The image as `[channels, height, width]`.
    pub fn to_nchw(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.data.len());
        self.append_nchw(&mut values);
        values
    }
}

impl fmt::Debug for RowImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowImage({:?})", self.shape())
    }
}

/// A 1x1 convolution to the few channels of an image.
pub struct RgbKernel {
    set: InstructionSet,
    /// `[out, padded in]`.
    weight: AlignedBuffer,
    bias: Vec<f32>,
    in_channels: usize,
}

/// What a `to_rgb` layer adds to: the image of the block before, at half the size, and the filter (its taps along one axis,
/// of sum 1) that doubles it.
pub type Below<'a> = Option<(&'a RowImage, [f32; 4])>;

impl RgbKernel {
    /// From `weight` `[out, in]` and `bias` `[out]`.
    ///
    /// # Panics
    /// If `weight` is not as long as `out * in_channels`.
    pub fn new(set: InstructionSet, weight: &[f32], bias: &[f32], in_channels: usize) -> Self {
        assert_eq!(weight.len(), bias.len() * in_channels, "weight is not [{}, {in_channels}]", bias.len());
        let step = padded(in_channels);
        let mut packed = AlignedBuffer::zeroed(bias.len() * step);
        for (from, to) in weight.chunks_exact(in_channels).zip(packed.chunks_exact_mut(step)) {
            to[..in_channels].copy_from_slice(from);
        }
        Self { set, weight: packed, bias: bias.to_vec(), in_channels }
    }

    /// `clamp(x * style @ weight + bias) + upsampled below`; the clamp is that of the layer, not of the image.
    ///
    /// # Panics
    /// If `x`, `style` or the image below does not fit.
    pub fn run(
        &self,
        x: &NhwcBuffer,
        style: &[f32],
        clamp: Option<f32>,
        below: Below<'_>,
        threads: &Threads,
    ) -> RowImage {
        let [channels, height, width] = x.shape();
        assert_eq!(channels, self.in_channels, "input of another shape");
        assert_eq!(style.len(), channels, "one style value an input channel");
        let colours = self.bias.len();
        if let Some((image, _)) = below {
            assert_eq!(image.shape(), [colours, height / 2, width / 2], "the image below has another shape");
        }
        let step = padded(channels);
        let mut weight = self.weight.clone();
        for row in weight.chunks_exact_mut(step) {
            row.iter_mut().zip(style).for_each(|(weight, style)| *weight *= style);
        }
        let mut data = vec![0.0; colours * height * width];
        let row_len = x.row_len();
        threads.current().install(|| {
            Spread::Pool.chunks(&mut data, 4 * colours * width, |index, rows| {
                for (i, out) in rows.chunks_exact_mut(colours * width).enumerate() {
                    let y = 4 * index + i;
                    let pixels = &x.data[(y + 1) * row_len + step..][..width * step];
                    self.set.run(RgbRow { pixels, weight: &weight, bias: &self.bias, clamp, step, out });
                    if let Some((image, filter)) = below {
                        add_doubled_row(image, filter, y, out);
                    }
                }
            });
        });
        RowImage { data, channels: colours, height, width }
    }
}

/// One row of `clamp(pixels @ weight + bias)`, by colour.
struct RgbRow<'a> {
    pixels: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    clamp: Option<f32>,
    step: usize,
    out: &'a mut [f32],
}

impl Task for RgbRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call<S: Simd>(self, simd: S) {
        let width = self.pixels.len() / self.step;
        let limit = self.clamp.unwrap_or(f32::INFINITY);
        let colours = self.weight.chunks_exact(self.step).zip(self.bias);
        for ((weight, &bias), out) in colours.zip(self.out.chunks_exact_mut(width)) {
            for (pixel, value) in self.pixels.chunks_exact(self.step).zip(out) {
                let mut sum = simd.splat(0.0);
                for c in (0..self.step).step_by(S::LANES) {
                    sum = simd.mul_add(simd.load(pixel, c), simd.load(weight, c), sum);
                }
                *value = (simd.sum(sum) + bias).clamp(-limit, limit);
            }
        }
    }
}

/// Adds row `y` of the doubled image to `out` `[channels, width]`: zero insertion, padding of 2 before and 1 after, filter,
/// gain 4. Each output pixel meets two of the four taps an axis.
fn add_doubled_row(image: &RowImage, [a, b, c, d]: [f32; 4], y: usize, out: &mut [f32]) {
    // Taps in the order in which a true convolution meets the pixels, by the phase of the output: the pixel before and the
    // pixel itself for even outputs, the pixel itself and the one after for odd outputs.
    let (even, odd) = ([2.0 * d, 2.0 * b], [2.0 * c, 2.0 * a]);
    let (above, [upper, lower]) = if y.is_multiple_of(2) { ((y / 2).checked_sub(1), even) } else { (Some(y / 2), odd) };
    let below = above.map_or(0, |above| above + 1);
    let width = image.width;
    let row_len = image.channels * width;
    let row = |y: Option<usize>, channel: usize| {
        let y = y.filter(|&y| y < image.height)?;
        Some(&image.data[y * row_len + channel * width..][..width])
    };
    for (channel, out) in out.chunks_exact_mut(2 * width).enumerate() {
        let (first, second) = (row(above, channel), row(Some(below), channel));
        let pixel = |x: usize| first.map_or(0.0, |row| upper * row[x]) + second.map_or(0.0, |row| lower * row[x]);
        let mut before = 0.0;
        let mut here = pixel(0);
        for (x, pair) in out.chunks_exact_mut(2).enumerate() {
            let after = if x + 1 < width { pixel(x + 1) } else { 0.0 };
            pair[0] += even[0] * before + even[1] * here;
            pair[1] += odd[0] * here + odd[1] * after;
            (before, here) = (here, after);
        }
    }
}
