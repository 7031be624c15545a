//! StyleGAN2's synthesis network (arXiv 1912.04958, figures 2 and 7), with the growing form of table 1, rows B to D.

use std::f32::consts::FRAC_1_SQRT_2;

use super::{
    filters::{Filters, nearest_up},
    generator::{Images, NoiseMaps},
    latent_side::dense,
    params::Weights,
};
use crate::{
    grad::{Act, Var},
    model::{
        config::{Architecture, StyleGan2Config, resolutions},
        error::ModelError,
    },
    ops::modulated_conv::DEMODULATION_EPSILON,
};

/// One run of the network.
pub(super) struct Synthesis<'a, 'n> {
    pub config: &'a StyleGan2Config,
    pub filters: &'a Filters,
    pub weights: &'a Weights,
    /// [N, num_ws, w_dim, 1]
    pub ws: &'a Var,
    pub noise: NoiseMaps<'n>,
    /// Level of detail, if the network grows.
    pub lod: Option<f32>,
}

impl Synthesis<'_, '_> {
    pub fn run(mut self) -> Result<Images, ModelError> {
        let [batch, ..] = self.ws.dims();
        let constant = self.weights.get("synthesis.b4.const")?;
        let [_, channels, height, width] = constant.dims();
        let mut x = constant.fit([batch, channels, height, width]);
        let mut image: Option<Var> = None;
        let mut smaller = Vec::new();
        let side = Images::current_resolution(self.config.resolution, self.lod.unwrap_or(0.0));
        let fade = self.lod.map_or(0.0, f32::fract);
        for resolution in resolutions(side) {
            x = self.block(resolution, x)?;
            let last = resolution == side;
            let wanted = match (self.config.architecture, self.lod) {
                (Architecture::Skip | Architecture::Msg, _) => true,
                (_, Some(_)) => last || 2 * resolution == side && fade > 0.0,
                (_, None) => last,
            };
            if !wanted {
                continue;
            }
            let rgb = self.to_rgb(resolution, &x)?;
            image = Some(match image.take() {
                None => rgb,
                Some(below) if self.lod.is_some() => rgb.scale(1.0 - fade).add(&nearest_up(&below).scale(fade)),
                Some(below) if self.config.architecture == Architecture::Msg => {
                    smaller.push(below);
                    rgb
                }
                Some(below) => below.fir(&self.filters.up).add(&rgb),
            });
        }
        image.map(|image| Images { image, smaller }).ok_or(ModelError::Unfinished)
    }

    fn block(&mut self, resolution: usize, x: Var) -> Result<Var, ModelError> {
        let name = format!("synthesis.b{resolution}");
        let first_ws = (2 * resolution.ilog2() as usize).saturating_sub(5);
        if resolution == 4 {
            return self.layer(&format!("{name}.conv1"), &x, 0, false, 1.0);
        }
        let residual = self.config.architecture == Architecture::Resnet;
        let gain = if residual { FRAC_1_SQRT_2 } else { 1.0 };
        let y = self.layer(&format!("{name}.conv0"), &x, first_ws, true, 1.0)?;
        let y = self.layer(&format!("{name}.conv1"), &y, first_ws + 1, false, gain)?;
        if !residual {
            return Ok(y);
        }
        let weight = self.weights.get(&format!("{name}.skip.weight"))?;
        let gain = FRAC_1_SQRT_2 / (weight.dims()[1] as f32).sqrt();
        Ok(x.conv2d(&weight.scale(gain), 1, 0).fir(&self.filters.up).add(&y))
    }

    fn style(&self, layer: &str, ws_index: usize) -> Result<Var, ModelError> {
        let [batch, _, w_dim, _] = self.ws.dims();
        let w = self.ws.narrow(1, ws_index, 1).reshape([batch, w_dim, 1, 1]);
        dense(self.weights, &format!("{layer}.affine"), &w, [1.0, 1.0], Act::LINEAR)
    }

    fn layer(&mut self, name: &str, x: &Var, ws_index: usize, up: bool, gain: f32) -> Result<Var, ModelError> {
        let style = self.style(name, ws_index)?;
        let weight = self.weights.get(&format!("{name}.weight"))?;
        let [outputs, inputs, kernel, _] = weight.dims();
        let power = style.square().linear(&weight.mul_fit(weight, [outputs, inputs, 1, 1]));
        let demodulation = power.affine(1.0, DEMODULATION_EPSILON as f32).power(-0.5);
        let x = x.mul(&style);
        let y = if up {
            let [_, _, height, width] = x.dims();
            let size = [2 * height - 2 + kernel, 2 * width - 2 + kernel];
            x.conv_transpose2d(&weight.swap(), 2, 0, size).fir(&self.filters.after_up)
        } else {
            x.conv2d(weight, 1, kernel / 2)
        };
        let mut y = y.mul(&demodulation);
        if let Some(strength) = self.weights.find(&format!("{name}.noise_strength")) {
            let [batch, _, height, width] = y.dims();
            let stored = self.weights.find(&format!("{name}.noise_const"));
            if let Some(map) = self.noise.next([batch, 1, height, width], stored, &y.device()) {
                y = y.add(&map.mul(strength));
            }
        }
        let act = Act { clamp: self.config.conv_clamp.map(|clamp| clamp as f32), ..Act::LEAKY_RELU };
        Ok(y.bias_act(Some(self.weights.get(&format!("{name}.bias"))?), self.act(act, gain)))
    }

    /// The gain of a residual branch also scales the clamp.
    fn act(&self, act: Act, gain: f32) -> Act {
        if gain == 1.0 { act } else { act.times(gain) }
    }

    fn to_rgb(&self, resolution: usize, x: &Var) -> Result<Var, ModelError> {
        let name = format!("synthesis.b{resolution}.torgb");
        let ws_index = if resolution == 4 { 1 } else { 2 * resolution.ilog2() as usize - 3 };
        let weight = self.weights.get(&format!("{name}.weight"))?;
        let style = self.style(&name, ws_index)?.scale(1.0 / (weight.dims()[1] as f32).sqrt());
        let act = Act { clamp: self.config.conv_clamp.map(|clamp| clamp as f32), ..Act::LINEAR };
        Ok(x.mul(&style).conv2d(weight, 1, 0).bias_act(Some(self.weights.get(&format!("{name}.bias"))?), act))
    }
}
