//! Upsample, filter, downsample: the resampling primitive of StyleGAN2 (arXiv 1912.04958, appendix B).
//!
//! Order: insert zeros, pad (or crop, for negative padding), convolve, decimate.

use burn::tensor::{
    Device, Tensor, TensorData,
    module::conv2d,
    ops::{ConvOptions, PadMode},
};

/// A finite impulse response filter whose taps sum to 1, on the host and on a device.
#[derive(Debug, Clone)]
pub struct Filter {
    taps: Vec<f32>,
    height: usize,
    width: usize,
    separable: bool,
    /// Separable: [K]; otherwise [height * width].
    kernel: Tensor<1>,
}

impl Filter {
    /// The separable filter `taps x taps`, e.g. `[1, 3, 3, 1]`, scaled so that it sums to 1.
    pub fn separable(taps: &[f32], device: &Device) -> Self {
        Self::new(taps, taps.len(), taps.len(), true, device)
    }

    /// A filter of `height` rows, `taps` in row-major order, scaled so that it sums to 1.
    ///
    /// # Panics
    /// If the number of taps is not a multiple of `height`.
    pub fn full(taps: &[f32], height: usize, device: &Device) -> Self {
        assert!(height > 0 && taps.len().is_multiple_of(height), "{} taps in {height} rows", taps.len());
        Self::new(taps, height, taps.len() / height, false, device)
    }

    fn new(taps: &[f32], height: usize, width: usize, separable: bool, device: &Device) -> Self {
        assert!(!taps.is_empty(), "a filter needs taps");
        let sum: f64 = taps.iter().map(|&t| f64::from(t)).sum();
        let taps: Vec<f32> = taps.iter().map(|&t| (f64::from(t) / sum) as f32).collect();
        let kernel = Tensor::from_data(TensorData::new(taps.clone(), [taps.len()]), device);
        Self { taps, height, width, separable, kernel }
    }

    /// The normalised taps: one row of a separable filter, all rows of another.
    pub fn taps(&self) -> &[f32] {
        &self.taps
    }

    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Whether [`Filter::taps`] is one axis of an outer product.
    pub fn is_separable(&self) -> bool {
        self.separable
    }

    /// [`Filter::taps`] on the device.
    pub(crate) fn kernel(&self) -> Tensor<1> {
        self.kernel.clone()
    }

    /// All taps, [height, width].
    fn outer(&self) -> Tensor<2> {
        let kernel = self.kernel.clone();
        if self.separable {
            kernel.clone().reshape([self.height, 1]).mul(kernel.reshape([1, self.width]))
        } else {
            kernel.reshape([self.height, self.width])
        }
    }
}

/// How [`upfirdn2d`] resamples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpFirDn {
    /// Every pixel becomes one pixel and `up - 1` zeros, on both axes.
    pub up: usize,
    /// Every `down`-th pixel stays, on both axes.
    pub down: usize,
    /// Zeros to add at the left, right, top and bottom of the zero-inserted image; negative values crop.
    pub pad: [isize; 4],
    /// Correlate instead of the true convolution, which flips the filter.
    pub flip_filter: bool,
    /// Factor on the result.
    pub gain: f64,
}

impl Default for UpFirDn {
    fn default() -> Self {
        Self { up: 1, down: 1, pad: [0; 4], flip_filter: false, gain: 1.0 }
    }
}

/// Resamples every channel of `x` by itself. A separable filter runs as two one-dimensional passes.
///
/// # Shapes
/// - x: [N, C, H, W]
/// - output: [N, C, (H * up + top + bottom - filter height) / down + 1, same of W]
///
/// # Panics
/// If the padded image is smaller than the filter.
pub fn upfirdn2d(x: Tensor<4>, filter: &Filter, options: UpFirDn) -> Tensor<4> {
    if !filter.separable {
        return upfirdn2d_reference(x, filter, options);
    }
    let UpFirDn { up, down, pad, flip_filter, gain } = options;
    let taps = filter.taps.len();
    let x = insert_zeros(x, up);
    // Equal padding can be left to the convolution, which saves a copy of the image.
    let (x, [pad_y, pad_x]) = if pad[0] == pad[1] && pad[2] == pad[3] && pad[0] >= 0 && pad[2] >= 0 {
        (x, [pad[2] as usize, pad[0] as usize])
    } else {
        (pad_or_crop(x, pad), [0, 0])
    };
    let [_, channels, height, width] = x.dims();
    assert!(height + 2 * pad_y >= taps && width + 2 * pad_x >= taps, "a {height}x{width} image under {taps} taps");
    // One axis at a time, so each carries the root of the gain.
    let kernel = filter.kernel.clone().mul_scalar(gain.sqrt());
    let kernel = if flip_filter { kernel } else { kernel.flip([0]) };
    let rows = kernel.clone().reshape([1, 1, 1, taps]).expand([channels, 1, 1, taps]);
    let columns = kernel.reshape([1, 1, taps, 1]).expand([channels, 1, taps, 1]);
    let x = conv2d(x, rows, None, ConvOptions::new([1, down], [0, pad_x], [1, 1], channels));
    conv2d(x, columns, None, ConvOptions::new([down, 1], [pad_y, 0], [1, 1], channels))
}

/// The definition, step by step: zeros, padding, one two-dimensional convolution, decimation. Twin of [`upfirdn2d`].
///
/// # Shapes
/// As [`upfirdn2d`].
pub fn upfirdn2d_reference(x: Tensor<4>, filter: &Filter, options: UpFirDn) -> Tensor<4> {
    let UpFirDn { up, down, pad, flip_filter, gain } = options;
    let x = pad_or_crop(insert_zeros(x, up), pad);
    let [batch, channels, height, width] = x.dims();
    let [filter_height, filter_width] = filter.size();
    assert!(
        height >= filter_height && width >= filter_width,
        "a {height}x{width} image under a {filter_height}x{filter_width} filter"
    );
    let kernel = filter.outer();
    let kernel = if flip_filter { kernel } else { kernel.flip([0, 1]) };
    let x = x.reshape([batch * channels, 1, height, width]);
    let x = conv2d(
        x,
        kernel.reshape([1, 1, filter_height, filter_width]),
        None,
        ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
    );
    let [_, _, height, width] = x.dims();
    let x = x.reshape([batch, channels, height, width]).mul_scalar(gain);
    decimate(x, down)
}

/// [N, C, H, W] -> [N, C, H * up, W * up], the pixels at multiples of `up`, zeros between.
fn insert_zeros(x: Tensor<4>, up: usize) -> Tensor<4> {
    assert!(up > 0, "up must be positive");
    if up == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let x = x.reshape([batch * channels, height, 1, width, 1]);
    let x = x.pad([(0, up - 1), (0, 0), (0, up - 1)], PadMode::Constant(0.0));
    x.reshape([batch, channels, height * up, width * up])
}

/// Adds zeros (positive) or crops (negative) at the left, right, top and bottom.
fn pad_or_crop(x: Tensor<4>, pad: [isize; 4]) -> Tensor<4> {
    let crop = pad.map(|p| (-p).max(0) as usize);
    let [left, right, top, bottom] = pad.map(|p| p.max(0) as usize);
    let [_, _, height, width] = x.dims();
    assert!(crop[0] + crop[1] < width && crop[2] + crop[3] < height, "nothing is left of a {height}x{width} image");
    let x = if crop == [0; 4] {
        x
    } else {
        x.narrow(2, crop[2], height - crop[2] - crop[3]).narrow(3, crop[0], width - crop[0] - crop[1])
    };
    if [left, right, top, bottom] == [0; 4] {
        return x;
    }
    x.pad((left, right, top, bottom), PadMode::Constant(0.0))
}

/// Keeps every `down`-th row and column. A crop and a reshape, because those have second derivatives on every backend.
fn decimate(x: Tensor<4>, down: usize) -> Tensor<4> {
    assert!(down > 0, "down must be positive");
    if down == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let [rows, columns] = [height.div_ceil(down), width.div_ceil(down)];
    let x = x.pad((0, columns * down - width, 0, rows * down - height), PadMode::Constant(0.0));
    let x = x.reshape([batch * channels, rows, down, columns, down]);
    x.narrow(2, 0, 1).narrow(4, 0, 1).reshape([batch, channels, rows, columns])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    fn cases() -> Vec<UpFirDn> {
        vec![
            UpFirDn::default(),
            UpFirDn { pad: [1; 4], gain: 4.0, ..Default::default() },
            UpFirDn { up: 2, pad: [2, 1, 2, 1], gain: 4.0, ..Default::default() },
            UpFirDn { down: 2, pad: [1; 4], ..Default::default() },
            UpFirDn { up: 2, down: 3, pad: [3, 4, -1, 5], flip_filter: true, gain: 2.5 },
            UpFirDn { pad: [-1, 2, 3, -2], ..Default::default() },
        ]
    }

    #[test]
    fn separable_passes_agree_with_the_definition() {
        let device = Device::flex();
        for taps in [&[1.0, 3.0, 3.0, 1.0][..], &[1.0, 2.0, 1.0], &[1.0, 1.0], &[0.3, -0.2, 0.5, 0.9, 0.1]] {
            let filter = Filter::separable(taps, &device);
            for options in cases() {
                let x = noise([2, 3, 7, 9], 1, &device);
                let fast = upfirdn2d(x.clone(), &filter, options);
                assert_same(fast, upfirdn2d_reference(x, &filter, options), 1e-6);
            }
        }
    }

    #[test]
    fn upsampling_a_constant_keeps_it() {
        let device = Device::flex();
        let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
        let up = UpFirDn { up: 2, pad: [2, 1, 2, 1], gain: 4.0, ..Default::default() };
        let y = upfirdn2d(Tensor::ones([1, 1, 6, 6], &device), &filter, up);
        assert_eq!(y.dims(), [1, 1, 12, 12]);
        // Away from the zero padding.
        assert_same(y.narrow(2, 2, 8).narrow(3, 2, 8), Tensor::ones([1, 1, 8, 8], &device), 1e-6);
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let device = Device::flex().autodiff();
        let asymmetric = Filter::full(&[0.1, 0.4, 0.2, 0.3, 0.7, 0.5, 0.9, 0.2, 0.6], 3, &device);
        for filter in [Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device), asymmetric] {
            for options in cases() {
                let weights = noise(upfirdn2d(noise([1, 2, 6, 5], 2, &device), &filter, options).dims(), 3, &device);
                assert_gradient(noise([1, 2, 6, 5], 4, &device), 1e-3, |x| {
                    upfirdn2d(x, &filter, options).mul(weights.clone()).sum()
                });
            }
        }
    }
}
