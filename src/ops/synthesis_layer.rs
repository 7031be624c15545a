//! One synthesis layer of StyleGAN2 as a single operation: the place where a backend may use one kernel for all of it.

use burn::tensor::{DType, FloatDType, Tensor};

use super::{
    bias_act::{Activation, bias_act, bias_act_reference},
    gpu::{self, Choice, LayerShape, choice},
    modulated_conv::{modulated_conv, modulated_conv_reference},
    upfirdn2d::Filter,
};

/// The noise input of a layer: `map * strength`.
#[derive(Debug, Clone)]
pub struct LayerNoise {
    /// [1 or N, 1, H, W] of the layer's output.
    pub map: Tensor<4>,
    /// [1], the layer's learned strength (StyleGAN2), or [O], one an output channel (StyleGAN).
    pub strength: Tensor<1>,
    /// Factor on the strength, 1 as the model was trained.
    pub multiplier: f32,
}

/// Everything that a synthesis layer computes from. All tensors are on one device.
///
/// `clamp(act(conv(x, weight * style, demodulated) -> FIR if up -> + noise -> + bias) * gain)`
#[derive(Debug, Clone)]
pub struct SynthesisLayer<'a> {
    /// Input, [N, I, H, W], in f32 or f16; the result is stored like it, and computed in f32.
    pub x: Tensor<4>,
    /// Convolution weight, stored like the input, without any gain, [O, I, k, k], k 1 or 3; for `up` as a transposed convolution uses it.
    pub weight: Tensor<4>,
    /// Factor on each input channel, [N, I].
    pub style: Tensor<2>,
    /// Doubles the size: transposed convolution of stride 2, then this filter with gain 4.
    pub up: Option<&'a Filter>,
    /// Normalise each output channel by the root of the modulated weight's power.
    pub demodulate: bool,
    /// Noise, added after the filter.
    pub noise: Option<LayerNoise>,
    /// Bias, [O], added after the noise.
    pub bias: Option<Tensor<1>>,
    /// Activation.
    pub activation: Activation,
    /// Factor after the activation.
    pub gain: f64,
    /// Limit of the absolute value of the result.
    pub clamp: Option<f64>,
}

/// Runs the layer: [N, O, H, W], twice the size with `up`. One or two kernels of our own on a GPU where no gradient is
/// wanted, else tensor operations.
///
/// # Panics
/// If the shapes do not agree.
pub fn synthesis_layer(layer: SynthesisLayer) -> Tensor<4> {
    layer.check();
    if gpu::takes_layer(&layer)
        && let Choice::Tile(size) = choice::choice(&layer.x.device(), &LayerShape::of(&layer))
    {
        return gpu::layer(layer, size);
    }
    synthesis_layer_tensors(layer)
}

/// The same by tensor operations on any device, which have gradients. What is stored in f16 is computed in f32 and stored so again.
pub(crate) fn synthesis_layer_tensors(layer: SynthesisLayer) -> Tensor<4> {
    if layer.x.dtype() == DType::F16 {
        let [x, weight] = [layer.x, layer.weight].map(|stored| stored.cast(FloatDType::F32));
        return synthesis_layer_tensors(SynthesisLayer { x, weight, ..layer }).cast(FloatDType::F16);
    }
    let SynthesisLayer { x, weight, style, up, demodulate, noise, bias, activation, gain, clamp } = layer;
    let y = modulated_conv(x, weight, style, demodulate, up);
    bias_act(add_noise(y, noise), bias, activation, gain, clamp)
}

/// The same from the twins of its parts. Twin of [`synthesis_layer`].
pub fn synthesis_layer_reference(layer: SynthesisLayer) -> Tensor<4> {
    let SynthesisLayer { x, weight, style, up, demodulate, noise, bias, activation, gain, clamp } = layer;
    let y = modulated_conv_reference(x, weight, style, demodulate, up);
    bias_act_reference(add_noise(y, noise), bias, activation, gain, clamp)
}

impl SynthesisLayer<'_> {
    /// Shape of the result, [N, O, H, W].
    pub(crate) fn output_shape(&self) -> [usize; 4] {
        let [batch, _, height, width] = self.x.dims();
        let scale = if self.up.is_some() { 2 } else { 1 };
        [batch, self.weight.dims()[0], scale * height, scale * width]
    }

    pub(crate) fn check(&self) {
        let ([batch, inputs, ..], [outputs, weight_inputs, kernel_height, kernel_width]) =
            (self.x.dims(), self.weight.dims());
        assert_eq!(inputs, weight_inputs, "input channels");
        assert_eq!(self.style.dims(), [batch, inputs], "one style value a sample and input channel");
        assert!(kernel_height == kernel_width, "a {kernel_height}x{kernel_width} kernel");
        if let Some(bias) = &self.bias {
            assert_eq!(bias.dims(), [outputs], "one bias a channel");
        }
        if let Some(LayerNoise { map, .. }) = &self.noise {
            check_noise(map.dims(), self.output_shape());
        }
    }
}

fn check_noise(map: [usize; 4], output: [usize; 4]) {
    let ([maps, one, map_height, map_width], [batch, _, height, width]) = (map, output);
    assert!(
        (maps == 1 || maps == batch) && [one, map_height, map_width] == [1, height, width],
        "a noise map of {map:?} for an output of {output:?}"
    );
}

fn add_noise(y: Tensor<4>, noise: Option<LayerNoise>) -> Tensor<4> {
    let Some(LayerNoise { map, strength, multiplier }) = noise else { return y };
    check_noise(map.dims(), y.dims());
    let strength = if multiplier == 1.0 { strength } else { strength.mul_scalar(multiplier) };
    let [strengths] = strength.dims();
    y.add(map.mul(strength.reshape([1, strengths, 1, 1])))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::testing::{assert_gradient, assert_same, noise};

    fn layer<'a>(up: Option<&'a Filter>, clamp: Option<f64>, device: &Device) -> SynthesisLayer<'a> {
        let side = if up.is_some() { 8 } else { 4 };
        SynthesisLayer {
            x: noise([2, 3, 4, 4], 1, device),
            weight: noise([4, 3, 3, 3], 2, device),
            style: noise([2, 3], 3, device).add_scalar(1.0),
            up,
            demodulate: true,
            noise: Some(LayerNoise {
                map: noise([1, 1, side, side], 4, device),
                strength: noise([1], 5, device),
                multiplier: 0.5,
            }),
            bias: Some(noise([4], 6, device)),
            activation: Activation::LeakyRelu,
            gain: std::f64::consts::SQRT_2,
            clamp,
        }
    }

    #[test]
    fn agrees_with_its_twin() {
        let device = Device::flex();
        let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
        for up in [None, Some(&filter)] {
            for clamp in [None, Some(0.8)] {
                let fast = synthesis_layer(layer(up, clamp, &device));
                assert_same(fast, synthesis_layer_reference(layer(up, clamp, &device)), 1e-5);
            }
        }
    }

    #[test]
    fn noise_and_bias_have_gradients() {
        let device = Device::flex().autodiff();
        // The linear activation has no kinks, so the difference quotient is exact up to rounding.
        let base = SynthesisLayer { activation: Activation::Linear, ..layer(None, None, &device) };
        let goal = noise([2, 4, 4, 4], 7, &device);
        assert_gradient(noise([4], 8, &device), 2e-3, |bias| {
            synthesis_layer(SynthesisLayer { bias: Some(bias), ..base.clone() }).mul(goal.clone()).sum()
        });
        assert_gradient(noise([1], 9, &device), 2e-3, |strength| {
            let map = noise([1, 1, 4, 4], 10, &device);
            let noise = Some(LayerNoise { map, strength, multiplier: 1.5 });
            synthesis_layer(SynthesisLayer { noise, ..base.clone() }).mul(goal.clone()).sum()
        });
    }
}
