//! The networks of a file: what they are, and how their weights become a state dict.

use std::fmt;

use super::{
    error::Fault,
    progress::Progress,
    source::Section,
    tensor::{NamedTensors, TensorView},
};
use crate::model::{
    config::{Architecture, GeneratorConfig},
    discriminator_config::DiscriminatorConfig,
    state_dict::{HostTensor, StateDict},
};

/// What a network is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The generator as it was trained.
    Generator,
    /// The moving average of the generator, which makes the better images.
    GeneratorEma,
    /// The discriminator.
    Discriminator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generator => "generator",
            Self::GeneratorEma => "generator (moving average)",
            Self::Discriminator => "discriminator",
        })
    }
}

/// What is known of a network before it is loaded.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkConfig {
    /// A generator.
    Generator(GeneratorConfig),
    /// A discriminator.
    Discriminator(DiscriminatorConfig),
}

/// A network of a file.
#[derive(Debug, Clone)]
pub struct NetworkEntry {
    /// What it is for.
    pub role: Role,
    /// Its name in the file, e.g. `G_ema`.
    pub name: String,
    /// What it is, in numbers.
    pub config: NetworkConfig,
    /// Number of trained values.
    pub num_parameters: usize,
    /// Which network it was taken for, e.g. for a class of the official code; empty if the weights alone tell.
    pub class_name: String,
    pub(super) tensors: NamedTensors,
    pub(super) plan: Vec<Planned>,
}

impl NetworkEntry {
    /// The generator's configuration, if it is one.
    pub fn generator(&self) -> Option<&GeneratorConfig> {
        match &self.config {
            NetworkConfig::Generator(config) => Some(config),
            NetworkConfig::Discriminator(_) => None,
        }
    }

    /// The discriminator's configuration, if it is one.
    pub fn discriminator(&self) -> Option<&DiscriminatorConfig> {
        match &self.config {
            NetworkConfig::Discriminator(config) => Some(config),
            NetworkConfig::Generator(_) => None,
        }
    }

    /// Takes over the configuration that the file gives, if its weights fit: what their shapes tell must be the same.
    pub(super) fn adopt(&mut self, config: GeneratorConfig) -> Result<(), Fault> {
        let fits = self.generator().is_some_and(|inferred| {
            let shapes = |config: &GeneratorConfig| {
                // Without styles there is no mapping, and the weights do not tell where `z` ends and the label begins.
                let mapping = config.has_styles().then(|| (config.mapping().num_layers, config.mapping().hidden_dim));
                let latent = config.has_styles().then(|| (config.z_dim(), config.label_dim()));
                let latent = (latent, config.w_dim());
                let image = (config.resolution(), config.img_channels());
                (std::mem::discriminant(config), mapping, latent, image, config.channels().clone())
            };
            // MSG has the weights of skip.
            let layout =
                |architecture| if architecture == Architecture::Msg { Architecture::Skip } else { architecture };
            let layers = |config: &GeneratorConfig| match config {
                GeneratorConfig::StyleGan2(c) => (c.use_noise, true, Some(layout(c.architecture)), None),
                GeneratorConfig::StyleGan1(c) => {
                    (c.features.use_noise, c.features.styles, None, Some(c.features.input))
                }
            };
            shapes(inferred) == shapes(&config) && layers(inferred) == layers(&config)
        });
        if !fits {
            let cause = "the configuration in the metadata does not fit the weights".to_owned();
            return Err(Fault::Weights { network: self.name.clone(), cause });
        }
        self.config = NetworkConfig::Generator(config);
        Ok(())
    }

    /// The weights under their official names. `file` is the whole file.
    pub(super) fn load(&self, file: Section<'_>, progress: &dyn Progress) -> Result<StateDict, Fault> {
        let bytes = |planned: &Planned| planned.view.as_ref().map_or(0, |view| view.extent().1 as u64);
        let total = self.plan.iter().map(bytes).sum();
        let mut done = 0;
        let mut weights = StateDict::default();
        for planned in &self.plan {
            if progress.cancelled() {
                return Err(Fault::Cancelled);
            }
            weights.0.insert(planned.name.clone(), planned.read(file)?);
            done += bytes(planned);
            progress.advance(done, total);
        }
        Ok(weights)
    }

    /// The arrays as the file has them, under the file's names.
    pub(super) fn load_raw(&self, file: Section<'_>) -> Result<StateDict, Fault> {
        let read = |(name, view): (&String, &TensorView)| -> Result<_, Fault> {
            Ok((name.clone(), HostTensor { shape: view.shape.clone(), data: view.read(file)? }))
        };
        Ok(StateDict(self.tensors.iter().map(read).collect::<Result<_, _>>()?))
    }
}

/// A weight of the state dict to be, and how it comes from the file.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub name: String,
    shape: Vec<usize>,
    /// `None`: all zeros.
    view: Option<TensorView>,
    scale: f32,
    shift: f32,
}

impl Planned {
    fn read(&self, file: Section<'_>) -> Result<HostTensor, Fault> {
        let mut data = match &self.view {
            Some(view) => view.read(file)?,
            None => vec![0.0; self.shape.iter().product()],
        };
        if self.scale != 1.0 {
            data.iter_mut().for_each(|value| *value *= self.scale);
        }
        if self.shift != 0.0 {
            data.iter_mut().for_each(|value| *value += self.shift);
        }
        HostTensor::new(self.shape.clone(), data)
            .ok_or_else(|| Fault::damaged(format!("weight {}", self.name), "its shape and its data disagree"))
    }
}

/// Collects the weights of one network from the arrays of the file.
pub(super) struct Plan<'t> {
    pub network: &'t str,
    pub tensors: &'t NamedTensors,
    planned: Vec<Planned>,
}

/// A change of layout between the file and the state dict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// As it is, axes of length 1 apart.
    Same,
    /// [in, out] to [out, in].
    Transposed,
    /// [out, in, k, k] to [out, in * k * k].
    Flattened,
    /// [k, k, in, out] to [out, in, k, k].
    HwioToOihw,
    /// The same, turned by 180 degrees in the plane.
    HwioToOihwFlipped,
}

impl<'t> Plan<'t> {
    pub fn new(network: &'t str, tensors: &'t NamedTensors) -> Self {
        Self { network, tensors, planned: Vec::new() }
    }

    /// The weights, each one once.
    pub fn finish(self) -> Vec<Planned> {
        self.planned
    }

    pub fn fault(&self, cause: impl Into<String>) -> Fault {
        Fault::Weights { network: self.network.to_owned(), cause: cause.into() }
    }

    /// The array `name` of the file.
    pub fn view(&self, name: &str) -> Result<&'t TensorView, Fault> {
        self.tensors.get(name).ok_or_else(|| self.fault(format!("the weight {name} is missing")))
    }

    /// As [`Self::dims`]; `None` if the file does not have the array.
    pub fn dims_if_any<const N: usize>(&self, name: &str) -> Result<Option<[usize; N]>, Fault> {
        if self.has(name) { self.dims(name).map(Some) } else { Ok(None) }
    }

    /// Shape of the array `name`, which must have `N` axes.
    pub fn dims<const N: usize>(&self, name: &str) -> Result<[usize; N], Fault> {
        let shape = &self.view(name)?.shape;
        <[usize; N]>::try_from(shape.as_slice())
            .map_err(|_| self.fault(format!("the weight {name} has shape {shape:?}, {N} axes are needed")))
    }

    /// Whether the file has `name`.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Plans the array `from` of the file as `name` with `shape`.
    pub fn take(&mut self, name: impl Into<String>, from: &str, shape: &[usize]) -> Result<(), Fault> {
        self.convert(name, from, shape, Layout::Same, 1.0, 0.0)
    }

    /// As [`Self::take`] if the file has it.
    pub fn take_optional(&mut self, name: impl Into<String>, from: &str, shape: &[usize]) -> Result<(), Fault> {
        if self.has(from) { self.take(name, from, shape) } else { Ok(()) }
    }

    /// Plans `from` as `name`: another layout, then `* scale + shift`.
    pub fn convert(
        &mut self,
        name: impl Into<String>,
        from: &str,
        shape: &[usize],
        layout: Layout,
        scale: f32,
        shift: f32,
    ) -> Result<(), Fault> {
        let source = self.view(from)?;
        let wrong = || self.fault(format!("the weight {from} has shape {:?}, {shape:?} is needed", source.shape));
        let rank = match layout {
            Layout::Same => source.shape.len(),
            Layout::Transposed => 2,
            Layout::Flattened | Layout::HwioToOihw | Layout::HwioToOihwFlipped => 4,
        };
        if source.shape.len() != rank {
            return Err(wrong());
        }
        let view = match layout {
            Layout::Same | Layout::Flattened => source.clone(),
            Layout::Transposed => source.clone().permute(&[1, 0]),
            Layout::HwioToOihw => source.clone().permute(&[3, 2, 0, 1]),
            Layout::HwioToOihwFlipped => source.clone().permute(&[3, 2, 0, 1]).flip(2).flip(3),
        };
        let long = |shape: &[usize]| shape.iter().copied().filter(|&length| length != 1).collect::<Vec<_>>();
        let fits = match (layout, view.shape.as_slice(), shape) {
            (Layout::Flattened, [o, i, height, width], [outputs, inputs]) => {
                (*o, i * height * width) == (*outputs, *inputs)
            }
            _ => long(&view.shape) == long(shape),
        };
        if !fits {
            return Err(wrong());
        }
        self.planned.push(Planned { name: name.into(), shape: shape.to_vec(), view: Some(view), scale, shift });
        Ok(())
    }

    /// Plans zeros, for a weight that the file's lineage does not have.
    pub fn zeros(&mut self, name: impl Into<String>, shape: &[usize]) {
        self.planned.push(Planned { name: name.into(), shape: shape.to_vec(), view: None, scale: 1.0, shift: 0.0 });
    }
}

/// Number of values that training changes: all but averages, noise maps, filters and levels of detail.
pub(super) fn num_parameters(tensors: &NamedTensors) -> usize {
    const BUFFERS: [&str; 9] = [
        "w_avg",
        "dlatent_avg",
        "latent_avg",
        "noise_const",
        "resample_filter",
        "kernel",
        "lod",
        "apply_noise.noise",
        "mean_style",
    ];
    let is_buffer = |name: &str| {
        BUFFERS.iter().any(|buffer| name.ends_with(buffer))
            || name.contains("noises.noise_")
            || name
                .rsplit(['.', '/'])
                .next()
                .is_some_and(|last| last.strip_prefix("noise").is_some_and(|number| number.parse::<u32>().is_ok()))
    };
    tensors.iter().filter(|(name, _)| !is_buffer(name)).map(|(_, view)| view.num_elements()).sum()
}
