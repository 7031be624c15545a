//! The generator in training: `z -> w -> ws -> images`.

use burn::tensor::Device;

use super::{
    filters::{self, Filters},
    latent_side::mapping,
    params::{Params, Weights},
    stylegan1, stylegan2,
};
use crate::{
    grad::{Dims, Fir, Var},
    model::{
        Generator, Placement,
        config::{Architecture, GeneratorConfig, StyleGan1Config, StyleGan2Config, resolutions},
        error::ModelError,
        state_dict::{HostTensor, StateDict},
        weights::{Init, WeightSource},
    },
};

/// What a synthesis network gives and a discriminator takes.
#[derive(Debug, Clone)]
pub struct Images {
    /// [N, C, H, W], nominal range -1..1, at the current resolution of a network that grows.
    pub image: Var,
    /// MSG: the images of the smaller resolutions from 4 pixels up; else empty.
    pub smaller: Vec<Var>,
}

impl Images {
    /// The side of the images that a network of `resolution` gives at a level of detail: 0 is full size, 1 half, ...
    pub fn current_resolution(resolution: usize, lod: f32) -> usize {
        let halvings = (lod.max(0.0).floor() as usize).min(resolution.max(4).ilog2() as usize - 2);
        resolution >> halvings
    }
}

/// Which noise the layers of a generator in training get.
pub enum TrainNoise<'a> {
    /// None.
    None,
    /// The stored maps, the same for every sample.
    Const,
    /// Normal numbers, as many as asked for, fresh for each layer.
    Random(&'a mut dyn FnMut(usize) -> Vec<f32>),
}

/// Hands out the map of one layer after the other.
pub(super) struct NoiseMaps<'a>(pub TrainNoise<'a>);

impl NoiseMaps<'_> {
    /// The next layer's map, `dims` [N, 1, H, W]; `stored` is what the network has for it.
    pub fn next(&mut self, dims: Dims, stored: Option<&Var>, device: &Device) -> Option<Var> {
        match &mut self.0 {
            TrainNoise::None => None,
            TrainNoise::Const => stored.map(|map| map.reshape([1, 1, dims[2], dims[3]])),
            TrainNoise::Random(draw) => Some(Var::from_values(draw(dims.iter().product()), dims, device)),
        }
    }
}

/// A generator of any trainable configuration. Holds no weights.
#[derive(Debug, Clone)]
pub struct TrainableGenerator {
    config: GeneratorConfig,
    /// StyleGAN2 that grows has RGB layers at every resolution.
    grows: bool,
    filters: Filters,
    blur: Option<Fir>,
}

impl TrainableGenerator {
    /// A generator of this configuration. `grows` matters to StyleGAN2 alone: StyleGAN always can.
    ///
    /// # Errors
    /// If the configuration is out of range or one that is shown but not trained (the community port of StyleGAN).
    pub fn new(config: GeneratorConfig, grows: bool, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let (filters, blur) = match &config {
            GeneratorConfig::StyleGan2(c) => (Filters::new(&c.resample_filter, device), None),
            GeneratorConfig::StyleGan1(c) => {
                (Filters::new(&c.features.resample_filter, device), filters::blur(&c.features.resample_filter, device))
            }
        };
        Ok(Self { config, grows, filters, blur })
    }

    /// What the network is.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// Fresh weights and buffers with the official initialisation.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Params, ModelError> {
        let mut weights = Generator::init(self.config.clone(), seed, &Placement::cpu())?.state_dict()?;
        if let GeneratorConfig::StyleGan2(c) = &self.config
            && self.grows
        {
            grow_rgb(c, seed, &mut weights)?;
        }
        // The average starts at zero and follows the training.
        let w_avg = HostTensor { shape: vec![self.config.w_dim()], data: vec![0.0; self.config.w_dim()] };
        weights.0.insert(self.w_avg_name().to_owned(), w_avg);
        Params::from_state_dict(&weights, device)
    }

    /// The name of the moving average of `w`.
    pub fn w_avg_name(&self) -> &'static str {
        match self.config {
            GeneratorConfig::StyleGan2(_) => "mapping.w_avg",
            GeneratorConfig::StyleGan1(_) => "truncation.w_avg",
        }
    }

    /// The mapping network.
    ///
    /// # Shapes
    /// - z: [N, z_dim, 1, 1], label: [N, label_dim, 1, 1] of a conditional network
    /// - output: w [N, w_dim, 1, 1]
    ///
    /// # Errors
    /// If a label or a weight is missing.
    pub fn map(&self, weights: &Weights, z: &Var, label: Option<&Var>) -> Result<Var, ModelError> {
        mapping(&self.config, weights, z, label)
    }

    /// One `w` for all layers, and from layer `mix.1` on another (style mixing).
    ///
    /// # Shapes
    /// - w: [N, w_dim, 1, 1]
    /// - output: ws [N, num_ws, w_dim, 1]
    pub fn broadcast(&self, w: &Var, mix: Option<(&Var, usize)>) -> Var {
        let [batch, w_dim, _, _] = w.dims();
        let num_ws = self.config.num_ws();
        let spread = |w: &Var, count| w.reshape([batch, 1, w_dim, 1]).fit([batch, count, w_dim, 1]);
        match mix {
            Some((other, cutoff)) if cutoff < num_ws => {
                Var::cat(&[spread(w, cutoff), spread(other, num_ws - cutoff)], 1)
            }
            _ => spread(w, num_ws),
        }
    }

    /// The synthesis network at a level of detail; `None` for one that does not grow.
    ///
    /// # Shapes
    /// - ws: [N, num_ws, w_dim, 1]
    ///
    /// # Errors
    /// If a weight is missing.
    pub fn synthesize(
        &self,
        weights: &Weights,
        ws: &Var,
        noise: TrainNoise,
        lod: Option<f32>,
    ) -> Result<Images, ModelError> {
        let noise = NoiseMaps(noise);
        match &self.config {
            GeneratorConfig::StyleGan2(config) => {
                let lod = lod.filter(|_| self.grows);
                stylegan2::Synthesis { config, filters: &self.filters, weights, ws, noise, lod }.run()
            }
            GeneratorConfig::StyleGan1(config) => {
                let lod = lod.unwrap_or(config.lod);
                stylegan1::Synthesis { config, blur: self.blur.as_ref(), weights, ws, noise, lod }.run()
            }
        }
    }

    /// What the explorer opens: the network at its current level of detail, without what grows later.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn snapshot(&self, params: &Params, lod: Option<f32>) -> Result<(GeneratorConfig, StateDict), ModelError> {
        let mut weights = params.state_dict()?;
        let config = match &self.config {
            GeneratorConfig::StyleGan1(c) => {
                let lod = lod.unwrap_or(c.lod);
                weights.0.insert("synthesis.lod".into(), HostTensor { shape: Vec::new(), data: vec![lod] });
                GeneratorConfig::StyleGan1(StyleGan1Config { lod, ..c.clone() })
            }
            GeneratorConfig::StyleGan2(c) if self.grows => {
                let side = Images::current_resolution(c.resolution, lod.unwrap_or(0.0));
                let mut channels = c.channels.clone();
                channels.0.retain(|&r, _| r <= side);
                let later: Vec<String> = resolutions(c.resolution)
                    .filter(|&r| r > side)
                    .map(|r| format!("synthesis.b{r}."))
                    .chain(resolutions(side / 2).filter(|_| side > 4).map(|r| format!("synthesis.b{r}.torgb.")))
                    .collect();
                weights.0.retain(|name, _| !later.iter().any(|prefix| name.starts_with(prefix)));
                GeneratorConfig::StyleGan2(StyleGan2Config { resolution: side, channels, ..c.clone() })
            }
            GeneratorConfig::StyleGan2(_) => self.config.clone(),
        };
        Ok((config, weights))
    }
}

/// RGB layers at the resolutions where a network that does not grow has none.
fn grow_rgb(config: &StyleGan2Config, seed: u64, weights: &mut StateDict) -> Result<(), ModelError> {
    debug_assert_eq!(config.architecture, Architecture::Orig, "what grows is a plain stack");
    let mut source = WeightSource::fresh(seed ^ 0x72_6762);
    for r in resolutions(config.resolution / 2).filter(|_| config.resolution > 4) {
        let (inputs, outputs) = (config.channels.at(r), config.img_channels);
        let mut draw = |name: &str, shape: &[usize], init| {
            let name = format!("synthesis.b{r}.torgb.{name}");
            let data = source.host(&name, shape, init)?;
            weights.0.insert(name, HostTensor { shape: shape.to_vec(), data });
            Ok::<_, ModelError>(())
        };
        draw("weight", &[outputs, inputs, 1, 1], Init::Normal(1.0))?;
        draw("bias", &[outputs], Init::Constant(0.0))?;
        draw("affine.weight", &[inputs, config.w_dim], Init::Normal(1.0))?;
        draw("affine.bias", &[inputs], Init::Constant(1.0))?;
    }
    Ok(())
}
