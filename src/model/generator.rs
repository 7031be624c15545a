//! The one type through which the rest of the program uses a network: `z -> w -> ws -> styles -> image`.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    block_state::BlockState,
    config::{GeneratorConfig, resolutions},
    error::ModelError,
    layer::LayerInfo,
    linear::Affine,
    mapping::Mapping,
    noise::{Noise, NoiseBuffers},
    state_dict::{HostTensor, StateDict},
    stylegan1::StyleGan1,
    stylegan2::StyleGan2,
    weights::{WeightSource, read},
};
use crate::{
    base::numpy_rng::RandomState,
    ops::{cpu::Runtime, gpu::LayerShape},
};

/// Where a generator's parts live. Mapping and affines always run on the latent device (the CPU in the explorer, so
/// that `w` and styles are known on the host without any readback), synthesis on the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// `z`, `w`, `ws` and styles.
    pub latent: Device,
    /// Feature maps, noise and images.
    pub synthesis: Device,
    /// Whether the feature maps and convolutions of StyleGAN2 are stored in f16 where the synthesis device can (sums stay f32):
    /// half the memory traffic, and images that differ in the third digit. Nothing happens where it cannot.
    pub half: bool,
}

impl Placement {
    /// Everything on the CPU.
    pub fn cpu() -> Self {
        Self::split(Device::flex())
    }

    /// Latents on the CPU, images on `synthesis`.
    pub fn split(synthesis: Device) -> Self {
        Self { latent: Device::flex(), synthesis, half: false }
    }

    /// The same with another way of storing feature maps.
    #[must_use]
    pub fn with_half(self, half: bool) -> Self {
        Self { half, ..self }
    }
}

/// The style vectors of a batch: by layer (the index in [`Generator::layers`]), [N, style_dim], on the latent device.
#[derive(Debug, Clone)]
pub struct Styles(pub Vec<Tensor<2>>);

/// A synthesis network with what belongs to it on the latent side.
pub(crate) struct Built<Network> {
    pub network: Network,
    /// By layer, on the latent device.
    pub affines: Vec<Affine>,
    pub layers: Vec<LayerInfo>,
    pub noise: NoiseBuffers,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a generator has one of them")]
enum Network {
    StyleGan2(StyleGan2),
    StyleGan1(StyleGan1),
}

/// A generator of any family.
///
/// Weights go by the official names of the family (`mapping.fc0.weight`, `synthesis.b8.conv0.weight`;
/// `mapping.dense0.weight`, `synthesis.layer0.bias`), those of StyleGAN's community port by its own (`style.1...`,
/// `generator.progression.0...`). Three things may be missing in a state dict:
/// - resampling filters, which follow from the configuration,
/// - noise maps, which are then drawn from a fixed seed,
/// - `w_avg` (`mapping.w_avg`, `truncation.w_avg`, in the community port `w_avg`), which is then estimated.
///
/// A conditional StyleGAN2 embeds the label by `mapping.embed`: [w_dim, label_dim] where it is normalised by itself,
/// [z_dim, label_dim] where it is normalised together with `z`.
#[derive(Debug, Clone)]
pub struct Generator {
    config: GeneratorConfig,
    placement: Placement,
    mapping: Mapping,
    affines: Vec<Affine>,
    network: Network,
    layers: Vec<LayerInfo>,
    noise: NoiseBuffers,
    w_avg: Vec<f32>,
}

/// Samples behind an estimated `w_avg`: its error is 1/64 of the spread of `w`, too little to see.
const W_AVG_SAMPLES: usize = 4096;

impl Generator {
    /// Builds the network that `config` describes from its weights, which are consumed tensor by tensor.
    ///
    /// # Errors
    /// If the configuration is out of range or a weight is missing or misshaped.
    pub fn from_state_dict(
        config: GeneratorConfig,
        weights: StateDict,
        placement: &Placement,
    ) -> Result<Self, ModelError> {
        Self::build(config, WeightSource::File(weights), placement)
    }

    /// An untrained network with the official initialisation. Its images are noise, and where blocks add up their RGB
    /// many pixels lie outside of -1..1. The same seed gives the same network.
    ///
    /// # Errors
    /// If the configuration is out of range.
    pub fn init(config: GeneratorConfig, seed: u64, placement: &Placement) -> Result<Self, ModelError> {
        Self::build(config, WeightSource::fresh(seed), placement)
    }

    fn build(config: GeneratorConfig, mut source: WeightSource, placement: &Placement) -> Result<Self, ModelError> {
        config.validate()?;
        let Placement { latent, synthesis, .. } = placement;
        let mapping = Mapping::new(&config, &mut source, latent)?;
        let (network, affines, layers, noise) = match &config {
            GeneratorConfig::StyleGan2(config) => {
                let Built { network, affines, layers, noise } = StyleGan2::new(config, &mut source, placement)?;
                (Network::StyleGan2(network), affines, layers, noise)
            }
            GeneratorConfig::StyleGan1(config) => {
                let Built { network, affines, layers, noise } = StyleGan1::new(config, &mut source, latent, synthesis)?;
                (Network::StyleGan1(network), affines, layers, noise)
            }
        };
        let w_avg = match source.optional(w_avg_name(&config), &[config.w_dim()])? {
            Some(w_avg) => w_avg,
            None => estimate_w_avg(&config, &mapping, latent)?,
        };
        Ok(Self { config, placement: placement.clone(), mapping, affines, network, layers, noise, w_avg })
    }

    /// The weights under their official names, with their exact values. Holds what the network needs, so no
    /// resampling filters, and always a `w_avg`.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn state_dict(&self) -> Result<StateDict, ModelError> {
        let mut weights = StateDict::default();
        self.mapping.store(&mut weights)?;
        self.affines.iter().try_for_each(|affine| affine.store(&mut weights))?;
        match &self.network {
            Network::StyleGan2(network) => network.store(&mut weights)?,
            Network::StyleGan1(network) => network.store(&mut weights)?,
        }
        self.noise.store(&mut weights);
        let w_avg = HostTensor { shape: vec![self.w_avg.len()], data: self.w_avg.clone() };
        weights.0.insert(w_avg_name(&self.config).to_owned(), w_avg);
        Ok(weights)
    }

    /// Which runtime's kernels run the layers on the CPU where no gradient is wanted; `None` leaves them to the tensors. A new generator has [`Runtime::shared`].
    pub fn set_cpu_runtime(&mut self, runtime: Option<Arc<Runtime>>) {
        match &mut self.network {
            Network::StyleGan2(network) => network.set_cpu_runtime(runtime, &self.placement.synthesis),
            Network::StyleGan1(network) => network.set_cpu_runtime(runtime, &self.placement.synthesis),
        }
    }

    /// What the network is.
    pub fn config(&self) -> &GeneratorConfig {
        &self.config
    }

    /// Where its parts are.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The layers that styles drive, in order of computation.
    pub fn layers(&self) -> &[LayerInfo] {
        &self.layers
    }

    /// Height and width of each noise map, by noise index.
    pub fn noise_shapes(&self) -> &[[usize; 2]] {
        self.noise.shapes()
    }

    /// The stored noise map, in row-major order.
    pub fn const_noise(&self, noise_index: usize) -> Option<Vec<f32>> {
        self.noise.host(noise_index).map(<[f32]>::to_vec)
    }

    /// The centre of `w`, to which truncation pulls.
    pub fn w_avg(&self) -> &[f32] {
        &self.w_avg
    }

    /// The mapping network.
    ///
    /// # Shapes
    /// - z: [N, z_dim], label: [N, label_dim] (one-hot) for a conditional network, both on the latent device
    /// - output: [N, w_dim]
    ///
    /// # Errors
    /// If a shape is wrong, a label missing or unexpected.
    pub fn map(&self, z: Tensor<2>, label: Option<Tensor<2>>) -> Result<Tensor<2>, ModelError> {
        let batch = z.dims()[0];
        check("z", &z, [batch, self.config.z_dim()])?;
        if let (Some(label), 1..) = (&label, self.config.label_dim()) {
            check("the label", label, [batch, self.config.label_dim()])?;
        }
        self.mapping.forward(z, label)
    }

    /// One `w` for all layers, `lerp(w_avg, w, psi)` on the first `cutoff` of them (`None`: on all).
    ///
    /// # Shapes
    /// - w: [N, w_dim]
    /// - output: [N, num_ws, w_dim]
    pub fn truncate(&self, w: Tensor<2>, psi: f32, cutoff: Option<usize>) -> Tensor<3> {
        let [batch, w_dim] = w.dims();
        let num_ws = self.config.num_ws();
        let cutoff = cutoff.unwrap_or(num_ws).min(num_ws);
        let broadcast = |w: Tensor<2>, count: usize| w.unsqueeze_dim::<3>(1).expand([batch, count, w_dim]);
        if psi == 1.0 || cutoff == 0 {
            return broadcast(w, num_ws);
        }
        let w_avg: Tensor<2> =
            Tensor::from_data(TensorData::new(self.w_avg.clone(), [1, self.w_avg.len()]), &w.device());
        let truncated = w.clone().sub(w_avg.clone()).mul_scalar(psi).add(w_avg);
        let truncated = broadcast(truncated, cutoff);
        if cutoff == num_ws {
            return truncated;
        }
        Tensor::cat(vec![truncated, broadcast(w, num_ws - cutoff)], 1)
    }

    /// The style of every layer.
    ///
    /// # Shapes
    /// - ws: [N, num_ws, w_dim]
    /// - output: by layer, [N, style_dim]
    ///
    /// # Errors
    /// If the shape is wrong.
    pub fn affine(&self, ws: Tensor<3>) -> Result<Styles, ModelError> {
        let [batch, _, w_dim] = ws.dims();
        check("ws", &ws, [batch, self.config.num_ws(), self.config.w_dim()])?;
        let w = |index: usize| ws.clone().narrow(1, index, 1).reshape([batch, w_dim]);
        Ok(Styles(
            self.affines.iter().zip(&self.layers).map(|(affine, layer)| affine.forward(w(layer.ws_index))).collect(),
        ))
    }

    /// The layers that a GPU's kernels may compute, for a batch of this size, in order of computation.
    pub fn kernel_layers(&self, batch: usize) -> Vec<LayerShape> {
        match &self.network {
            Network::StyleGan2(network) => network.layer_shapes(batch),
            Network::StyleGan1(network) => network.layer_shapes(batch),
        }
    }

    /// Number of blocks: one a resolution, from 4 pixels up.
    pub fn num_blocks(&self) -> usize {
        match &self.network {
            Network::StyleGan2(network) => network.num_blocks(),
            Network::StyleGan1(network) => network.num_blocks(),
        }
    }

    /// The constant input for a batch.
    ///
    /// # Panics
    /// If the batch is empty.
    pub fn start(&self, batch: usize) -> BlockState {
        match &self.network {
            Network::StyleGan2(network) => network.start(batch),
            Network::StyleGan1(network) => network.start(batch),
        }
    }

    /// Runs one block: doubles the size (but for the first) and brings the image along.
    ///
    /// # Errors
    /// If the state is not that of the block before, or styles or noise do not fit.
    pub fn block(
        &self,
        index: usize,
        state: BlockState,
        styles: &Styles,
        noise: &Noise,
    ) -> Result<BlockState, ModelError> {
        let [batch, ..] = state.shape();
        self.check_state(index, &state)?;
        self.batch_of(styles)?;
        // Only this block's styles travel to the other device.
        let side = 4usize << index;
        let mut here = Vec::with_capacity(styles.0.len());
        for (style, layer) in styles.0.iter().zip(&self.layers) {
            check("a style", style, [batch, layer.style_dim])?;
            let style = style.clone();
            here.push(if layer.resolution == side { style.to_device(&self.placement.synthesis) } else { style });
        }
        let input = |noise_index| self.noise.input(noise, noise_index, batch);
        match &self.network {
            Network::StyleGan2(network) => network.block(index, state, &here, &input),
            Network::StyleGan1(network) => network.block(index, state, &here, &input),
        }
    }

    /// The image of a state behind the last block: [N, C, H, W], nominal range -1..1, on the synthesis device.
    ///
    /// # Errors
    /// If blocks are still missing.
    pub fn finish(&self, state: BlockState) -> Result<Tensor<4>, ModelError> {
        let side = self.config.resolution();
        state.image().filter(|image| image.dims()[2..] == [side, side]).ok_or(ModelError::Unfinished)
    }

    /// The image that a state behind block `index` makes by itself, [N, C, side, side]: in StyleGAN2's `skip` networks the
    /// sum of the RGB so far, in StyleGAN what the block's own `to_rgb` makes of it. `None` where RGB comes from the last
    /// block alone (`resnet`, `orig`), and while a StyleGAN grows.
    ///
    /// # Errors
    /// If there is no such block.
    pub fn preview(&self, index: usize, state: &BlockState) -> Result<Option<Tensor<4>>, ModelError> {
        match &self.network {
            Network::StyleGan2(_) => Ok(state.image()),
            Network::StyleGan1(network) => network.preview(index, state),
        }
    }

    /// All blocks: [N, C, H, W], nominal range -1..1, on the synthesis device.
    ///
    /// # Errors
    /// If styles or noise do not fit the network.
    pub fn synthesize(&self, styles: &Styles, noise: &Noise) -> Result<Tensor<4>, ModelError> {
        let batch = self.batch_of(styles)?;
        let state = (0..self.num_blocks())
            .try_fold(self.start(batch), |state, index| self.block(index, state, styles, noise))?;
        self.finish(state)
    }

    /// Number of samples, if there is a style for each layer.
    fn batch_of(&self, styles: &Styles) -> Result<usize, ModelError> {
        match styles.0.first().map(|style| style.dims()[0]) {
            Some(batch @ 1..) if styles.0.len() == self.layers.len() => Ok(batch),
            _ => Err(ModelError::Input {
                what: "the list of styles",
                found: vec![styles.0.len()],
                expected: format!("a style for each of the {} layers, of one sample or more", self.layers.len()),
            }),
        }
    }

    fn check_state(&self, index: usize, state: &BlockState) -> Result<(), ModelError> {
        let count = self.num_blocks();
        let active = match &self.network {
            Network::StyleGan2(_) => true,
            Network::StyleGan1(network) => network.is_active(index),
        };
        let Some(resolution) = resolutions(self.config.resolution()).nth(index) else {
            return Err(ModelError::Block { index, count });
        };
        // A block above the level of detail passes on whatever features it gets.
        if !active {
            return Ok(());
        }
        let side = if index == 0 { 4 } else { resolution / 2 };
        let found = state.shape();
        let expected = [found[0], self.config.channels().at(side), side, side];
        if found == expected {
            return Ok(());
        }
        let expected = format!("{expected:?}");
        Err(ModelError::Input { what: "the state's x", found: found.to_vec(), expected })
    }
}

fn w_avg_name(config: &GeneratorConfig) -> &'static str {
    use super::config::StyleGan1Variant::{Community, Official};
    match config {
        GeneratorConfig::StyleGan2(_) => "mapping.w_avg",
        GeneratorConfig::StyleGan1(c) => match c.variant {
            Official => "truncation.w_avg",
            Community => "w_avg",
        },
    }
}

/// The mean of `w` over a fixed set of latents, the labels taking turns.
fn estimate_w_avg(config: &GeneratorConfig, mapping: &Mapping, device: &Device) -> Result<Vec<f32>, ModelError> {
    let (z_dim, label_dim) = (config.z_dim(), config.label_dim());
    let z = RandomState::new(0).randn_f32(W_AVG_SAMPLES * z_dim);
    let z = Tensor::from_data(TensorData::new(z, [W_AVG_SAMPLES, z_dim]), device);
    let label = (label_dim > 0).then(|| {
        let mut one_hot = vec![0.0f32; W_AVG_SAMPLES * label_dim];
        (0..W_AVG_SAMPLES).for_each(|i| one_hot[i * label_dim + i % label_dim] = 1.0);
        Tensor::from_data(TensorData::new(one_hot, [W_AVG_SAMPLES, label_dim]), device)
    });
    read("w_avg", mapping.forward(z, label)?.mean_dim(0))
}

fn check<const D: usize>(what: &'static str, tensor: &Tensor<D>, expected: [usize; D]) -> Result<(), ModelError> {
    if tensor.dims() == expected {
        return Ok(());
    }
    Err(ModelError::Input { what, found: tensor.dims().to_vec(), expected: format!("{expected:?}") })
}
