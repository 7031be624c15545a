//! What the layers of both networks cost, from the configuration alone.
//!
//! The sums follow the networks in [`crate::model::trainable`] layer by layer. Counted are multiplications and additions of
//! convolutions and fully connected layers, which are nearly all of the time.

use std::iter::Sum;

use crate::model::{
    config::{
        Architecture, GeneratorConfig, LabelNormalization, StyleGan1Config, StyleGan1Variant, StyleGan2Config,
        SynthesisInput, resolutions,
    },
    discriminator_config::{
        DiscriminatorArchitecture, DiscriminatorConfig, StyleGan1DiscriminatorConfig, StyleGan2DiscriminatorConfig,
    },
};

/// The cost of a layer or a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cost {
    /// Values that learn.
    pub parameters: u64,
    /// Operations of a forward pass, an image.
    pub flops: u64,
    /// Values that a forward pass keeps for the gradients, an image.
    pub kept: u64,
    /// Values that it keeps once for all images of a step: scaled weights.
    pub shared: u64,
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |a, b| Self {
            parameters: a.parameters + b.parameters,
            flops: a.flops + b.flops,
            kept: a.kept + b.kept,
            shared: a.shared + b.shared,
        })
    }
}

/// A layer and the part of a network that it is in.
#[derive(Debug, Clone, Copy)]
struct Layer {
    place: Place,
    cost: Cost,
}

/// Where a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Used whatever the resolution is.
    Always,
    /// In the block of this resolution.
    Block(usize),
    /// Between features and colours at this resolution, used there alone while a network grows.
    Colours(usize),
}

/// The cost of a network of which the blocks up to `side` pixels are used. All weights count, also those that grow later.
fn sum(layers: &[Layer], side: usize, one_image: bool) -> Cost {
    let used = |place| match place {
        Place::Always => true,
        Place::Block(r) => r <= side,
        Place::Colours(r) => r == side || (!one_image && r < side),
    };
    layers
        .iter()
        .map(|layer| match used(layer.place) {
            true => layer.cost,
            false => Cost { parameters: layer.cost.parameters, ..Cost::default() },
        })
        .sum()
}

/// The generator's cost at `side` pixels.
pub(super) fn generator(config: &GeneratorConfig, grows: bool, side: usize) -> Cost {
    match config {
        GeneratorConfig::StyleGan2(c) => {
            let separate = matches!(c.architecture, Architecture::Skip | Architecture::Msg);
            sum(&stylegan2(config, c, grows), side, !separate)
        }
        GeneratorConfig::StyleGan1(c) => sum(&stylegan1(config, c), side, true),
    }
}

/// The discriminator's cost at `side` pixels.
pub(super) fn discriminator(config: &DiscriminatorConfig, side: usize) -> Cost {
    match config {
        DiscriminatorConfig::StyleGan2(c) => {
            sum(&stylegan2_discriminator(c), side, c.architecture != DiscriminatorArchitecture::Skip)
        }
        DiscriminatorConfig::StyleGan1(c) => sum(&stylegan1_discriminator(c), side, true),
    }
}

/// A fully connected layer with a bias.
fn dense(inputs: usize, outputs: usize) -> Cost {
    let (inputs, outputs) = (inputs as u64, outputs as u64);
    Cost {
        parameters: (inputs + 1) * outputs,
        flops: 2 * inputs * outputs,
        // Product, its scaling, activation.
        kept: 3 * outputs,
        shared: outputs,
    }
}

fn mapping(config: &GeneratorConfig) -> Layer {
    let (z_dim, w_dim, label_dim) = (config.z_dim(), config.w_dim(), config.label_dim());
    let mut costs = Vec::new();
    let mut inputs = z_dim;
    if label_dim > 0 {
        match config {
            GeneratorConfig::StyleGan2(c) => {
                let embedding =
                    if c.mapping.label_normalization == LabelNormalization::Separate { w_dim } else { z_dim };
                costs.push(dense(label_dim, embedding));
                inputs += embedding;
            }
            GeneratorConfig::StyleGan1(_) if !config.has_styles() => {}
            GeneratorConfig::StyleGan1(_) => {
                let product = (label_dim * z_dim) as u64;
                costs.push(Cost { parameters: product, flops: 2 * product, kept: z_dim as u64, shared: product });
                inputs += z_dim;
            }
        }
    }
    let num_layers = config.mapping().num_layers;
    for layer in 0..num_layers {
        let outputs = if layer + 1 == num_layers { w_dim } else { config.mapping().hidden_dim };
        costs.push(dense(inputs, outputs));
        inputs = outputs;
    }
    Layer { place: Place::Always, cost: costs.into_iter().sum() }
}

fn stylegan2(config: &GeneratorConfig, c: &StyleGan2Config, grows: bool) -> Vec<Layer> {
    let first = c.channels.at(4) as u64;
    let constant = Cost { parameters: first * 16, kept: first * 16, ..Cost::default() };
    let mut layers = vec![mapping(config), Layer { place: Place::Block(4), cost: constant }];
    for r in resolutions(c.resolution) {
        let outputs = c.channels.at(r);
        let block = Place::Block(r);
        if r > 4 {
            let inputs = c.channels.at(r / 2);
            layers.push(Layer { place: block, cost: modulated(c, inputs, outputs, r, true) });
            if c.architecture == Architecture::Resnet {
                let (weight, area, below) = ((inputs * outputs) as u64, (r * r) as u64, (r * r / 4) as u64);
                let kept = outputs as u64 * (below + 2 * area);
                let cost = Cost { parameters: weight, flops: 2 * weight * below, kept, shared: weight };
                layers.push(Layer { place: block, cost });
            }
        }
        layers.push(Layer { place: block, cost: modulated(c, outputs, outputs, r, false) });
        let always = matches!(c.architecture, Architecture::Skip | Architecture::Msg);
        if always || grows || r == c.resolution {
            layers.push(Layer { place: Place::Colours(r), cost: to_rgb(c, outputs, r) });
        }
    }
    layers
}

/// Style, modulated convolution, noise, activation.
fn modulated(c: &StyleGan2Config, inputs: usize, outputs: usize, r: usize, up: bool) -> Cost {
    let (i, o, area) = (inputs as u64, outputs as u64, (r * r) as u64);
    let below = if up { area / 4 } else { area };
    let style = dense(c.w_dim, inputs);
    // Modulated input; the convolution's result (when it doubles the size, with a margin, then filtered), demodulated, activated.
    let convolved = if up { o * ((r + 1) * (r + 1)) as u64 + o * area } else { o * area };
    let noise = if c.use_noise { (o + 1) * area } else { 0 };
    Cost {
        parameters: style.parameters + i * o * 9 + o + u64::from(c.use_noise),
        flops: style.flops + 2 * i * o * (9 * below + 1),
        kept: style.kept + i * below + convolved + 2 * o * area + noise + 4 * o + i,
        shared: style.shared + i * o,
    }
}

fn to_rgb(c: &StyleGan2Config, inputs: usize, r: usize) -> Cost {
    let (i, o, area) = (inputs as u64, c.img_channels as u64, (r * r) as u64);
    let style = dense(c.w_dim, inputs);
    Cost {
        parameters: style.parameters + i * o + o,
        flops: style.flops + 2 * i * o * area,
        // Modulated input; colours, with their bias, upsampled and added.
        kept: style.kept + i * area + 4 * o * area + i,
        shared: style.shared,
    }
}

fn stylegan1(config: &GeneratorConfig, c: &StyleGan1Config) -> Vec<Layer> {
    let first = c.channels.at(4) as u64;
    let input = match c.features.input {
        SynthesisInput::Constant => Cost { parameters: first * 16, kept: first * 16, ..Cost::default() },
        SynthesisInput::Latent => {
            let weight = first * 16 * c.w_dim as u64;
            Cost { parameters: weight, flops: 2 * weight, kept: first * 16, shared: weight }
        }
    };
    let mut layers = vec![mapping(config), Layer { place: Place::Block(4), cost: input }];
    for r in resolutions(c.resolution) {
        let (place, outputs, area) = (Place::Block(r), c.channels.at(r), (r * r) as u64);
        let o = outputs as u64;
        if r > 4 {
            layers.push(Layer { place, cost: plain_up(c, c.channels.at(r / 2), outputs, r) });
        }
        layers.push(Layer { place, cost: epilogue(c, outputs, r) });
        let weight = 9 * o * o;
        let cost = Cost { parameters: weight, flops: 2 * weight * area, kept: o * area, shared: weight };
        layers.push(Layer { place, cost });
        layers.push(Layer { place, cost: epilogue(c, outputs, r) });
        let weight = o * c.img_channels as u64;
        let rgb = c.img_channels as u64;
        let cost = Cost { parameters: weight + rgb, flops: 2 * weight * area, kept: 2 * rgb * area, shared: weight };
        layers.push(Layer { place: Place::Colours(r), cost });
    }
    layers
}

/// StyleGAN's convolution to twice the size, without what follows.
fn plain_up(c: &StyleGan1Config, inputs: usize, outputs: usize, r: usize) -> Cost {
    let (i, o, area) = (inputs as u64, outputs as u64, (r * r) as u64);
    let blurred = if c.features.resample_filter.len() > 1 { o * area } else { 0 };
    let weight = 9 * i * o;
    let fused = r >= c.fused_from;
    Cost {
        parameters: weight,
        flops: if fused { 2 * i * o * 16 * area / 4 } else { 2 * weight * area },
        kept: if fused { o * area } else { (i + o) * area } + blurred,
        shared: if fused { weight + 6 * 16 * i * o } else { weight },
    }
}

/// StyleGAN's noise, bias, activation and normalisation.
fn epilogue(c: &StyleGan1Config, channels: usize, r: usize) -> Cost {
    let (o, area) = (channels as u64, (r * r) as u64);
    let (style, maps) = if c.features.styles { (dense(c.w_dim, 2 * channels), 5) } else { (Cost::default(), 3) };
    let noise = u64::from(c.features.use_noise);
    Cost {
        parameters: style.parameters + o + noise * o,
        flops: style.flops,
        kept: style.kept + (maps + 2 * noise) * o * area + 6 * o,
        shared: style.shared,
    }
}

fn stylegan2_discriminator(c: &StyleGan2DiscriminatorConfig) -> Vec<Layer> {
    let colours = c.img_channels;
    let msg = c.architecture == DiscriminatorArchitecture::Msg;
    let extra = |r: usize| if msg && r < c.resolution { colours } else { 0 };
    let mut layers = Vec::new();
    for r in resolutions(c.resolution) {
        let (channels, area) = (c.channels.at(r), r * r);
        if r == c.resolution || c.architecture == DiscriminatorArchitecture::Skip || c.grows {
            layers.push(Layer { place: Place::Colours(r), cost: convolution(colours, channels, 1, area, area, 0) });
        }
        if r > 4 {
            let place = Place::Block(r);
            let (inputs, outputs) = (channels + extra(r), c.channels.at(r / 2));
            let joined = if extra(r) > 0 { inputs * area } else { 0 };
            layers.push(Layer { place, cost: convolution(inputs, channels, 3, area, area, joined) });
            let filtered = channels * (r + 1) * (r + 1);
            layers.push(Layer { place, cost: convolution(channels, outputs, 3, area / 4, area / 4, filtered) });
            if c.architecture == DiscriminatorArchitecture::Resnet {
                let weight = (inputs * outputs) as u64;
                let kept = ((inputs + 2 * outputs) * area / 4) as u64;
                let flops = 2 * weight * area as u64 / 4;
                layers.push(Layer { place, cost: Cost { parameters: weight, flops, kept, shared: weight } });
            }
        }
    }
    let channels = c.channels.at(4);
    let statistics = channels + extra(4) + c.mbstd_num_channels;
    let mut last = vec![
        convolution(statistics, channels, 3, 16, 16, 2 * statistics * 16),
        dense(channels * 16, channels),
        dense(channels, c.outputs()),
    ];
    if let Some(dim) = c.label_vector_dim() {
        last.push(dense(c.label_dim, dim));
        last.extend((0..c.mapping.num_layers).map(|_| dense(dim, dim)));
    }
    layers.push(Layer { place: Place::Block(4), cost: last.into_iter().sum() });
    layers
}

/// A convolution computed at `at` places, of which `out` remain, with bias and activation; `before` values of what leads to it are kept.
fn convolution(inputs: usize, outputs: usize, kernel: usize, at: usize, out: usize, before: usize) -> Cost {
    let weight = (inputs * outputs * kernel * kernel) as u64;
    let averaged = if at == out { 0 } else { outputs * out };
    Cost {
        parameters: weight + outputs as u64,
        flops: 2 * weight * at as u64,
        kept: (before + outputs * at + averaged + outputs * out) as u64,
        shared: weight,
    }
}

fn stylegan1_discriminator(c: &StyleGan1DiscriminatorConfig) -> Vec<Layer> {
    let mut layers = Vec::new();
    for r in resolutions(c.resolution) {
        let (channels, area) = (c.channels.at(r), r * r);
        layers.push(Layer { place: Place::Colours(r), cost: convolution(c.img_channels, channels, 1, area, area, 0) });
        if r > 4 {
            let place = Place::Block(r);
            let outputs = c.channels.at(r / 2);
            let between = if c.variant == StyleGan1Variant::Community { outputs } else { channels };
            layers.push(Layer { place, cost: convolution(channels, between, 3, area, area, 0) });
            let blurred = if c.resample_filter.len() > 1 { between * area } else { 0 };
            let mut down = convolution(between, outputs, 3, area, area / 4, blurred);
            if r >= c.fused_from {
                let weight = (between * outputs) as u64;
                let fused = convolution(between, outputs, 4, area / 4, area / 4, blurred);
                down = Cost { parameters: down.parameters, shared: 9 * weight + 6 * 16 * weight, ..fused };
            }
            layers.push(Layer { place, cost: down });
        }
    }
    let channels = c.channels.at(4);
    let last = [
        convolution(channels + 1, channels, 3, 16, 16, 2 * (channels + 1) * 16),
        Cost { shared: (16 * channels * channels) as u64, ..dense(16 * channels, channels) },
        dense(channels, c.label_dim.max(1)),
    ];
    layers.push(Layer { place: Place::Block(4), cost: last.into_iter().sum() });
    layers
}
