//! The colours of a block: a synthesis layer with few outputs, on top of the image of the block below.

use burn::tensor::{FloatDType, Tensor};

use super::{
    gpu,
    resample::{upsample2d, upsampling},
    synthesis_layer::{SynthesisLayer, synthesis_layer, synthesis_layer_reference},
    upfirdn2d::{Filter, upfirdn2d_reference},
};

/// The layer's result in f32, plus the image `below` doubled by its filter; only the input may be stored in f16. One kernel on a GPU where no gradient is wanted.
///
/// # Shapes
/// - below: [N, O, H / 2, W / 2]
/// - output: [N, O, H, W]
///
/// # Panics
/// If the shapes do not agree.
pub fn rgb_layer(layer: SynthesisLayer, below: Option<(Tensor<4>, &Filter)>) -> Tensor<4> {
    check(&layer, below.as_ref().map(|(image, _)| image));
    if gpu::takes_rgb(&layer, below.as_ref().map(|(_, filter)| *filter)) {
        return gpu::rgb(layer, below);
    }
    // The image is f32, however feature maps are stored.
    let rgb = synthesis_layer(SynthesisLayer { x: layer.x.cast(FloatDType::F32), ..layer });
    match below {
        Some((image, filter)) => upsample2d(image, filter).add(rgb),
        None => rgb,
    }
}

/// The same from the twins of its parts. Twin of [`rgb_layer`].
pub fn rgb_layer_reference(layer: SynthesisLayer, below: Option<(Tensor<4>, &Filter)>) -> Tensor<4> {
    let rgb = synthesis_layer_reference(layer);
    match below {
        Some((image, filter)) => upfirdn2d_reference(image, filter, upsampling(filter)).add(rgb),
        None => rgb,
    }
}

fn check(layer: &SynthesisLayer, below: Option<&Tensor<4>>) {
    layer.check();
    if let Some(below) = below {
        let [batch, outputs, height, width] = layer.output_shape();
        assert_eq!(below.dims(), [batch, outputs, height / 2, width / 2], "the image below");
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::ops::{
        Activation,
        testing::{assert_same, noise},
    };

    #[test]
    fn agrees_with_its_twin() {
        let device = Device::flex();
        let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], &device);
        let layer = SynthesisLayer {
            x: noise([2, 5, 8, 6], 1, &device),
            weight: noise([3, 5, 1, 1], 2, &device),
            style: noise([2, 5], 3, &device),
            up: None,
            demodulate: false,
            noise: None,
            bias: Some(noise([3], 4, &device)),
            activation: Activation::Linear,
            gain: 1.0,
            clamp: Some(2.0),
        };
        for below in [None, Some((noise([2, 3, 4, 3], 5, &device), &filter))] {
            let fast = rgb_layer(layer.clone(), below.clone());
            assert_same(fast, rgb_layer_reference(layer.clone(), below), 1e-5);
        }
    }
}
