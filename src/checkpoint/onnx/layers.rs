//! Layers that both families share, as ONNX nodes.

use std::borrow::Cow;

use super::graph::{Graph, float, int, ints};
use crate::model::state_dict::HostTensor;

/// Slope of the leaky ReLU in both papers.
const SLOPE: f32 = 0.2;

/// A fully connected layer `x @ (W * gain)^T + b`, `x` `[N, in]`.
pub fn dense<'a>(
    g: &mut Graph<'a>,
    x: &str,
    name: &str,
    weight: &'a HostTensor,
    gain: f32,
    bias: impl Into<Cow<'a, [f32]>>,
) -> String {
    let w = g.scaled(&format!("{name}.weight"), &weight.shape, &weight.data, gain);
    let bias = bias.into();
    let b = g.constant(&format!("{name}.bias"), &[bias.len()], bias);
    g.node("Gemm", &[x, &w, &b], vec![int("transB", 1)])
}

/// A fully connected layer without bias whose output is `[N, channels, 4, 4]`.
pub fn dense_to_map<'a>(
    g: &mut Graph<'a>,
    x: &str,
    name: &str,
    weight: &'a HostTensor,
    gain: f32,
    channels: usize,
) -> String {
    let w = g.scaled(name, &weight.shape, &weight.data, gain);
    let y = g.node("Gemm", &[x, &w], vec![int("transB", 1)]);
    let shape = g.integers(&[-1, channels as i64, 4, 4]);
    g.node("Reshape", &[&y, &shape], Vec::new())
}

/// A convolution without bias, weight `[out, in, k, k]`, zero padding `pad` on every side.
pub fn conv<'a>(g: &mut Graph<'a>, x: &str, name: &str, weight: &'a HostTensor, gain: f32, pad: i64) -> String {
    let w = g.scaled(name, &weight.shape, &weight.data, gain);
    g.node("Conv", &[x, &w], vec![ints("pads", &[pad; 4])])
}

/// A transposed convolution of stride 2; `weight` is `[out, in, k, k]` as everywhere else.
pub fn conv_transpose<'a>(
    g: &mut Graph<'a>,
    x: &str,
    name: &str,
    weight: impl Into<Cow<'a, [f32]>>,
    [o, i, k]: [usize; 3],
    pad: i64,
) -> String {
    // [O, I, k, k] -> [I, O, k, k], ONNX's order for transposed convolutions
    let w = g.swapped(name, &[i, o, k, k], weight, [o, i, k * k]);
    g.node("ConvTranspose", &[x, &w], vec![ints("strides", &[2, 2]), ints("pads", &[pad; 4])])
}

/// A two-dimensional filter applied to each of `channels` channels by itself, zero padding `pad`. `taps` is the
/// one-dimensional filter; it is normalised to sum 1 in two dimensions and multiplied by `gain`.
pub fn filter(g: &mut Graph<'_>, x: &str, name: &str, taps: &[f32], gain: f32, channels: usize, pad: i64) -> String {
    let w = filter_weight(g, name, taps, gain, channels);
    g.node("Conv", &[x, &w], vec![ints("pads", &[pad; 4]), int("group", channels as i64)])
}

/// Zero insertion, then the filter with gain 4: doubles the side of an image of `channels` channels.
pub fn filter_up(g: &mut Graph<'_>, x: &str, name: &str, taps: &[f32], channels: usize) -> String {
    let w = filter_weight(g, name, taps, 4.0, channels);
    // `upfirdn2d` pads the upsampled image by (k+1)/2 before and (k-2)/2 behind; transposed, that is k - 1 - (k+1)/2
    // cut off before, and one line less behind.
    let k = taps.len() as i64;
    let (before, behind) = (k - 1 - (k + 1) / 2, k - 1 - (k - 2) / 2 - 1);
    let attributes =
        vec![ints("strides", &[2, 2]), ints("pads", &[before, before, behind, behind]), int("group", channels as i64)];
    g.node("ConvTranspose", &[x, &w], attributes)
}

fn filter_weight(g: &mut Graph<'_>, name: &str, taps: &[f32], gain: f32, channels: usize) -> String {
    let sum: f32 = taps.iter().sum();
    // `Conv` correlates and the papers convolve: the same for their symmetric filters, but a file may carry others.
    let plane: Vec<f32> =
        taps.iter().rev().flat_map(|a| taps.iter().rev().map(move |b| a * b / (sum * sum) * gain)).collect();
    let all: Vec<f32> = std::iter::repeat_n(&plane, channels).flatten().copied().collect();
    g.constant(name, &[channels, 1, taps.len(), taps.len()], all)
}

/// `x + noise * strength`; `strength` has one value or one a channel.
pub fn add_noise<'a>(
    g: &mut Graph<'a>,
    x: &str,
    name: &str,
    noise: &str,
    strength: impl Into<Cow<'a, [f32]>>,
) -> String {
    let strength = strength.into();
    let s = g.constant(name, &[1, strength.len(), 1, 1], strength);
    let scaled = g.mul(noise, &s);
    g.add(x, &scaled)
}

/// `x + bias` by channel.
pub fn add_bias<'a>(g: &mut Graph<'a>, x: &str, name: &str, bias: impl Into<Cow<'a, [f32]>>) -> String {
    let bias = bias.into();
    let b = g.constant(name, &[1, bias.len(), 1, 1], bias);
    g.add(x, &b)
}

/// Divides by the root of the mean square along axis 1: of a latent `[N, C]`, or of every pixel `[N, C, H, W]` (arXiv
/// 1710.10196, section 4.2).
pub fn normalize(g: &mut Graph<'_>, x: &str) -> String {
    let square = g.mul(x, x);
    let mean = g.node("ReduceMean", &[&square], vec![ints("axes", &[1])]);
    let epsilon = g.scalar(1e-8);
    let mean = g.add(&mean, &epsilon);
    let root = g.node("Sqrt", &[&mean], Vec::new());
    let inverse = g.node("Reciprocal", &[&root], Vec::new());
    g.mul(x, &inverse)
}

/// Leaky ReLU of slope 0.2.
pub fn leaky_relu(g: &mut Graph<'_>, x: &str) -> String {
    g.node("LeakyRelu", &[x], vec![float("alpha", SLOPE)])
}

/// Clamp to `+-limit`, where there is a limit.
pub fn clamp(g: &mut Graph<'_>, x: &str, limit: Option<f32>) -> String {
    let Some(limit) = limit else { return x.to_owned() };
    let (low, high) = (g.scalar(-limit), g.scalar(limit));
    g.node("Clip", &[x, &low, &high], Vec::new())
}

/// The `index`-th of `ws`: `[N, num_ws, w_dim]` to `[N, w_dim]`.
pub fn pick_w(g: &mut Graph<'_>, ws: &str, index: usize) -> String {
    let at = g.index(index as i64);
    g.node("Gather", &[ws, &at], vec![int("axis", 1)])
}

/// Ones, `[N, 1, 1, 1]` with the batch size of `ws`: what makes a learned constant follow the batch.
pub fn ones_like_batch(g: &mut Graph<'_>, ws: &str) -> String {
    let shape = g.node("Shape", &[ws], vec![int("end", 1)]);
    let rest = g.integers(&[1, 1, 1]);
    let shape = g.node("Concat", &[&shape, &rest], vec![int("axis", 0)]);
    let one = g.vector(&[1.0]);
    g.node("Expand", &[&one, &shape], Vec::new())
}

/// The columns `start..end` of `[N, C]`.
pub fn columns(g: &mut Graph<'_>, x: &str, start: usize, end: usize) -> String {
    let (start, end, axes) = (g.integers(&[start as i64]), g.integers(&[end as i64]), g.integers(&[1]));
    g.node("Slice", &[x, &start, &end, &axes], Vec::new())
}
