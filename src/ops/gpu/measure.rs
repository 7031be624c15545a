//! How long a layer takes on a device, one way or the other.

use std::{
    f64::consts::SQRT_2,
    time::{Duration, Instant},
};

use burn::tensor::{Device, FloatDType, Tensor};

use super::choice::{Choice, LayerShape};
use crate::ops::{Activation, Filter, LayerNoise, SynthesisLayer, gpu, synthesis_layer::synthesis_layer_tensors};

/// Runs of which the shortest counts.
const RUNS: usize = 5;

/// The device failed while it was measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a layer could not be timed on its device: {0}")]
pub struct MeasureError(String);

/// The shortest of a few runs of such a layer, after one that is not counted: it compiles. Waits for the device.
///
/// # Errors
/// [`MeasureError`] if the device failed.
pub fn measure(device: &Device, shape: &LayerShape, choice: Choice) -> Result<Duration, MeasureError> {
    let LayerShape { batch, inputs, outputs, size: [height, width], kernel, up, half } = *shape;
    let dtype = if half { FloatDType::F16 } else { FloatDType::F32 };
    let scale = if up { 2 } else { 1 };
    // The values do not matter, the number of taps does.
    let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], device);
    let layer = SynthesisLayer {
        x: Tensor::<4>::ones([batch, inputs, height, width], device).cast(dtype),
        weight: Tensor::<4>::ones([outputs, inputs, kernel, kernel], device).cast(dtype),
        style: Tensor::ones([batch, inputs], device),
        up: up.then_some(&filter),
        demodulate: true,
        noise: Some(LayerNoise {
            map: Tensor::ones([1, 1, scale * height, scale * width], device),
            strength: Tensor::ones([1], device),
            multiplier: 1.0,
        }),
        bias: Some(Tensor::ones([outputs], device)),
        activation: Activation::LeakyRelu,
        gain: SQRT_2,
        clamp: Some(256.0),
    };
    let sync = || device.sync().map_err(|error| MeasureError(error.to_string()));
    let run = || {
        let begin = Instant::now();
        let y = match choice {
            Choice::Tensors => synthesis_layer_tensors(layer.clone()),
            Choice::Tile(size) => gpu::layer(layer.clone(), size),
        };
        sync()?;
        drop(y);
        Ok(begin.elapsed())
    };
    sync()?;
    run()?;
    (0..RUNS).try_fold(Duration::MAX, |best, _| Ok(run()?.min(best)))
}
