//! The discriminator in training: `images -> logits`.

use std::collections::BTreeMap;

use burn::tensor::Device;

use super::{
    filters::{self, Filters, average_down},
    generator::Images,
    params::{Params, Weights},
    stylegan1_discriminator, stylegan2_discriminator,
};
use crate::{
    grad::{Fir, Var},
    model::{
        discriminator_config::{DiscriminatorArchitecture, DiscriminatorConfig},
        error::ModelError,
        state_dict::{HostTensor, StateDict, StateDictError},
        weights::{Init, WeightSource},
    },
};

/// Name, shape in files and initialisation of a weight.
pub(super) type Plan = Vec<(String, Vec<usize>, Init)>;

/// A discriminator of any configuration. Holds no weights.
#[derive(Debug, Clone)]
pub struct TrainableDiscriminator {
    config: DiscriminatorConfig,
    filters: Filters,
    blur: Option<Fir>,
}

impl TrainableDiscriminator {
    /// A discriminator of this configuration.
    ///
    /// # Errors
    /// If the configuration is out of range.
    pub fn new(config: DiscriminatorConfig, device: &Device) -> Result<Self, ModelError> {
        config.validate()?;
        let (filters, blur) = match &config {
            DiscriminatorConfig::StyleGan2(c) => (Filters::new(&c.resample_filter, device), None),
            DiscriminatorConfig::StyleGan1(c) => {
                (Filters::new(&c.resample_filter, device), filters::blur(&c.resample_filter, device))
            }
        };
        Ok(Self { config, filters, blur })
    }

    /// What the network is.
    pub fn config(&self) -> &DiscriminatorConfig {
        &self.config
    }

    fn plan(&self) -> Plan {
        match &self.config {
            DiscriminatorConfig::StyleGan2(c) => stylegan2_discriminator::plan(c),
            DiscriminatorConfig::StyleGan1(c) => stylegan1_discriminator::plan(c),
        }
    }

    /// Fresh weights with the official initialisation.
    ///
    /// # Errors
    /// None at present; a device may refuse the memory.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Params, ModelError> {
        let mut source = WeightSource::fresh(seed);
        let mut weights = BTreeMap::new();
        for (name, shape, init) in self.plan() {
            let data = source.host(&name, &shape, init)?;
            weights.insert(name, HostTensor { shape, data });
        }
        Params::from_state_dict(&StateDict(weights), device)
    }

    /// The weights of a file, of which all that the network needs must be there.
    ///
    /// # Errors
    /// If one is missing or has another shape.
    pub fn load(&self, weights: &StateDict, device: &Device) -> Result<Params, ModelError> {
        let mut wanted = BTreeMap::new();
        for (name, shape, _) in self.plan() {
            let tensor = weights.get(&name, &shape)?;
            if tensor.data.len() != shape.iter().product::<usize>() {
                return Err(StateDictError::Length { name, found: tensor.data.len(), expected: shape }.into());
            }
            wanted.insert(name, tensor.clone());
        }
        Params::from_state_dict(&StateDict(wanted), device)
    }

    /// How real each image looks, as a logit: [N, 1, 1, 1]. Images are of the resolution of the level of detail.
    ///
    /// # Errors
    /// If a label or a weight is missing.
    ///
    /// # Panics
    /// If the batch does not divide into the groups of the minibatch standard deviation.
    pub fn logits(
        &self,
        weights: &Weights,
        images: &Images,
        label: Option<&Var>,
        lod: Option<f32>,
    ) -> Result<Var, ModelError> {
        if self.config.label_dim() > 0 && label.is_none() {
            return Err(ModelError::Label("a conditional network needs a label"));
        }
        match &self.config {
            DiscriminatorConfig::StyleGan2(config) => stylegan2_discriminator::Run {
                config,
                filters: &self.filters,
                weights,
                lod: lod.filter(|_| config.grows),
            }
            .logits(images, label),
            DiscriminatorConfig::StyleGan1(config) => {
                stylegan1_discriminator::Run { config, blur: self.blur.as_ref(), weights, lod: lod.unwrap_or(0.0) }
                    .logits(&images.image, label)
            }
        }
    }

    /// Real images as this network takes them: reduced to the current resolution, at a fraction blended with the next smaller
    /// one, and for MSG with all smaller sizes.
    ///
    /// # Shapes
    /// - image: [N, C, resolution, resolution]
    pub fn real_images(&self, image: Var, lod: Option<f32>) -> Images {
        let lod = lod.unwrap_or(0.0);
        let side = Images::current_resolution(self.config.resolution(), lod);
        let mut image = image;
        while image.dims()[2] > side {
            image = average_down(&image);
        }
        if lod.fract() > 0.0 && side > 4 {
            let coarse = filters::nearest_up(&average_down(&image));
            image = image.scale(1.0 - lod.fract()).add(&coarse.scale(lod.fract()));
        }
        let mut smaller = Vec::new();
        if let DiscriminatorConfig::StyleGan2(c) = &self.config
            && c.architecture == DiscriminatorArchitecture::Msg
        {
            let mut next = image.clone();
            while next.dims()[2] > 4 {
                next = next.fir(&self.filters.down);
                smaller.push(next.clone());
            }
            smaller.reverse();
        }
        Images { image, smaller }
    }
}
