//! Builds StyleGAN's synthesis network from weights, under the names of either variant.

use std::f64::consts::SQRT_2;

use burn::tensor::Device;

use super::{Arithmetic, Block, COMMUNITY, Conv, ConvKind, Input, Layer, LayerNoise, OFFICIAL, StyleGan1};
use crate::{
    model::{
        config::{StyleGan1Config, StyleGan1Features, StyleGan1Variant, SynthesisInput, resolutions},
        error::ModelError,
        generator::Built,
        layer::{LayerInfo, LayerKind},
        linear::{Affine, Linear, LinearConfig},
        noise::NoiseBuffers,
        weights::{Init, WeightSource},
    },
    ops::{Filter, cpu::Runtime},
};

/// The names in files, which differ by variant.
struct Names(StyleGan1Variant);

impl Names {
    fn layer(&self, block: usize, half: usize, official: &str, community: &str) -> String {
        match self.0 {
            StyleGan1Variant::Official => format!("synthesis.layer{}.{official}", 2 * block + half),
            StyleGan1Variant::Community => format!("generator.progression.{block}.{community}"),
        }
    }

    fn rgb(&self, block: usize, official: &str, community: &str) -> String {
        match self.0 {
            StyleGan1Variant::Official => format!("synthesis.output{block}.{official}"),
            StyleGan1Variant::Community => format!("generator.to_rgb.{block}.conv.{community}"),
        }
    }
}

impl StyleGan1 {
    pub fn new(
        config: &StyleGan1Config,
        source: &mut WeightSource,
        latent: &Device,
        synthesis: &Device,
    ) -> Result<Built<Self>, ModelError> {
        let names = Names(config.variant);
        let (arithmetic, input_init) = match config.variant {
            StyleGan1Variant::Official => (OFFICIAL, Init::Constant(1.0)),
            StyleGan1Variant::Community => (COMMUNITY, Init::Normal(1.0)),
        };
        let mut builder = Builder {
            config,
            names,
            arithmetic,
            source,
            latent,
            synthesis,
            affines: Vec::new(),
            layers: Vec::new(),
            noise: NoiseBuffers::default(),
        };
        let input = builder.input(input_init)?;
        let blocks = resolutions(config.resolution)
            .enumerate()
            .map(|(index, resolution)| builder.block(index, resolution))
            .collect::<Result<_, _>>()?;
        let Builder { affines, layers, noise, .. } = builder;
        let mut network = Self {
            arithmetic,
            variant: config.variant,
            resolution: config.resolution,
            lod: config.lod.min((config.resolution.ilog2() - 2) as f32),
            input,
            blocks,
            blur: Some(&config.features.resample_filter)
                .filter(|taps| taps.len() > 1)
                .map(|taps| Filter::separable(taps, synthesis)),
            kernels: None,
            gpu: None,
        };
        network.set_cpu_runtime(Runtime::shared(), synthesis);
        network.gpu = network.gpu_synthesis(synthesis);
        Ok(Built { network, affines, layers, noise })
    }
}

/// Collects layers while the blocks are built.
struct Builder<'a> {
    config: &'a StyleGan1Config,
    names: Names,
    arithmetic: Arithmetic,
    source: &'a mut WeightSource,
    latent: &'a Device,
    synthesis: &'a Device,
    affines: Vec<Affine>,
    layers: Vec<LayerInfo>,
    noise: NoiseBuffers,
}

impl Builder<'_> {
    fn input(&mut self, init: Init) -> Result<Input, ModelError> {
        let channels = self.config.channels.at(4);
        match self.config.features.input {
            SynthesisInput::Constant => {
                let shape = [1, channels, 4, 4];
                let name = self.names.layer(0, 0, "const", "conv1.input");
                Ok(Input::Constant(self.source.weight(name, &shape, shape, init, self.synthesis)?))
            }
            SynthesisInput::Latent => {
                let w_dim = self.config.w_dim;
                let shape = [channels * 16, w_dim];
                let name = self.names.layer(0, 0, "dense.weight", "");
                let weight = self.source.weight(name, &shape, shape, Init::Normal(1.0), self.synthesis)?;
                let layer = self.layers.len();
                self.affines.push(Affine::Same);
                self.layers.push(LayerInfo {
                    name: "input".into(),
                    kind: LayerKind::Conv,
                    resolution: 4,
                    ws_index: 0,
                    style_dim: w_dim,
                    out_channels: channels,
                    noise_index: None,
                    noise_strength: 0.0,
                });
                Ok(Input::Latent { layer, weight, channels })
            }
        }
    }

    fn block(&mut self, index: usize, resolution: usize) -> Result<Block, ModelError> {
        let layers = [self.layer(index, 0, resolution)?, self.layer(index, 1, resolution)?];
        let channels = self.config.channels.at(resolution);
        let outputs = self.config.img_channels;
        let shape = [outputs, channels, 1, 1];
        let rgb = Conv {
            kind: ConvKind::Plain,
            weight: self.source.weight(
                self.names.rgb(index, "weight", "weight_orig"),
                &shape,
                shape,
                Init::Normal(1.0),
                self.synthesis,
            )?,
            gain: self.arithmetic.rgb_gain / (channels as f64).sqrt(),
            bias: Some(self.source.weight(
                self.names.rgb(index, "bias", "bias"),
                &[outputs],
                [outputs],
                Init::Constant(0.0),
                self.synthesis,
            )?),
        };
        Ok(Block { resolution, layers, rgb })
    }

    fn layer(&mut self, block: usize, half: usize, resolution: usize) -> Result<Layer, ModelError> {
        let channels = self.config.channels.at(resolution);
        let official = self.config.variant == StyleGan1Variant::Official;
        let constant = block == 0 && half == 0;
        let StyleGan1Features { styles, use_noise, .. } = self.config.features;
        if styles {
            self.affine(block, half, channels)?;
        }
        let (conv, module) = if constant {
            (None, String::new())
        } else {
            self.conv(block, half, resolution).map(|(c, m)| (Some(c), m))?
        };
        let bias = if constant && !official {
            None
        } else {
            let name = self.names.layer(block, half, "bias", &format!("{module}.bias"));
            Some(self.source.weight(name, &[channels], [channels], Init::Constant(0.0), self.synthesis)?)
        };
        let (noise, noise_strength) =
            if use_noise { self.noise(block, half, resolution).map(|(n, s)| (Some(n), s))? } else { (None, 0.0) };
        let layer = styles.then_some(self.layers.len());
        if styles {
            let number = 2 * block + half;
            self.layers.push(LayerInfo {
                name: format!("layer{number}"),
                kind: LayerKind::Conv,
                resolution,
                ws_index: number,
                style_dim: 2 * channels,
                out_channels: channels,
                noise_index: noise.as_ref().map(|noise| noise.index),
                noise_strength,
            });
        }
        Ok(Layer { layer, conv, bias, noise })
    }

    /// The noise input of a layer, and the root mean square of its strengths.
    fn noise(&mut self, block: usize, half: usize, resolution: usize) -> Result<(LayerNoise, f32), ModelError> {
        let channels = self.config.channels.at(resolution);
        let name = self.names.layer(block, half, "apply_noise.weight", &format!("noise{}.weight_orig", half + 1));
        let official = self.config.variant == StyleGan1Variant::Official;
        let shape: &[usize] = if official { &[channels] } else { &[1, channels, 1, 1] };
        let (weight, values) =
            self.source.weight_and_values(name, shape, [channels], Init::Constant(0.0), self.synthesis)?;
        let index = self.noise_map(block, half, resolution)?;
        let gain = self.arithmetic.noise_factor(channels);
        let power: f64 = values.iter().map(|&w| f64::from(w).powi(2)).sum();
        Ok((LayerNoise { index, weight }, (gain * (power / channels as f64).sqrt()) as f32))
    }

    /// The convolution, and the community port's name of the module that holds its bias.
    fn conv(&mut self, block: usize, half: usize, resolution: usize) -> Result<(Conv, String), ModelError> {
        let outputs = self.config.channels.at(resolution);
        let inputs = if half == 0 { self.config.channels.at(resolution / 2) } else { outputs };
        let official = self.config.variant == StyleGan1Variant::Official;
        let kind = match half {
            0 if resolution >= self.config.fused_from => ConvKind::FusedUp { transposed: !official },
            0 => ConvKind::Up,
            _ => ConvKind::Plain,
        };
        let (module, weight) = match kind {
            ConvKind::FusedUp { .. } => ("conv1.0", "conv1.0.weight"),
            ConvKind::Up => ("conv1.1.conv", "conv1.1.conv.weight_orig"),
            ConvKind::Plain => ("conv2.conv", "conv2.conv.weight_orig"),
        };
        let shape = match kind {
            ConvKind::FusedUp { transposed: true } => [inputs, outputs, 3, 3],
            _ => [outputs, inputs, 3, 3],
        };
        let name = self.names.layer(block, half, "weight", weight);
        let weight = self.source.weight(name, &shape, shape, Init::Normal(1.0), self.synthesis)?;
        let gain = SQRT_2 / (9.0 * inputs as f64).sqrt();
        Ok((Conv { kind, weight, gain, bias: None }, module.to_owned()))
    }

    /// The index of the layer's noise map: one a layer, or one a block in the community port, which stores none.
    fn noise_map(&mut self, block: usize, half: usize, resolution: usize) -> Result<usize, ModelError> {
        let file = match self.config.variant {
            StyleGan1Variant::Official => {
                let name = self.names.layer(block, half, "apply_noise.noise", "");
                Some((name, vec![1, 1, resolution, resolution]))
            }
            StyleGan1Variant::Community if half == 1 => return Ok(block),
            StyleGan1Variant::Community => None,
        };
        self.noise.push(resolution, file, self.source, self.synthesis)?;
        Ok(self.noise.shapes().len() - 1)
    }

    /// `w -> style`: [w_dim] to the scales and biases of the channels.
    fn affine(&mut self, block: usize, half: usize, channels: usize) -> Result<(), ModelError> {
        let community = format!("adain{}.style.linear", half + 1);
        let name = |official: &str, suffix: &str| {
            self.names.layer(block, half, &format!("style.{official}"), &format!("{community}.{suffix}"))
        };
        let config = LinearConfig {
            weight_name: name("weight", "weight_orig"),
            bias_name: name("bias", "bias"),
            inputs: self.config.w_dim,
            outputs: 2 * channels,
            weight_gain: self.arithmetic.style_gain / (self.config.w_dim as f64).sqrt(),
            bias_gain: 1.0,
            weight_init: Init::Normal(1.0),
            // What scales starts at 1, as an offset or in the bias itself.
            bias_init: Init::Halves(1.0 - self.arithmetic.scale_offset as f32, 0.0),
        };
        self.affines.push(Affine::Dense(Linear::new(config, self.source, self.latent)?));
        Ok(())
    }
}
