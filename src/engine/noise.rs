//! The noise inputs of a pose: none, the model's own, or drawn from a seed; turned, and scaled by layer.
//!
//! Turning mixes the maps with others of the same distribution, `cos(2 pi t) * maps + sin(2 pi t) * others`, which keeps
//! the variance of every pixel: the field changes smoothly and comes back after a full turn.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::{
    base::numpy_rng::RandomState,
    engine::cache::BlockKey,
    model::{Generator, Noise, NoiseInput},
    session::pose::{NoiseMode, Pose},
};

/// Where maps come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Stored,
    Drawn(u32),
}

/// Which of the two fields of a seed.
#[derive(Debug, Clone, Copy)]
enum Part {
    Maps = 0,
    Others = 1,
}

/// What a pose says about noise, as plain numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NoisePlan {
    source: Option<Source>,
    /// Turns, 0..1.
    turn: f32,
    /// By noise index: factor on the model's own strength.
    strength: Vec<f32>,
}

impl NoisePlan {
    /// The plan of a pose for a model. Layers that share one map (the community port of StyleGAN) multiply their
    /// factors.
    pub fn new(pose: &Pose, generator: &Generator) -> Self {
        let source = match pose.noise.mode {
            NoiseMode::Off => None,
            NoiseMode::Const => Some(Source::Stored),
            NoiseMode::Random => Some(Source::Drawn(pose.noise.seed)),
        };
        let mut strength = vec![pose.noise.strength; generator.noise_shapes().len()];
        for (layer, factor) in &pose.layer_noise {
            let index = generator.layers().get(*layer).and_then(|layer| layer.noise_index);
            if let Some(strength) = index.and_then(|index| strength.get_mut(index)) {
                *strength *= factor;
            }
        }
        let turn = pose.noise.turn.rem_euclid(1.0);
        Self { source, turn: if turn.is_finite() { turn } else { 0.0 }, strength }
    }

    /// Adds all that decides the noise of one input to what feeds its block.
    pub fn add_to_key(&self, index: usize, key: &mut BlockKey) {
        let Some(source) = self.source else {
            return key.add_words(&[0]);
        };
        let (kind, seed) = match source {
            Source::Stored => (1, 0),
            Source::Drawn(seed) => (2, seed),
        };
        let strength = self.strength.get(index).copied().unwrap_or(0.0);
        key.add_words(&[kind, seed, self.turn.to_bits(), strength.to_bits()]);
    }
}

/// Noise that is ready for the network.
#[derive(Debug)]
pub enum PreparedNoise {
    /// None.
    None,
    /// The model's own maps.
    Const(Vec<f32>),
    /// Maps that were drawn or turned.
    Maps(NoiseInput),
}

impl PreparedNoise {
    /// As the network takes it.
    pub fn as_input(&self) -> Noise<'_> {
        match self {
            Self::None => Noise::None,
            Self::Const(strength) => Noise::Const { strength },
            Self::Maps(input) => Noise::Maps(input),
        }
    }
}

type Maps = Vec<Tensor<4>>;

/// The maps of the last frame, on the synthesis device.
#[derive(Debug, Default)]
pub struct NoiseField {
    maps: Option<(Source, Maps)>,
    others: Option<(Source, Maps)>,
    turned: Option<(Source, f32, Maps)>,
}

impl NoiseField {
    /// The noise of `plan`.
    pub fn prepare(&mut self, plan: &NoisePlan, generator: &Generator) -> PreparedNoise {
        let Some(source) = plan.source else {
            return PreparedNoise::None;
        };
        let strength = plan.strength.clone();
        if plan.turn == 0.0 {
            return match source {
                Source::Stored => PreparedNoise::Const(strength),
                Source::Drawn(_) => PreparedNoise::Maps(NoiseInput { maps: self.maps(source, generator), strength }),
            };
        }
        let maps = match &self.turned {
            Some((known, turn, maps)) if *known == source && *turn == plan.turn => maps.clone(),
            _ => {
                let (maps, others) = (self.maps(source, generator), self.others(source, generator));
                let (sin, cos) = (std::f64::consts::TAU * f64::from(plan.turn)).sin_cos();
                let turned: Maps = maps
                    .into_iter()
                    .zip(others)
                    .map(|(map, other)| map.mul_scalar(cos) + other.mul_scalar(sin))
                    .collect();
                self.turned = Some((source, plan.turn, turned.clone()));
                turned
            }
        };
        PreparedNoise::Maps(NoiseInput { maps, strength })
    }

    fn maps(&mut self, source: Source, generator: &Generator) -> Maps {
        kept(&mut self.maps, source, || {
            let host = match source {
                Source::Drawn(seed) => draw(seed, Part::Maps, generator.noise_shapes()),
                Source::Stored => (0..generator.noise_shapes().len())
                    .map(|index| generator.const_noise(index).unwrap_or_default())
                    .collect(),
            };
            upload(host, generator.noise_shapes(), &generator.placement().synthesis)
        })
    }

    fn others(&mut self, source: Source, generator: &Generator) -> Maps {
        let seed = match source {
            Source::Stored => 0,
            Source::Drawn(seed) => seed,
        };
        kept(&mut self.others, source, || {
            let host = draw(seed, Part::Others, generator.noise_shapes());
            upload(host, generator.noise_shapes(), &generator.placement().synthesis)
        })
    }
}

fn kept(slot: &mut Option<(Source, Maps)>, source: Source, make: impl FnOnce() -> Maps) -> Maps {
    match slot {
        Some((known, maps)) if *known == source => maps.clone(),
        _ => {
            let maps = make();
            *slot = Some((source, maps.clone()));
            maps
        }
    }
}

/// Standard normal numbers for every map, each from numpy's generator under a seed of its own.
fn draw(seed: u32, part: Part, shapes: &[[usize; 2]]) -> Vec<Vec<f32>> {
    let draw = |(index, [height, width]): (usize, &[usize; 2])| {
        RandomState::from_words(&[seed, index as u32, part as u32]).randn_f32(height * width)
    };
    shapes.par_iter().enumerate().map(draw).collect()
}

fn upload(host: Vec<Vec<f32>>, shapes: &[[usize; 2]], device: &Device) -> Maps {
    let upload = |(values, &[height, width]): (Vec<f32>, &[usize; 2])| {
        Tensor::from_data(TensorData::new(values, [1, 1, height, width]), device)
    };
    host.into_iter().zip(shapes).map(upload).collect()
}
