//! The kernels as operations of burn's GPU backend. With fusion they are recorded like any other operation, and run in
//! their turn.

use burn::{
    backend::{
        Backend, ExtensionType, TensorMetadata, backend_extension, cubecl::dtype_to_elem_type, ops::FloatTensorOps,
        tensor::FloatTensor,
    },
    cubecl::prelude::*,
    tensor::{FloatDType, Shape},
};
use burn_wgpu::{CubeBackend, CubeTensor};

use super::{convolution, finish::FinishLaunch, rgb, smooth, tile::Tile};
use crate::ops::cpu::Border;

/// The noise of a layer, where it has any.
#[derive(Debug, Clone, ExtensionType)]
#[extension_type(fusion)]
pub enum NoiseInput<B: Backend> {
    /// No noise.
    Without,
    /// `map` [1 or N, 1, H, W] times `strength` [1 or O].
    Map {
        /// The values.
        map: FloatTensor<B>,
        /// The layer's learned strength, or that of each output channel.
        strength: FloatTensor<B>,
    },
}

/// The image of the block below, where there is one.
#[derive(Debug, Clone, ExtensionType)]
#[extension_type(fusion)]
pub enum BelowInput<B: Backend> {
    /// This is the first one.
    Without,
    /// `image` [N, C, H, W] and the `taps` [K] of one axis of the filter that doubles its size.
    Image {
        /// The values.
        image: FloatTensor<B>,
        /// The filter.
        taps: FloatTensor<B>,
    },
}

/// How a layer ends, and how its kernel is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerOptions {
    /// Whether the modulated weight is normalised.
    pub demodulate: bool,
    /// Factor on the noise strength.
    pub multiplier: f32,
    /// Factor of the activation below zero; 1 for none.
    pub slope: f32,
    /// Factor after the activation.
    pub gain: f32,
    /// Limit of the absolute value of the result.
    pub limit: Option<f32>,
    /// Zeros left of and above what is filtered.
    pub pad: usize,
    /// What an up-convolution's filter meets around the image.
    pub border: Border,
    /// The piece of a cube.
    pub tile: Tile,
}

/// Layers of a synthesis network as one operation each (two kernels for an up-convolution). Callers check shapes.
#[backend_extension(Cube, Fusion)]
pub trait SynthesisKernels: Backend {
    /// A modulated convolution of the same size with its noise, bias and activation: [N, O, H, W].
    #[fusion(dtype = x, shape = same_size(x, weight))]
    fn gpu_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        style: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] noise: NoiseInput<Self>,
        options: LayerOptions,
    ) -> FloatTensor<Self>;

    /// A modulated up-convolution with its filter, noise, bias and activation: [N, O, 2H, 2W].
    #[fusion(dtype = x, shape = double_size(x, weight))]
    fn gpu_up_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        style: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: FloatTensor<Self>,
        #[extension_type] noise: NoiseInput<Self>,
        options: LayerOptions,
    ) -> FloatTensor<Self>;

    /// A modulated 1x1 convolution to colours, with its bias, on top of the image below: [N, O, H, W] in f32.
    #[fusion(dtype = style, shape = same_size(x, weight))]
    fn gpu_rgb(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        style: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] below: BelowInput<Self>,
        options: LayerOptions,
    ) -> FloatTensor<Self>;
}

fn same_size(x: &Shape, weight: &Shape) -> Shape {
    Shape::new([x[0], weight[0], x[2], x[3]])
}

fn double_size(x: &Shape, weight: &Shape) -> Shape {
    Shape::new([x[0], weight[0], 2 * x[2], 2 * x[3]])
}

impl SynthesisKernels for CubeBackend {
    fn gpu_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        style: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        noise: NoiseInput<Self>,
        options: LayerOptions,
    ) -> FloatTensor<Self> {
        let output = empty_like(&x, same_size(&x.shape(), &weight.shape()));
        convolve(x, weight, style, Some(bias), noise, output.clone(), options, false);
        output
    }

    fn gpu_up_layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        style: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        taps: FloatTensor<Self>,
        noise: NoiseInput<Self>,
        options: LayerOptions,
    ) -> FloatTensor<Self> {
        let output = empty_like(&x, double_size(&x.shape(), &weight.shape()));
        let [batch, channels, height, width] = dims(&output);
        let between = empty_like(&x, Shape::new([batch, channels, height + 1, width + 1]));
        convolve(x, weight, style, None, NoiseInput::Without, between.clone(), options, true);
        let variant = smooth::Variant {
            taps: taps.shape()[0],
            clamped: options.limit.is_some(),
            cut: options.border != Border::Whole,
            early_bias: options.border == Border::Cut { early_bias: true },
        };
        let (client, storage) = (output.client.clone(), storage(&between));
        let units = batch * channels * height.div_ceil(smooth::ROWS) * width;
        let cube = CubeDim::new_1d(LINE_UNITS as u32);
        let (map, strength) = noise_args(noise);
        // SAFETY: the kernel writes where the output is and reads where its inputs are: it compares every position with
        // the shapes of the tensors.
        #[allow(unsafe_code, reason = "bounds are checked by the kernel itself, where they can be exceeded")]
        unsafe {
            smooth::smooth::launch_unchecked(
                &client,
                line_of_cubes(units),
                cube,
                between.into_tensor_arg(),
                taps.into_tensor_arg(),
                map.into(),
                strength.into(),
                Some(bias.into_tensor_arg()).into(),
                output.clone().into_tensor_arg(),
                options.pad,
                4.0,
                finish(options),
                variant,
                storage,
            );
        }
        output
    }

    fn gpu_rgb(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        style: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        below: BelowInput<Self>,
        options: LayerOptions,
    ) -> FloatTensor<Self> {
        let output = empty(&x, same_size(&x.shape(), &weight.shape()), FloatDType::F32);
        let [batch, colours, height, width] = dims(&output);
        let (client, storage) = (output.client.clone(), storage(&x));
        let (below, taps, count) = match below {
            BelowInput::Without => (None, None, 0),
            BelowInput::Image { image, taps } => {
                let count = taps.shape()[0];
                (Some(image.into_tensor_arg()), Some(taps.into_tensor_arg()), count)
            }
        };
        let variant = rgb::Variant { colours, clamped: options.limit.is_some(), taps: count };
        // SAFETY: as above.
        #[allow(unsafe_code, reason = "bounds are checked by the kernel itself, where they can be exceeded")]
        unsafe {
            rgb::to_rgb::launch_unchecked(
                &client,
                CubeCount::Static((height * width).div_ceil(rgb::PIXELS) as u32, batch as u32, 1),
                CubeDim::new_1d((rgb::PIXELS * rgb::SLICES) as u32),
                x.into_tensor_arg(),
                weight.into_tensor_arg(),
                style.into_tensor_arg(),
                bias.into_tensor_arg(),
                below.into(),
                taps.into(),
                output.clone().into_tensor_arg(),
                options.pad,
                finish(options),
                variant,
                storage,
            );
        }
        output
    }
}

/// Units of a cube where every unit works for itself.
const LINE_UNITS: usize = 256;
/// Most cubes along an axis that every device allows.
const MAX_CUBES: usize = 65_535;

/// Cubes for `units` units in a row, folded where one axis is too short.
fn line_of_cubes(units: usize) -> CubeCount {
    let cubes = units.div_ceil(LINE_UNITS);
    let across = cubes.clamp(1, MAX_CUBES);
    CubeCount::Static(across as u32, cubes.div_ceil(across) as u32, 1)
}

fn empty(like: &CubeTensor, shape: Shape, dtype: FloatDType) -> CubeTensor {
    CubeBackend::float_empty(shape, &like.device, dtype)
}

fn empty_like(like: &CubeTensor, shape: Shape) -> CubeTensor {
    empty(like, shape, like.dtype.into())
}

/// How a tensor's values are stored.
fn storage(tensor: &CubeTensor) -> ElemType {
    dtype_to_elem_type(tensor.dtype)
}

fn dims(tensor: &CubeTensor) -> [usize; 4] {
    let shape = tensor.shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

fn finish(options: LayerOptions) -> FinishLaunch {
    let LayerOptions { multiplier, slope, gain, limit, .. } = options;
    FinishLaunch::new(multiplier, slope, gain, limit.unwrap_or(f32::MAX))
}

#[allow(clippy::too_many_arguments, reason = "a layer has that many")]
fn convolve(
    x: CubeTensor,
    weight: CubeTensor,
    style: CubeTensor,
    bias: Option<CubeTensor>,
    noise: NoiseInput<CubeBackend>,
    output: CubeTensor,
    options: LayerOptions,
    transposed: bool,
) {
    let LayerOptions { demodulate, limit, tile, .. } = options;
    let kernel = weight.shape()[2];
    let variant = convolution::Variant { kernel, transposed, demodulate, clamped: limit.is_some() && !transposed };
    let [batch, channels, ..] = dims(&output);
    let [_, _, height, width] = dims(&x);
    let extra = usize::from(transposed);
    let [pixels, blocks, samples] = tile.cubes([batch, channels, height + extra, width + extra]);
    let (client, storage) = (output.client.clone(), storage(&x));
    let (map, strength) = noise_args(noise);
    // SAFETY: as above.
    #[allow(unsafe_code, reason = "bounds are checked by the kernel itself, where they can be exceeded")]
    unsafe {
        convolution::convolve::launch_unchecked(
            &client,
            CubeCount::Static(pixels as u32, blocks as u32, samples as u32),
            CubeDim::new_1d(tile.units() as u32),
            x.into_tensor_arg(),
            weight.into_tensor_arg(),
            style.into_tensor_arg(),
            map.into(),
            strength.into(),
            bias.map(CubeTensor::into_tensor_arg).into(),
            output.into_tensor_arg(),
            finish(options),
            variant,
            tile,
            storage,
        );
    }
}

/// Map and strength, as kernels take them.
fn noise_args(noise: NoiseInput<CubeBackend>) -> (Option<TensorArg>, Option<TensorArg>) {
    match noise {
        NoiseInput::Without => (None, None),
        NoiseInput::Map { map, strength } => (Some(map.into_tensor_arg()), Some(strength.into_tensor_arg())),
    }
}
