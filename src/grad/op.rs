//! The operations of the graph, and the gradient of each in terms of the others.

use std::rc::Rc;

use burn::tensor::{Device, Tensor};

use super::{
    primitive,
    var::{Dims, Var},
};
use crate::ops::{Filter, UpFirDn};

/// A pointwise nonlinearity with gain and clamp: `clamp(leaky_relu(x, slope) * gain)`; a slope of 1 is linear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Act {
    /// Slope below zero.
    pub slope: f32,
    /// Factor after the nonlinearity.
    pub gain: f32,
    /// Limit of the absolute value of the result.
    pub clamp: Option<f32>,
}

impl Act {
    /// Leaky ReLU of slope 0.2 with gain sqrt(2) (StyleGAN2).
    pub const LEAKY_RELU: Self = Self { slope: 0.2, gain: std::f32::consts::SQRT_2, clamp: None };
    /// Leaky ReLU of slope 0.2 without a gain (StyleGAN, where the gain is in the weights).
    pub const PLAIN_LEAKY_RELU: Self = Self { slope: 0.2, gain: 1.0, clamp: None };
    /// Nothing but the bias.
    pub const LINEAR: Self = Self { slope: 1.0, gain: 1.0, clamp: None };

    /// With another gain on top, which the clamp follows.
    pub fn times(self, gain: f32) -> Self {
        Self { gain: self.gain * gain, clamp: self.clamp.map(|clamp| clamp * gain), ..self }
    }
}

/// From coordinates of a result to those of an operand, both from -1 to 1, edge to edge: `[[a, b, c], [d, e, f]]` maps (x, y) to
/// (a x + b y + c, d x + e y + f).
pub type AffineMap = [[f32; 3]; 2];

/// A filter with a change of size, see [`crate::ops::upfirdn2d`]. The filter is separable.
#[derive(Debug, Clone)]
pub struct Fir {
    /// Taps, normalised.
    pub filter: Filter,
    /// Zeros, padding, decimation, gain.
    pub options: UpFirDn,
}

impl Fir {
    /// A filter of these taps (normalised here) on both axes.
    pub fn new(taps: &[f32], options: UpFirDn, device: &Device) -> Self {
        Self { filter: Filter::separable(taps, device), options }
    }

    /// Size of the result for an input of `size` on one axis; `axis` 0 is x.
    fn out_len(&self, len: usize, axis: usize) -> usize {
        let UpFirDn { up, down, pad, .. } = self.options;
        let padded = (len * up) as isize + pad[2 * axis] + pad[2 * axis + 1];
        (padded - self.filter.taps().len() as isize).div_euclid(down as isize) as usize + 1
    }

    /// The transposed operation, for inputs of [height, width]: its gradient.
    fn transposed(&self, [height, width]: [usize; 2]) -> Self {
        let UpFirDn { up, down, pad, flip_filter, gain } = self.options;
        let taps = self.filter.taps().len() as isize;
        let (up_, down_) = (up as isize, down as isize);
        let axis = |len: usize, out: usize, before: isize| {
            [taps - before - 1, len as isize * up_ - out as isize * down_ + before - up_ + 1]
        };
        let [left, right] = axis(width, self.out_len(width, 0), pad[0]);
        let [top, bottom] = axis(height, self.out_len(height, 1), pad[2]);
        let options = UpFirDn { up: down, down: up, pad: [left, right, top, bottom], flip_filter: !flip_filter, gain };
        Self { filter: self.filter.clone(), options }
    }
}

/// Stride and zero padding of a convolution, and the sizes that its gradients must restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConvStep {
    pub stride: usize,
    pub padding: usize,
}

/// An operation with its operands.
#[derive(Debug)]
pub(super) enum Op {
    /// `a + b`, each broadcast to the other.
    Add(Var, Var),
    /// `a - b`, likewise.
    Sub(Var, Var),
    /// `a * b`, broadcast, then brought to these dims: sums where they are 1, repeats where the product is 1.
    Mul(Var, Var, Dims),
    /// Sums where the dims are 1, repeats where the operand is 1.
    Fit(Var, Dims),
    /// `x * factor + offset`.
    Affine(Var, f32, f32),
    /// The same values under other dims.
    Reshape(Var, Dims),
    /// The first two axes change places.
    Swap(Var),
    /// A stretch of an axis.
    Narrow { x: Var, axis: usize, start: usize, len: usize },
    /// Zeros around: `x` becomes the stretch from `start` of an axis of `len`.
    Embed { x: Var, axis: usize, start: usize, len: usize },
    /// The entries `indices` of an axis, in that order; one may occur often.
    Take { x: Var, axis: usize, indices: Rc<[u32]> },
    /// Its transposed operation: every entry of `y` is added to entry `indices` of an axis of `len` zeros.
    PutBack { y: Var, axis: usize, indices: Rc<[u32]>, len: usize },
    /// One after the other along an axis.
    Cat(Vec<Var>, usize),
    /// Cross-correlation of x [N, I, H, W] by weight [O, I, k, k].
    Conv { x: Var, weight: Var, step: ConvStep },
    /// Its gradient by x, for x of [H, W]: also the transposed convolution of y [N, O, H', W'].
    ConvTranspose { y: Var, weight: Var, step: ConvStep, size: [usize; 2] },
    /// Its gradient by the weight, for a kernel of this side.
    ConvWeight { x: Var, y: Var, step: ConvStep, kernel: usize },
    /// Resampling with a filter.
    Fir { x: Var, fir: Fir },
    /// `act(x + bias)`, the bias [1, C, 1, 1].
    BiasAct { x: Var, bias: Option<Var>, act: Act },
    /// The gradient of an activation whose result was `y`; linear in `x`.
    ActGradient { x: Var, y: Tensor<4>, act: Act },
    /// `x ^ exponent`, for positive x.
    Power(Var, f32),
    /// `ln(1 + e^x)`.
    Softplus(Var),
    /// `1 / (1 + e^-x)`.
    Sigmoid(Var),
    /// Every sample seen through its own affine map, bilinearly, zeros outside: [N, C, H, W] to [N, C, *size].
    Warp { x: Var, maps: Rc<[AffineMap]>, size: [usize; 2] },
    /// Its transposed operation: [N, C, *] back to [N, C, *size].
    WarpTranspose { y: Var, maps: Rc<[AffineMap]>, size: [usize; 2] },
}

impl Op {
    pub fn parents(&self) -> Vec<&Var> {
        match self {
            Self::Add(a, b) | Self::Sub(a, b) | Self::Mul(a, b, _) => vec![a, b],
            Self::Cat(parts, _) => parts.iter().collect(),
            Self::Conv { x, weight, .. } => vec![x, weight],
            Self::ConvTranspose { y, weight, .. } => vec![y, weight],
            Self::ConvWeight { x, y, .. } => vec![x, y],
            Self::BiasAct { x, bias: Some(bias), .. } => vec![x, bias],
            Self::Fit(x, _)
            | Self::Affine(x, ..)
            | Self::Reshape(x, _)
            | Self::Swap(x)
            | Self::Narrow { x, .. }
            | Self::Embed { x, .. }
            | Self::Take { x, .. }
            | Self::PutBack { y: x, .. }
            | Self::Fir { x, .. }
            | Self::BiasAct { x, bias: None, .. }
            | Self::ActGradient { x, .. }
            | Self::Power(x, _)
            | Self::Softplus(x)
            | Self::Sigmoid(x)
            | Self::Warp { x, .. }
            | Self::WarpTranspose { y: x, .. } => vec![x],
        }
    }

    /// Runs the operation.
    pub fn value(&self) -> Tensor<4> {
        match self {
            Self::Add(a, b) => primitive::add(a.value(), b.value()),
            Self::Sub(a, b) => primitive::sub(a.value(), b.value()),
            Self::Mul(a, b, to) => primitive::mul_fit(a.value(), b.value(), *to),
            Self::Fit(x, to) => primitive::fit(x.value(), *to),
            Self::Affine(x, factor, offset) => primitive::affine(x.value(), *factor, *offset),
            Self::Reshape(x, dims) => x.value().clone().reshape(*dims),
            Self::Swap(x) => x.value().clone().swap_dims(0, 1),
            Self::Narrow { x, axis, start, len } => x.value().clone().narrow(*axis, *start, *len),
            Self::Embed { x, axis, start, len } => primitive::embed(x.value(), *axis, *start, *len),
            Self::Take { x, axis, indices } => primitive::take(x.value(), *axis, indices),
            Self::PutBack { y, axis, indices, len } => primitive::put_back(y.value(), *axis, indices, *len),
            Self::Cat(parts, axis) => Tensor::cat(parts.iter().map(|part| part.value().clone()).collect(), *axis),
            Self::Conv { x, weight, step } => primitive::conv2d(x.value(), weight.value(), step.stride, step.padding),
            Self::ConvTranspose { y, weight, step, size } => {
                primitive::conv2d_input_gradient(y.value(), weight.value(), step.stride, step.padding, *size)
            }
            Self::ConvWeight { x, y, step, kernel } => {
                primitive::conv2d_weight_gradient(x.value(), y.value(), step.stride, step.padding, *kernel)
            }
            Self::Fir { x, fir } => primitive::upfirdn2d(x.value(), fir),
            Self::BiasAct { x, bias, act } => primitive::bias_act(x.value(), bias.as_ref().map(Var::value), *act),
            Self::ActGradient { x, y, act } => primitive::act_gradient(x.value(), y, *act),
            Self::Power(x, exponent) => primitive::power(x.value(), *exponent),
            Self::Softplus(x) => primitive::softplus(x.value()),
            Self::Sigmoid(x) => primitive::sigmoid(x.value()),
            Self::Warp { x, maps, size } => primitive::warp(x.value(), maps, *size),
            Self::WarpTranspose { y, maps, size } => primitive::warp_transpose(y.value(), maps, *size),
        }
    }

    /// The gradient by parent number `index`, where `result` is the node of this operation and `g` the gradient by it.
    pub fn gradient(&self, index: usize, result: &Var, g: &Var) -> Var {
        match self {
            Self::Add(a, b) => g.fit([a, b][index].dims()),
            Self::Sub(a, b) => {
                if index == 0 {
                    g.fit(a.dims())
                } else {
                    g.fit(b.dims()).scale(-1.0)
                }
            }
            Self::Mul(a, b, _) => {
                let (this, other) = if index == 0 { (a, b) } else { (b, a) };
                g.mul_fit(other, this.dims())
            }
            Self::Fit(x, _) => g.fit(x.dims()),
            Self::Affine(_, factor, _) => g.scale(*factor),
            Self::Reshape(x, _) => g.reshape(x.dims()),
            Self::Swap(_) => g.swap(),
            Self::Narrow { x, axis, start, .. } => g.embed(*axis, *start, x.dims()[*axis]),
            Self::Embed { x, axis, start, .. } => g.narrow(*axis, *start, x.dims()[*axis]),
            Self::Take { x, axis, indices } => {
                Var::of(Self::PutBack { y: g.clone(), axis: *axis, indices: indices.clone(), len: x.dims()[*axis] })
            }
            Self::PutBack { axis, indices, .. } => {
                Var::of(Self::Take { x: g.clone(), axis: *axis, indices: indices.clone() })
            }
            Self::Cat(parts, axis) => {
                let start = parts[..index].iter().map(|part| part.dims()[*axis]).sum();
                g.narrow(*axis, start, parts[index].dims()[*axis])
            }
            Self::Conv { x, weight, step } => {
                if index == 0 {
                    let [_, _, height, width] = x.dims();
                    Var::of(Self::ConvTranspose {
                        y: g.clone(),
                        weight: weight.clone(),
                        step: *step,
                        size: [height, width],
                    })
                } else {
                    let kernel = weight.dims()[2];
                    Var::of(Self::ConvWeight { x: x.clone(), y: g.clone(), step: *step, kernel })
                }
            }
            Self::ConvTranspose { y, weight, step, .. } => {
                if index == 0 {
                    Var::of(Self::Conv { x: g.clone(), weight: weight.clone(), step: *step })
                } else {
                    let kernel = weight.dims()[2];
                    Var::of(Self::ConvWeight { x: g.clone(), y: y.clone(), step: *step, kernel })
                }
            }
            Self::ConvWeight { x, y, step, .. } => {
                if index == 0 {
                    let [_, _, height, width] = x.dims();
                    Var::of(Self::ConvTranspose { y: y.clone(), weight: g.clone(), step: *step, size: [height, width] })
                } else {
                    Var::of(Self::Conv { x: x.clone(), weight: g.clone(), step: *step })
                }
            }
            Self::Fir { x, fir } => {
                let [_, _, height, width] = x.dims();
                Var::of(Self::Fir { x: g.clone(), fir: fir.transposed([height, width]) })
            }
            Self::BiasAct { bias, act, .. } => {
                let inner = if *act == Act::LINEAR {
                    g.clone()
                } else {
                    Var::of(Self::ActGradient { x: g.clone(), y: result.value().clone(), act: *act })
                };
                match bias {
                    Some(bias) if index == 1 => inner.fit(bias.dims()),
                    _ => inner,
                }
            }
            Self::ActGradient { y, act, .. } => Var::of(Self::ActGradient { x: g.clone(), y: y.clone(), act: *act }),
            Self::Power(x, exponent) => g.mul(&x.power(exponent - 1.0).scale(*exponent)),
            Self::Softplus(x) => g.mul(&x.sigmoid()),
            // s (1 - s), from the result itself.
            Self::Sigmoid(_) => g.mul(&result.mul(&result.affine(-1.0, 1.0))),
            Self::Warp { x, maps, .. } => {
                let [_, _, height, width] = x.dims();
                Var::of(Self::WarpTranspose { y: g.clone(), maps: maps.clone(), size: [height, width] })
            }
            Self::WarpTranspose { y, maps, .. } => {
                let [_, _, height, width] = y.dims();
                Var::of(Self::Warp { x: g.clone(), maps: maps.clone(), size: [height, width] })
            }
        }
    }
}
