//! StyleGAN's and the progressive GAN's discriminator at any level of detail (arXiv 1710.10196, section 2 and table 2;
//! 1812.04948, appendix C).

use std::f32::consts::SQRT_2;

use super::{
    discriminator::Plan, filters::average_down, minibatch_stddev::minibatch_stddev, params::Weights, stylegan1::spread,
};
use crate::{
    grad::{Act, Fir, Var},
    model::{
        config::{StyleGan1Variant, resolutions},
        discriminator_config::StyleGan1DiscriminatorConfig,
        error::ModelError,
        weights::Init,
    },
};

/// One run of the network.
pub(super) struct Run<'a> {
    pub config: &'a StyleGan1DiscriminatorConfig,
    pub blur: Option<&'a Fir>,
    pub weights: &'a Weights,
    pub lod: f32,
}

/// The weights of a network of this configuration.
pub(super) fn plan(config: &StyleGan1DiscriminatorConfig) -> Plan {
    let mut plan = Plan::new();
    let mut layer = |name: String, shape: &[usize]| {
        plan.push((format!("{name}.weight"), shape.to_vec(), Init::Normal(1.0)));
        plan.push((format!("{name}.bias"), vec![shape[0]], Init::Constant(0.0)));
    };
    let blocks = resolutions(config.resolution).count();
    for (lod, r) in resolutions(config.resolution).rev().enumerate() {
        let channels = config.channels.at(r);
        layer(format!("input{lod}"), &[channels, config.img_channels, 1, 1]);
        if r > 4 {
            let outputs = config.channels.at(r / 2);
            let between = if config.variant == StyleGan1Variant::Community { outputs } else { channels };
            layer(format!("layer{}", 2 * lod), &[between, channels, 3, 3]);
            layer(format!("layer{}", 2 * lod + 1), &[outputs, between, 3, 3]);
        }
    }
    let (first, channels) = (2 * (blocks - 1), config.channels.at(4));
    layer(format!("layer{first}"), &[channels, channels + 1, 3, 3]);
    layer(format!("layer{}", first + 1), &[channels, channels * 16]);
    layer(format!("layer{}", first + 2), &[config.label_dim.max(1), channels]);
    plan
}

impl Run<'_> {
    pub fn logits(&self, image: &Var, label: Option<&Var>) -> Result<Var, ModelError> {
        let side = image.dims()[2];
        let fade = self.lod.fract();
        let level = |r: usize| (self.config.resolution / r).ilog2() as usize;
        let mut x = self.from_rgb(level(side), image)?;
        for r in resolutions(side).rev().take_while(|&r| r > 4) {
            x = self.conv(2 * level(r), &x)?;
            x = self.conv_down(2 * level(r) + 1, r, &x)?;
            if r == side && fade > 0.0 {
                let old = self.from_rgb(level(r / 2), &average_down(image))?;
                x = x.scale(1.0 - fade).add(&old.scale(fade));
            }
        }
        self.epilogue(2 * level(4), &x, label)
    }

    fn weight(&self, name: &str, gain: f32) -> Result<Var, ModelError> {
        let weight = self.weights.get(&format!("{name}.weight"))?;
        let [_, inputs, kernel, _] = weight.dims();
        Ok(weight.scale(gain / ((inputs * kernel * kernel) as f32).sqrt()))
    }

    fn act(&self, name: &str, x: &Var, act: Act) -> Result<Var, ModelError> {
        Ok(x.bias_act(Some(self.weights.get(&format!("{name}.bias"))?), act))
    }

    #[allow(clippy::wrong_self_convention, reason = "the layer is called so")]
    fn from_rgb(&self, level: usize, image: &Var) -> Result<Var, ModelError> {
        let name = format!("input{level}");
        let act = if self.config.from_rgb_activation { Act::PLAIN_LEAKY_RELU } else { Act::LINEAR };
        self.act(&name, &image.conv2d(&self.weight(&name, SQRT_2)?, 1, 0), act)
    }

    fn conv(&self, layer: usize, x: &Var) -> Result<Var, ModelError> {
        let name = format!("layer{layer}");
        self.act(&name, &x.conv2d(&self.weight(&name, SQRT_2)?, 1, 1), Act::PLAIN_LEAKY_RELU)
    }

    /// Blur, then the convolution to half the size, fused or with an average after it; bias and activation come last.
    fn conv_down(&self, layer: usize, r: usize, x: &Var) -> Result<Var, ModelError> {
        let name = format!("layer{layer}");
        let weight = self.weight(&name, SQRT_2)?;
        let x = match self.blur {
            Some(blur) => x.fir(blur),
            None => x.clone(),
        };
        let y = if r >= self.config.fused_from {
            x.conv2d(&spread(&weight).scale(0.25), 2, 1)
        } else {
            average_down(&x.conv2d(&weight, 1, 1))
        };
        self.act(&name, &y, Act::PLAIN_LEAKY_RELU)
    }

    fn epilogue(&self, layer: usize, x: &Var, label: Option<&Var>) -> Result<Var, ModelError> {
        let x = minibatch_stddev(x, Some(self.config.mbstd_group_size), 1);
        let x = self.conv(layer, &x)?;
        let [batch, channels, height, width] = x.dims();
        let x = x.reshape([batch, channels * height * width, 1, 1]);
        let name = format!("layer{}", layer + 1);
        let x = self.act(&name, &x.linear(&self.weight(&name, SQRT_2)?), Act::PLAIN_LEAKY_RELU)?;
        let name = format!("layer{}", layer + 2);
        let scores = self.act(&name, &x.linear(&self.weight(&name, 1.0)?), Act::LINEAR)?;
        Ok(match label.filter(|_| self.config.label_dim > 0) {
            Some(label) => scores.mul_fit(label, [batch, 1, 1, 1]),
            None => scores,
        })
    }
}
