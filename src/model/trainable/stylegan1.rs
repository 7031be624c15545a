//! StyleGAN's synthesis network (arXiv 1812.04948, figure 1) and, with fewer features, the progressive GAN's (1710.10196):
//! the rows A to F of StyleGAN's table 1, at any level of detail.

use std::f32::consts::SQRT_2;

use super::{
    filters::nearest_up,
    generator::{Images, NoiseMaps},
    latent_side::{dense, normalize},
    params::Weights,
};
use crate::{
    grad::{Act, Fir, Var},
    model::{
        config::{StyleGan1Config, SynthesisInput, resolutions},
        error::ModelError,
    },
};

/// Under the root of the instance normalisation.
const EPSILON: f32 = 1e-8;

/// One run of the network.
pub(super) struct Synthesis<'a, 'n> {
    pub config: &'a StyleGan1Config,
    pub blur: Option<&'a Fir>,
    pub weights: &'a Weights,
    /// [N, num_ws, w_dim, 1]
    pub ws: &'a Var,
    pub noise: NoiseMaps<'n>,
    pub lod: f32,
}

impl Synthesis<'_, '_> {
    pub fn run(mut self) -> Result<Images, ModelError> {
        let side = Images::current_resolution(self.config.resolution, self.lod);
        let fade = if side > 4 { self.lod.fract() } else { 0.0 };
        let mut x = self.input()?;
        let mut below: Option<Var> = None;
        for (block, resolution) in resolutions(side).enumerate() {
            if block > 0 {
                x = self.convolve_up(2 * block, resolution, &x)?;
                x = self.epilogue(2 * block, x)?;
            }
            x = self.convolve(2 * block + 1, &x)?;
            x = self.epilogue(2 * block + 1, x)?;
            if resolution == side || 2 * resolution == side && fade > 0.0 {
                let rgb = self.to_rgb(block, &x)?;
                below = Some(match below.take() {
                    None => rgb,
                    Some(below) => rgb.scale(1.0 - fade).add(&nearest_up(&below).scale(fade)),
                });
            }
        }
        below.map(|image| Images { image, smaller: Vec::new() }).ok_or(ModelError::Unfinished)
    }

    fn w(&self, index: usize) -> Var {
        let [batch, num_ws, w_dim, _] = self.ws.dims();
        self.ws.narrow(1, index.min(num_ws - 1), 1).reshape([batch, w_dim, 1, 1])
    }

    /// The constant or the fully connected layer on the latent, with the first layer's epilogue.
    fn input(&mut self) -> Result<Var, ModelError> {
        let (batch, channels) = (self.ws.dims()[0], self.config.channels.at(4));
        let x = match self.config.features.input {
            SynthesisInput::Constant => self.weights.get("synthesis.layer0.const")?.fit([batch, channels, 4, 4]),
            SynthesisInput::Latent => {
                let weight = self.weights.get("synthesis.layer0.dense.weight")?;
                let gain = SQRT_2 / 4.0 / (weight.dims()[1] as f32).sqrt();
                self.w(0).linear(&weight.scale(gain)).reshape([batch, channels, 4, 4])
            }
        };
        self.epilogue(0, x)
    }

    /// The layer's weight with its gain.
    fn weight(&self, layer: usize) -> Result<Var, ModelError> {
        let weight = self.weights.get(&format!("synthesis.layer{layer}.weight"))?;
        let [_, inputs, kernel, _] = weight.dims();
        Ok(weight.scale(SQRT_2 / ((inputs * kernel * kernel) as f32).sqrt()))
    }

    fn convolve(&self, layer: usize, x: &Var) -> Result<Var, ModelError> {
        Ok(x.conv2d(&self.weight(layer)?, 1, 1))
    }

    fn convolve_up(&self, layer: usize, resolution: usize, x: &Var) -> Result<Var, ModelError> {
        let weight = self.weight(layer)?;
        let y = if resolution >= self.config.fused_from {
            x.conv_transpose2d(&spread(&weight).swap(), 2, 1, [resolution, resolution])
        } else {
            nearest_up(x).conv2d(&weight, 1, 1)
        };
        Ok(match self.blur {
            Some(blur) => y.fir(blur),
            None => y,
        })
    }

    /// Noise, bias, activation, then AdaIN or, without styles, pixel norm.
    fn epilogue(&mut self, layer: usize, x: Var) -> Result<Var, ModelError> {
        let name = format!("synthesis.layer{layer}");
        let [batch, channels, height, width] = x.dims();
        let mut x = x;
        if self.config.features.use_noise {
            let stored = self.weights.find(&format!("{name}.apply_noise.noise"));
            if let Some(map) = self.noise.next([batch, 1, height, width], stored, &x.device()) {
                x = x.add(&map.mul(self.weights.get(&format!("{name}.apply_noise.weight"))?));
            }
        }
        let x = x.bias_act(Some(self.weights.get(&format!("{name}.bias"))?), Act::PLAIN_LEAKY_RELU);
        if !self.config.features.styles {
            return Ok(normalize(&x));
        }
        let style = dense(self.weights, &format!("{name}.style"), &self.w(layer), [1.0, 1.0], Act::LINEAR)?;
        let each = [batch, channels, 1, 1];
        let x = x.sub(&x.mean_to(each));
        let variance = x.square().mean_to(each);
        let scale = variance.affine(1.0, EPSILON).power(-0.5).mul(&style.narrow(1, 0, channels).affine(1.0, 1.0));
        Ok(x.mul(&scale).add(&style.narrow(1, channels, channels)))
    }

    fn to_rgb(&self, block: usize, x: &Var) -> Result<Var, ModelError> {
        let weight = self.weights.get(&format!("synthesis.output{block}.weight"))?;
        let gain = 1.0 / (weight.dims()[1] as f32).sqrt();
        let bias = self.weights.get(&format!("synthesis.output{block}.bias"))?;
        Ok(x.conv2d(&weight.scale(gain), 1, 0).bias_act(Some(bias), Act::LINEAR))
    }
}

/// The kernel of a convolution that is fused with a change of size: padded by a pixel, its four shifted copies summed.
pub(super) fn spread(weight: &Var) -> Var {
    let kernel = weight.dims()[2];
    let padded = weight.embed(2, 1, kernel + 2).embed(3, 1, kernel + 2);
    let rows = padded.narrow(2, 0, kernel + 1).add(&padded.narrow(2, 1, kernel + 1));
    rows.narrow(3, 0, kernel + 1).add(&rows.narrow(3, 1, kernel + 1))
}
