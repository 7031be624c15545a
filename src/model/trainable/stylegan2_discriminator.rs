//! StyleGAN2's discriminator (arXiv 1912.04958, figure 7; minibatch standard deviation as in the progressive GAN).

use std::f32::consts::FRAC_1_SQRT_2;

use super::{
    discriminator::Plan,
    filters::{Filters, average_down},
    generator::Images,
    latent_side::{dense, label_mapping},
    minibatch_stddev::minibatch_stddev,
    params::Weights,
};
use crate::{
    grad::{Act, Var},
    model::{
        config::resolutions,
        discriminator_config::{
            DiscriminatorArchitecture as Architecture, LabelProjection, StyleGan2DiscriminatorConfig,
        },
        error::ModelError,
        weights::Init,
    },
};

/// One run of the network.
pub(super) struct Run<'a> {
    pub config: &'a StyleGan2DiscriminatorConfig,
    pub filters: &'a Filters,
    pub weights: &'a Weights,
    /// Level of detail, if the network grows.
    pub lod: Option<f32>,
}

/// The weights of a network of this configuration.
pub(super) fn plan(config: &StyleGan2DiscriminatorConfig) -> Plan {
    let mut plan = Plan::new();
    let mut weight = |name: String, shape: &[usize]| plan.push((name, shape.to_vec(), Init::Normal(1.0)));
    let mut biases: Vec<(String, usize)> = Vec::new();
    let colours = config.img_channels;
    // Besides the features, MSG blocks below the first take the image of their resolution.
    let extra = |r: usize| if config.architecture == Architecture::Msg && r < config.resolution { colours } else { 0 };
    for r in resolutions(config.resolution) {
        let channels = config.channels.at(r);
        let entry = r == config.resolution || config.architecture == Architecture::Skip || config.grows;
        if entry {
            weight(format!("b{r}.fromrgb.weight"), &[channels, colours, 1, 1]);
            biases.push((format!("b{r}.fromrgb.bias"), channels));
        }
        if r > 4 {
            let outputs = config.channels.at(r / 2);
            weight(format!("b{r}.conv0.weight"), &[channels, channels + extra(r), 3, 3]);
            weight(format!("b{r}.conv1.weight"), &[outputs, channels, 3, 3]);
            biases.extend([(format!("b{r}.conv0.bias"), channels), (format!("b{r}.conv1.bias"), outputs)]);
            if config.architecture == Architecture::Resnet {
                weight(format!("b{r}.skip.weight"), &[outputs, channels + extra(r), 1, 1]);
            }
        }
    }
    let channels = config.channels.at(4);
    let outputs = config.outputs();
    weight("b4.conv.weight".into(), &[channels, channels + extra(4) + config.mbstd_num_channels, 3, 3]);
    weight("b4.fc.weight".into(), &[channels, channels * 16]);
    weight("b4.out.weight".into(), &[outputs, channels]);
    biases.extend([
        ("b4.conv.bias".into(), channels),
        ("b4.fc.bias".into(), channels),
        ("b4.out.bias".into(), outputs),
    ]);
    if let Some(dim) = config.label_vector_dim() {
        weight("mapping.embed.weight".into(), &[dim, config.label_dim]);
        biases.push(("mapping.embed.bias".into(), dim));
        let rate = config.mapping.lr_multiplier as f32;
        for i in 0..config.mapping.num_layers {
            plan.push((format!("mapping.fc{i}.weight"), vec![dim, dim], Init::Normal(1.0 / rate)));
            biases.push((format!("mapping.fc{i}.bias"), dim));
        }
    }
    plan.extend(biases.into_iter().map(|(name, len)| (name, vec![len], Init::Constant(0.0))));
    plan
}

impl Run<'_> {
    pub fn logits(&self, images: &Images, label: Option<&Var>) -> Result<Var, ModelError> {
        let side = images.image.dims()[2];
        let fade = self.lod.map_or(0.0, f32::fract);
        let mut image = images.image.clone();
        let mut x: Option<Var> = None;
        for r in resolutions(side).rev().take_while(|&r| r > 4) {
            let entered = self.enter(r, x, &image, images)?;
            let mut y = self.block(r, &entered)?;
            if r == side && fade > 0.0 {
                // The next smaller resolution takes the image itself, and hands over bit by bit.
                let old = self.from_rgb(r / 2, &average_down(&image))?;
                y = y.scale(1.0 - fade).add(&old.scale(fade));
            }
            if self.config.architecture == Architecture::Skip {
                image = image.fir(&self.filters.down);
            }
            x = Some(y);
        }
        let x = self.enter(4, x, &image, images)?;
        self.epilogue(&x, label)
    }

    /// What block `r` computes on: the features from the block above and, by architecture, the image.
    fn enter(&self, r: usize, x: Option<Var>, image: &Var, images: &Images) -> Result<Var, ModelError> {
        let Some(x) = x else { return self.from_rgb(r, image) };
        match self.config.architecture {
            Architecture::Orig | Architecture::Resnet => Ok(x),
            Architecture::Skip => Ok(x.add(&self.from_rgb(r, image)?)),
            Architecture::Msg => {
                let own = images.smaller.iter().find(|image| image.dims()[2] == r).ok_or(ModelError::Unfinished)?;
                Ok(Var::cat(&[x, own.clone()], 1))
            }
        }
    }

    #[allow(clippy::wrong_self_convention, reason = "the layer is called so")]
    fn from_rgb(&self, r: usize, image: &Var) -> Result<Var, ModelError> {
        self.conv(&format!("b{r}.fromrgb"), image, false, 1.0)
    }

    fn block(&self, r: usize, x: &Var) -> Result<Var, ModelError> {
        let residual = self.config.architecture == Architecture::Resnet;
        let gain = if residual { FRAC_1_SQRT_2 } else { 1.0 };
        let y = self.conv(&format!("b{r}.conv0"), x, false, 1.0)?;
        let y = self.conv(&format!("b{r}.conv1"), &y, true, gain)?;
        if !residual {
            return Ok(y);
        }
        let weight = self.weights.get(&format!("b{r}.skip.weight"))?;
        let gain = FRAC_1_SQRT_2 / (weight.dims()[1] as f32).sqrt();
        Ok(x.fir(&self.filters.down).conv2d(&weight.scale(gain), 1, 0).add(&y))
    }

    fn conv(&self, name: &str, x: &Var, down: bool, gain: f32) -> Result<Var, ModelError> {
        let weight = self.weights.get(&format!("{name}.weight"))?;
        let [_, inputs, kernel, _] = weight.dims();
        let weight = weight.scale(1.0 / ((inputs * kernel * kernel) as f32).sqrt());
        let y = if down {
            x.fir(&self.filters.before_down).conv2d(&weight, 2, 0)
        } else {
            x.conv2d(&weight, 1, kernel / 2)
        };
        let act = Act { clamp: self.config.conv_clamp.map(|clamp| clamp as f32), ..Act::LEAKY_RELU };
        let act = if gain == 1.0 { act } else { act.times(gain) };
        Ok(y.bias_act(Some(self.weights.get(&format!("{name}.bias"))?), act))
    }

    fn epilogue(&self, x: &Var, label: Option<&Var>) -> Result<Var, ModelError> {
        let c = self.config;
        let x = if c.mbstd_num_channels > 0 {
            minibatch_stddev(x, c.mbstd_group_size, c.mbstd_num_channels)
        } else {
            x.clone()
        };
        let x = self.conv("b4.conv", &x, false, 1.0)?;
        let [batch, channels, height, width] = x.dims();
        let x = x.reshape([batch, channels * height * width, 1, 1]);
        let x = dense(self.weights, "b4.fc", &x, [1.0, 1.0], Act::LEAKY_RELU)?;
        let out = dense(self.weights, "b4.out", &x, [1.0, 1.0], Act::LINEAR)?;
        match label.filter(|_| c.label_dim > 0) {
            None => Ok(out),
            Some(label) if c.label_projection == LabelProjection::Direct => Ok(out.mul_fit(label, [batch, 1, 1, 1])),
            Some(label) => {
                let vector = label_mapping(&c.mapping, self.weights, label)?;
                Ok(out.mul_fit(&vector, [batch, 1, 1, 1]).scale(1.0 / (c.cmap_dim as f32).sqrt()))
            }
        }
    }
}
