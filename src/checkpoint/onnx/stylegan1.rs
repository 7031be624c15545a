//! StyleGAN's synthesis network (arXiv 1812.04948, figure 1) as an ONNX graph, official order of operations and
//! community port. The level of detail at which the weights were saved is part of the graph.

use super::{
    graph::{Graph, float},
    layers,
    proto::Length,
};
use crate::model::{
    config::{StyleGan1Config, StyleGan1Variant, SynthesisInput, resolutions},
    state_dict::{HostTensor, StateDict, StateDictError},
};

const SQRT_2: f32 = std::f32::consts::SQRT_2;

struct Network<'a, 'w> {
    config: &'a StyleGan1Config,
    weights: &'w StateDict,
    official: bool,
    latent: &'a str,
}

/// Adds the network to `g`; the output is the image `[N, C, H, W]`. `latent` is `ws` `[N, num_ws, w_dim]`, or `w` `[N, w_dim]`
/// for a network without styles.
///
/// # Errors
/// A weight that is missing or misshapen.
pub fn synthesis<'w>(
    g: &mut Graph<'w>,
    config: &StyleGan1Config,
    weights: &'w StateDict,
    latent: &str,
) -> Result<String, StateDictError> {
    let official = config.variant == StyleGan1Variant::Official;
    let network = Network { config, weights, official, latent };
    let mut x = network.start(g)?;
    let mut image: Option<String> = None;
    let mut shared_noise = None;
    for (index, r) in resolutions(config.resolution).enumerate() {
        let smaller = image.take().map(|image| nearest_up(g, &image));
        let blend = network.blend(r);
        if blend >= 1.0 {
            image = smaller;
            continue;
        }
        for half in 0..2 {
            x = network.layer(g, &x, (index, half, r), &mut shared_noise)?;
        }
        if r == config.resolution || network.blend(r * 2) > 0.0 {
            let rgb = network.to_rgb(g, &x, index, r)?;
            image = Some(match smaller {
                Some(smaller) if blend > 0.0 => {
                    let (new, old) = (g.scale(&rgb, 1.0 - blend), g.scale(&smaller, blend));
                    g.add(&new, &old)
                }
                _ => rgb,
            });
        }
    }
    image.ok_or_else(|| StateDictError::Missing { name: "to_rgb".to_owned() })
}

impl<'w> Network<'_, 'w> {
    /// What the first layer starts from: a learned constant, or a fully connected layer on the latent.
    fn start(&self, g: &mut Graph<'w>) -> Result<String, StateDictError> {
        let StyleGan1Config { channels, w_dim, features, .. } = self.config;
        let channels = channels.at(4);
        if features.input == SynthesisInput::Latent {
            let name = "synthesis.layer0.dense.weight";
            let weight = self.weights.get(name, &[channels * 16, *w_dim])?;
            let w = if features.styles { layers::pick_w(g, self.latent, 0) } else { self.latent.to_owned() };
            let gain = SQRT_2 / 4.0 / (*w_dim as f32).sqrt();
            return Ok(layers::dense_to_map(g, &w, name, weight, gain, channels));
        }
        let name = if self.official { "synthesis.layer0.const" } else { "generator.progression.0.conv1.input" };
        let learned = self.weights.get(name, &[1, channels, 4, 4])?;
        let learned = g.constant(name, &[1, channels, 4, 4], &learned.data);
        let ones = layers::ones_like_batch(g, self.latent);
        Ok(g.mul(&learned, &ones))
    }

    /// How much of the image at `resolution` comes from the next smaller one: 0 none, 1 all.
    fn blend(&self, resolution: usize) -> f32 {
        let lod = self.config.lod.min((self.config.resolution.max(4).ilog2() - 2) as f32);
        let level = (self.config.resolution / resolution).max(1).ilog2();
        (lod - level as f32).clamp(0.0, 1.0)
    }

    fn name(&self, (block, half): (usize, usize), official: &str, community: &str) -> String {
        if self.official {
            format!("synthesis.layer{}.{official}", 2 * block + half)
        } else {
            format!("generator.progression.{block}.{community}")
        }
    }

    fn layer(
        &self,
        g: &mut Graph<'w>,
        x: &str,
        (block, half, r): (usize, usize, usize),
        shared_noise: &mut Option<String>,
    ) -> Result<String, StateDictError> {
        let at = (block, half);
        let channels = self.config.channels.at(r);
        let mut x = x.to_owned();
        let constant = block == 0 && half == 0;
        let fused = half == 0 && r >= self.config.fused_from;
        let module = match (half, fused) {
            (0, true) => "conv1.0",
            (0, false) => "conv1.1.conv",
            _ => "conv2.conv",
        };
        let bias_name = self.name(at, "bias", &format!("{module}.bias"));
        let bias = if constant && !self.official { None } else { Some(self.weights.get(&bias_name, &[channels])?) };
        if !constant {
            x = self.convolve(g, &x, at, (r, fused, module))?;
            if let Some(bias) = bias.filter(|_| !self.official) {
                x = layers::add_bias(g, &x, &bias_name, &bias.data);
            }
            let taps = &self.config.features.resample_filter;
            if half == 0 && taps.len() > 1 {
                x = layers::filter(g, &x, &self.name(at, "blur", "blur"), taps, 1.0, channels, 1);
            }
        }
        if self.config.features.use_noise {
            x = self.noise(g, &x, at, r, shared_noise)?;
        }
        if let Some(bias) = bias.filter(|_| self.official) {
            x = layers::add_bias(g, &x, &bias_name, &bias.data);
        }
        let x = layers::leaky_relu(g, &x);
        if self.config.features.styles { self.adain(g, &x, at, channels) } else { Ok(layers::normalize(g, &x)) }
    }

    fn convolve(
        &self,
        g: &mut Graph<'w>,
        x: &str,
        at: (usize, usize),
        (r, fused, module): (usize, bool, &str),
    ) -> Result<String, StateDictError> {
        let outside = self.config.channels.at(r);
        let inside = if at.1 == 0 { self.config.channels.at(r / 2) } else { outside };
        let gain = SQRT_2 / (9.0 * inside as f32).sqrt();
        let community = if fused { format!("{module}.weight") } else { format!("{module}.weight_orig") };
        let name = self.name(at, "weight", &community);
        if fused {
            let shape = if self.official { [outside, inside, 3, 3] } else { [inside, outside, 3, 3] };
            let weight = self.weights.get(&name, &shape)?;
            let scale = if self.official { gain } else { gain * 0.25 };
            let kernel = fused_kernel(weight, scale, [outside, inside], !self.official);
            return Ok(layers::conv_transpose(g, x, &name, kernel, [outside, inside, 4], 1));
        }
        let weight = self.weights.get(&name, &[outside, inside, 3, 3])?;
        let x = if at.1 == 0 { nearest_up(g, x) } else { x.to_owned() };
        Ok(layers::conv(g, &x, &name, weight, gain, 1))
    }

    fn noise(
        &self,
        g: &mut Graph<'w>,
        x: &str,
        at: (usize, usize),
        r: usize,
        shared: &mut Option<String>,
    ) -> Result<String, StateDictError> {
        let channels = self.config.channels.at(r);
        let name = self.name(at, "apply_noise.weight", &format!("noise{}.weight_orig", at.1 + 1));
        let shape = [Length::Named("noise_batch"), Length::Fixed(1), Length::Fixed(r), Length::Fixed(r)];
        if self.official {
            let weight = self.weights.get(&name, &[channels])?;
            let map = self.weights.get(&self.name(at, "apply_noise.noise", ""), &[1, 1, r, r])?;
            let input = format!("noise.layer{}", 2 * at.0 + at.1);
            let doc = "noise map of this layer, one for all samples or one each; the model's own when not given";
            let input = g.input_with_default(&input, &shape, doc, &[1, 1, r, r], &map.data);
            return Ok(layers::add_noise(g, x, &name, &input, &weight.data));
        }
        // The port stores no maps and gives both layers of a block the same one; without one there is no noise.
        if at.1 == 0 {
            let doc =
                "noise map of both layers of this block, one for all samples or one each; no noise when not given";
            let zeros = vec![0.0; r * r];
            *shared = Some(g.input_with_default(&format!("noise.{}", at.0), &shape, doc, &[1, 1, r, r], zeros));
        }
        let weight = self.weights.get(&name, &[1, channels, 1, 1])?;
        let gain = SQRT_2 / (channels as f32).sqrt();
        let weight: Vec<f32> = weight.data.iter().map(|w| w * gain).collect();
        Ok(match shared {
            Some(input) => layers::add_noise(g, x, &name, input, weight),
            None => x.to_owned(),
        })
    }

    /// Instance normalisation, then `x * y_s + y_b` (equation 1).
    fn adain(&self, g: &mut Graph<'w>, x: &str, at: (usize, usize), channels: usize) -> Result<String, StateDictError> {
        let community = format!("adain{}.style.linear", at.1 + 1);
        let weight_name = self.name(at, "style.weight", &format!("{community}.weight_orig"));
        let bias_name = self.name(at, "style.bias", &format!("{community}.bias"));
        let w_dim = self.config.w_dim;
        let weight = self.weights.get(&weight_name, &[2 * channels, w_dim])?;
        let bias = self.weights.get(&bias_name, &[2 * channels])?;
        let (style_gain, offset, epsilon) = if self.official { (1.0, 1.0, 1e-8) } else { (SQRT_2, 0.0, 1e-5) };
        // The official +1 on the scales joins the bias of the style.
        let bias: Vec<f32> =
            bias.data.iter().enumerate().map(|(i, b)| if i < channels { b + offset } else { *b }).collect();
        let w = layers::pick_w(g, self.latent, 2 * at.0 + at.1);
        let style = layers::dense(g, &w, &weight_name, weight, style_gain / (w_dim as f32).sqrt(), bias);
        let (scale, shift) =
            (layers::columns(g, &style, 0, channels), layers::columns(g, &style, channels, 2 * channels));
        let (one, zero) = (vec![1.0; channels], vec![0.0; channels]);
        let one = g.constant(&format!("{weight_name}.one"), &[channels], one);
        let zero = g.constant(&format!("{weight_name}.zero"), &[channels], zero);
        let x = g.node("InstanceNormalization", &[x, &one, &zero], vec![float("epsilon", epsilon)]);
        let (scale, shift) = (g.as_channels(&scale), g.as_channels(&shift));
        let x = g.mul(&x, &scale);
        Ok(g.add(&x, &shift))
    }

    fn to_rgb(&self, g: &mut Graph<'w>, x: &str, block: usize, r: usize) -> Result<String, StateDictError> {
        let (channels, outputs) = (self.config.channels.at(r), self.config.img_channels);
        let (weight_name, bias_name) = if self.official {
            (format!("synthesis.output{block}.weight"), format!("synthesis.output{block}.bias"))
        } else {
            (format!("generator.to_rgb.{block}.conv.weight_orig"), format!("generator.to_rgb.{block}.conv.bias"))
        };
        let gain = if self.official { 1.0 } else { SQRT_2 } / (channels as f32).sqrt();
        let weight = self.weights.get(&weight_name, &[outputs, channels, 1, 1])?;
        let y = layers::conv(g, x, &weight_name, weight, gain, 0);
        let bias = self.weights.get(&bias_name, &[outputs])?;
        Ok(layers::add_bias(g, &y, &bias_name, &bias.data))
    }
}

/// The kernel of a fused upsampling, `[O, I, 4, 4]`: the 3x3 kernel's four shifted copies, summed.
fn fused_kernel(weight: &HostTensor, scale: f32, [outside, inside]: [usize; 2], transposed: bool) -> Vec<f32> {
    let mut data = Vec::with_capacity(outside * inside * 16);
    for o in 0..outside {
        for i in 0..inside {
            let pair = if transposed { i * outside + o } else { o * inside + i };
            let taps = weight.data.get(pair * 9..pair * 9 + 9).unwrap_or(&[0.0; 9]);
            let tap = |y: i32, x: i32| match (y, x) {
                (0..3, 0..3) => taps.get((y * 3 + x) as usize).copied().unwrap_or(0.0),
                _ => 0.0,
            };
            for y in 0..4 {
                for x in 0..4 {
                    data.push((tap(y, x) + tap(y - 1, x) + tap(y, x - 1) + tap(y - 1, x - 1)) * scale);
                }
            }
        }
    }
    data
}

/// Nearest upsampling by 2.
fn nearest_up(g: &mut Graph<'_>, x: &str) -> String {
    let scales = g.vector(&[1.0, 1.0, 2.0, 2.0]);
    g.node("Resize", &[x, "", &scales], Vec::new())
}
