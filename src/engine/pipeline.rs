//! From a pose to an image: seeds, `z`, `w`, `ws`, styles, blocks. One pipeline belongs to one thread and one model.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use burn::tensor::{Tensor, TensorData};

use crate::{
    base::numpy_rng::z_from_seed,
    engine::{
        cache::{BlockCache, BlockKey, RecentlyUsed, Resume},
        message::LayerValues,
        model::OpenModel,
        noise::{NoiseField, NoisePlan},
        preview::{BlockTimes, Progress},
        render::RenderError,
    },
    gpu::readback,
    latent::{WsRecipe, compose_ws},
    model::{BlockState, Generator, Styles},
    session::{Pose, pose::ChannelOffsets},
};

/// Seeds whose `w` is kept: a long walk through the plane in both directions.
const KEPT_SEEDS: usize = 256;

/// The vectors of a pose, edits included.
#[derive(Debug, Clone)]
pub struct Latents {
    /// [num_ws, w_dim], row-major.
    pub ws: Vec<f32>,
    /// By layer.
    pub styles: Vec<Vec<f32>>,
    /// Time from seeds to `ws`.
    pub map: Duration,
    /// Time from `ws` to styles.
    pub affine: Duration,
}

/// Renders poses of one model.
#[derive(Debug)]
pub struct Pipeline {
    model: Arc<OpenModel>,
    /// By seed and class.
    w: RecentlyUsed<(u32, usize), Arc<[f32]>>,
    /// The last `ws`, and its styles before edits.
    styles: Option<(Vec<f32>, Vec<Vec<f32>>)>,
    noise: NoiseField,
    /// `None` for a pipeline that renders once.
    blocks: Option<BlockCache>,
    times: BlockTimes,
}

/// A frame between two blocks, for whoever shows something of it early.
#[derive(Debug)]
pub struct Step<'a> {
    generator: &'a Generator,
    block: usize,
    state: &'a BlockState,
    /// What is left to do.
    pub progress: Progress,
}

impl Step<'_> {
    /// Pixels on the side of the image that [`Step::preview`] gives.
    pub fn side(&self) -> usize {
        4usize << self.block
    }

    /// The image so far, [1, C, side, side]; `None` for networks that make none before the last block.
    ///
    /// # Errors
    /// [`RenderError`] if the network refuses.
    pub fn preview(&self) -> Result<Option<Tensor<4>>, RenderError> {
        Ok(self.generator.preview(self.block, self.state)?)
    }
}

impl Pipeline {
    /// A pipeline that keeps what the next frame may need.
    pub fn new(model: Arc<OpenModel>) -> Self {
        Self { blocks: Some(BlockCache::default()), ..Self::once(model) }
    }

    /// A pipeline for a single image, which holds no activations longer than needed.
    pub fn once(model: Arc<OpenModel>) -> Self {
        Self {
            model,
            w: RecentlyUsed::new(KEPT_SEEDS),
            styles: None,
            noise: NoiseField::default(),
            blocks: None,
            times: BlockTimes::default(),
        }
    }

    /// The model.
    pub fn model(&self) -> &Arc<OpenModel> {
        &self.model
    }

    /// The vectors of a pose. All of it happens on the latent device, the CPU.
    ///
    /// # Errors
    /// [`RenderError`] if the network refuses.
    pub fn latents(&mut self, pose: &Pose) -> Result<Latents, RenderError> {
        let begin = Instant::now();
        let model = Arc::clone(&self.model);
        let generator = &model.generator;
        let class = pose.class.min(generator.config().label_dim().saturating_sub(1));
        let num_ws = generator.config().num_ws();
        let amounts: BTreeMap<usize, f32> = (0..num_ws).map(|ws| (ws, pose.mix.amount(ws))).collect();
        let recipe = WsRecipe {
            position: (pose.seed.x, pose.seed.y),
            mix_seed: pose.mix.seed,
            mix_amounts: &amounts,
            psi: pose.truncation.psi,
            cutoff: pose.truncation.cutoff,
            layer_psi: &pose.layer_psi,
            offsets: &pose.w_offsets,
        };
        let ws = compose_ws(&recipe, |seed| self.w(seed, class), generator.w_avg(), num_ws)?;
        let map = begin.elapsed();
        let begin = Instant::now();
        let mut styles = self.styles(&ws)?;
        for (layer, offsets) in &pose.style_offsets {
            if let Some(style) = styles.get_mut(*layer) {
                add_offsets(style, offsets);
            }
        }
        Ok(Latents { ws, styles, map, affine: begin.elapsed() })
    }

    /// The image of a pose, [1, C, H, W], nominal range -1..=1, on the synthesis device; `None` if `abandon` said so
    /// between two blocks. What was computed until then is kept.
    ///
    /// # Errors
    /// [`RenderError`] if the network refuses.
    pub fn image(
        &mut self,
        pose: &Pose,
        latents: &Latents,
        mut abandon: impl FnMut() -> bool,
    ) -> Result<Option<Tensor<4>>, RenderError> {
        self.image_in_steps(pose, latents, |_| abandon(), |_| Ok(()))
    }

    /// The same, with a look at the image so far: `between` is called after every block of this frame but the last.
    ///
    /// # Errors
    /// [`RenderError`] if the network refuses, and what `between` returns.
    pub fn image_in_steps(
        &mut self,
        pose: &Pose,
        latents: &Latents,
        mut abandon: impl FnMut(Progress) -> bool,
        mut between: impl FnMut(Step<'_>) -> Result<(), RenderError>,
    ) -> Result<Option<Tensor<4>>, RenderError> {
        let generator = &self.model.generator;
        let plan = NoisePlan::new(pose, generator);
        let keys: Vec<BlockKey> =
            (0..generator.num_blocks()).map(|block| block_key(generator, block, latents, &plan)).collect();
        let resume = self.blocks.as_mut().map_or(Resume::From { done: 0, state: None }, |cache| cache.resume(&keys));
        let (done, state) = match resume {
            Resume::Image(image) => return Ok(Some(image)),
            Resume::From { done, state } => (done, state),
        };
        let noise = self.noise.prepare(&plan, generator);
        let device = &generator.placement().latent;
        let style = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), [1, values.len()]), device);
        let styles = Styles(latents.styles.iter().map(style).collect());
        let mut state = state.unwrap_or_else(|| generator.start(1));
        let last = keys.len().saturating_sub(1);
        for (block, key) in keys.iter().enumerate().skip(done) {
            if abandon(self.times.progress(block, keys.len())) {
                return Ok(None);
            }
            let begin = Instant::now();
            state = generator.block(block, state, &styles, &noise.as_input())?;
            self.times.note(block, begin.elapsed());
            if block != last {
                let progress = self.times.progress(block + 1, keys.len());
                between(Step { generator, block, state: &state, progress })?;
            }
            if let Some(cache) = self.blocks.as_mut().filter(|_| block != last) {
                cache.push(key.clone(), state.clone());
            }
        }
        let image = generator.finish(state)?;
        if let (Some(cache), Some(key)) = (&mut self.blocks, keys.into_iter().next_back()) {
            cache.finish(key, image.clone());
        }
        Ok(Some(image))
    }

    /// The vectors of one layer; `None` if the model has no such layer.
    pub fn layer_values(&self, layer: usize, latents: &Latents) -> Option<LayerValues> {
        let info = self.model.generator.layers().get(layer)?;
        let w_dim = self.model.generator.config().w_dim();
        let start = info.ws_index.checked_mul(w_dim)?;
        let w = latents.ws.get(start..start.checked_add(w_dim)?)?.to_vec();
        Some(LayerValues { layer, style: latents.styles.get(layer)?.clone(), w })
    }

    fn w(&mut self, seed: u32, class: usize) -> Result<Arc<[f32]>, RenderError> {
        if let Some(w) = self.w.get(&(seed, class)) {
            return Ok(w);
        }
        let generator = &self.model.generator;
        let w: Arc<[f32]> = map_seeds(generator, &[seed], class)?.into();
        self.w.insert((seed, class), Arc::clone(&w));
        Ok(w)
    }

    fn styles(&mut self, ws: &[f32]) -> Result<Vec<Vec<f32>>, RenderError> {
        let same =
            |known: &[f32]| known.len() == ws.len() && known.iter().zip(ws).all(|(a, b)| a.to_bits() == b.to_bits());
        if let Some((known, styles)) = &self.styles
            && same(known)
        {
            return Ok(styles.clone());
        }
        let generator = &self.model.generator;
        let config = generator.config();
        let data = TensorData::new(ws.to_vec(), [1, config.num_ws(), config.w_dim()]);
        let Styles(tensors) = generator.affine(Tensor::from_data(data, &generator.placement().latent))?;
        let styles = tensors.into_iter().map(readback::values).collect::<Result<Vec<_>, _>>()?;
        self.styles = Some((ws.to_vec(), styles.clone()));
        Ok(styles)
    }
}

/// The `w` of seeds under one class, [N, w_dim] row-major.
///
/// # Errors
/// [`RenderError`] if the network refuses.
pub fn map_seeds(generator: &Generator, seeds: &[u32], class: usize) -> Result<Vec<f32>, RenderError> {
    let (z_dim, label_dim) = (generator.config().z_dim(), generator.config().label_dim());
    let device = &generator.placement().latent;
    let z: Vec<f32> = seeds.iter().flat_map(|&seed| z_from_seed(seed, z_dim)).collect();
    let z = Tensor::from_data(TensorData::new(z, [seeds.len(), z_dim]), device); // [N, z_dim]
    let label = (label_dim > 0).then(|| {
        let one_hot = (0..label_dim).map(|label| if label == class { 1.0f32 } else { 0.0 });
        let rows: Vec<f32> = one_hot.cycle().take(seeds.len() * label_dim).collect();
        Tensor::from_data(TensorData::new(rows, [seeds.len(), label_dim]), device) // [N, label_dim]
    });
    Ok(readback::values(generator.map(z, label)?)?)
}

fn add_offsets(values: &mut [f32], offsets: &ChannelOffsets) {
    for (channel, offset) in offsets {
        if let Some(value) = values.get_mut(*channel) {
            *value += offset;
        }
    }
}

/// What feeds a block: the styles and the noise of the layers at its resolution.
fn block_key(generator: &Generator, block: usize, latents: &Latents, plan: &NoisePlan) -> BlockKey {
    let mut key = BlockKey::default();
    let here = |resolution: usize| resolution == 4usize << block;
    for (layer, style) in generator.layers().iter().zip(&latents.styles).filter(|(layer, _)| here(layer.resolution)) {
        key.add(style);
        if let Some(index) = layer.noise_index {
            plan.add_to_key(index, &mut key);
        }
    }
    key
}
