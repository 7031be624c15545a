//! One latent to one image, by the same steps as the window: `z -> w -> ws -> styles -> image`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::anyhow;
use burn::tensor::{Device, Tensor, TensorData};

use super::latents::{Item, Latent};
use crate::{
    base::numpy_rng::z_from_seed,
    engine::{
        model::OpenModel,
        pipeline::{self, Pipeline},
    },
    gpu::readback,
    latent::ws::truncate,
    model::{Generator, Styles},
    session::{
        Pose,
        pose::{Noise, NoiseMode},
    },
};

/// What all images of a run share.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The class, for a conditional model.
    pub class: usize,
    /// Truncation.
    pub psi: f32,
    /// Number of layers that are truncated; `None` is all of them.
    pub cutoff: Option<usize>,
    /// A second seed, and the `ws` indices that it drives.
    pub mix: Option<(u32, BTreeSet<usize>)>,
    /// Where noise comes from.
    pub noise: NoiseMode,
    /// Factor on the model's own noise strengths.
    pub noise_strength: f32,
}

/// An image with the steps that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// [z_dim], where the latent has one.
    pub z: Option<Vec<f32>>,
    /// [w_dim] before truncation and mixing, where the latent has one.
    pub w: Option<Vec<f32>>,
    /// [num_ws * w_dim], what the synthesis network got.
    pub ws: Vec<f32>,
    /// [channels * side * side], nominal range -1..=1.
    pub image: Vec<f32>,
    /// 1, 3 or 4.
    pub channels: usize,
    /// Width and height in pixels.
    pub side: usize,
}

/// Makes pictures one at a time, so that memory does not grow with their number.
pub struct Synthesizer {
    pipeline: Pipeline,
    view: View,
    /// `w` of the second seed.
    second: Option<Vec<f32>>,
}

impl Synthesizer {
    /// Prepares what the pictures share.
    ///
    /// # Errors
    /// If the second seed cannot be mapped.
    pub fn new(model: Arc<OpenModel>, view: View) -> anyhow::Result<Self> {
        let mut synthesizer = Self { pipeline: Pipeline::once(model), view, second: None };
        if let Some((seed, _)) = synthesizer.view.mix {
            let z = z_from_seed(seed, synthesizer.generator().config().z_dim());
            synthesizer.second = Some(synthesizer.map(&z)?);
        }
        Ok(synthesizer)
    }

    fn generator(&self) -> &Generator {
        &self.pipeline.model().generator
    }

    /// The picture of `item`.
    ///
    /// # Errors
    /// If the latent does not fit the model or the device fails.
    pub fn picture(&mut self, item: &Item<'_>) -> anyhow::Result<Picture> {
        let config = self.generator().config().clone();
        let z = match item.latent {
            Latent::Seed(seed) => Some(z_from_seed(seed, config.z_dim())),
            Latent::Z(z) => Some(z.to_vec()),
            Latent::W(_) | Latent::Ws(_) => None,
        };
        let w = match (item.latent, &z) {
            (Latent::W(w), _) => Some(w.to_vec()),
            (_, Some(z)) => Some(self.map(z)?),
            _ => None,
        };
        let ws = match (item.latent, &w) {
            (Latent::Ws(ws), _) => ws.to_vec(),
            (_, Some(w)) => self.compose(w),
            _ => return Err(anyhow!("there is neither w nor ws")),
        };
        let image = self.synthesize(&ws, item.noise_seed)?;
        Ok(Picture { z, w, ws, image, channels: config.img_channels(), side: config.resolution() })
    }

    fn map(&self, z: &[f32]) -> anyhow::Result<Vec<f32>> {
        let device = &self.generator().placement().latent;
        let label_dim = self.generator().config().label_dim();
        let label = (label_dim > 0).then(|| {
            let one_hot = (0..label_dim).map(|class| if class == self.view.class { 1.0 } else { 0.0 });
            tensor(one_hot.collect(), [1, label_dim], device)
        });
        let w = self.generator().map(tensor(z.to_vec(), [1, z.len()], device), label)?; // [1, w_dim]
        Ok(readback::values(w)?)
    }

    /// `w` for every layer: the second seed's where it is mixed in, then truncated.
    fn compose(&self, w: &[f32]) -> Vec<f32> {
        let w_avg = self.generator().w_avg();
        let num_ws = self.generator().config().num_ws();
        let mut ws = Vec::with_capacity(num_ws * w.len());
        for layer in 0..num_ws {
            let mixed = self.view.mix.as_ref().is_some_and(|(_, layers)| layers.contains(&layer));
            let mut row = self.second.as_deref().filter(|_| mixed).unwrap_or(w).to_vec();
            if self.view.cutoff.is_none_or(|cutoff| layer < cutoff) {
                truncate(&mut row, w_avg, self.view.psi);
            }
            ws.append(&mut row);
        }
        ws
    }

    fn synthesize(&mut self, ws: &[f32], noise_seed: u32) -> anyhow::Result<Vec<f32>> {
        let generator = self.generator();
        let (config, device) = (generator.config(), &generator.placement().latent);
        let Styles(styles) = generator.affine(tensor(ws.to_vec(), [1, config.num_ws(), config.w_dim()], device))?;
        let latents = pipeline::Latents {
            ws: ws.to_vec(),
            styles: styles.into_iter().map(readback::values).collect::<Result<_, _>>()?,
            map: Duration::ZERO,
            affine: Duration::ZERO,
        };
        let noise = Noise { mode: self.view.noise, seed: noise_seed, strength: self.view.noise_strength, turn: 0.0 };
        let pose = Pose { noise, ..Pose::default() };
        let image = self.pipeline.image(&pose, &latents, || false)?; // [1, C, H, W]
        Ok(readback::values(image.ok_or_else(|| anyhow!("the image was abandoned"))?)?)
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
