//! Time of a generator by stage on the CPU backend, at the sizes of the published networks.
//!
//!     cargo bench --profile dev --bench generator
//!
//! Numbers of one machine stand in `RESULTS.md`. The profile is that of the program, which is built already.

use std::{fmt, sync::OnceLock};

use burn::tensor::{Tensor, TensorData};
use divan::Bencher;
use stylescope::{
    base::numpy_rng::z_from_seed,
    gpu::{quantize::rgba8, readback},
    model::{BlockState, Generator, Noise, Placement, Styles, config::GeneratorConfig},
};

mod common;
use common::{SIZES, config, index_of, sizes};

fn main() {
    divan::main();
}

/// A generator with the inputs of every stage.
struct Stages {
    generator: Generator,
    z: Tensor<2>,
    w: Tensor<2>,
    styles: Styles,
    strength: Vec<f32>,
    /// The input of each block, and the end.
    states: Vec<BlockState>,
}

impl Stages {
    fn noise(&self) -> Noise<'_> {
        Noise::Const { strength: &self.strength }
    }
}

fn stages(size: usize) -> &'static Stages {
    static STAGES: [OnceLock<Stages>; SIZES.len()] = [const { OnceLock::new() }; SIZES.len()];
    let index = index_of(size);
    STAGES[index].get_or_init(|| build(config(index)))
}

fn build(config: GeneratorConfig) -> Stages {
    let placement = Placement::cpu();
    let generator = Generator::init(config, 0, &placement).expect("a published configuration");
    let z = Tensor::from_data(TensorData::new(z_from_seed(0, 512), [1, 512]), &placement.latent);
    let w = generator.map(z.clone(), None).expect("z has the right shape");
    let styles = generator.affine(generator.truncate(w.clone(), 0.7, None)).expect("ws has the right shape");
    let strength = vec![1.0; generator.noise_shapes().len()];
    let mut states = vec![generator.start(1)];
    for index in 0..generator.num_blocks() {
        let noise = Noise::Const { strength: &strength };
        states.push(generator.block(index, states[index].clone(), &styles, &noise).expect("styles and noise fit"));
    }
    Stages { generator, z, w, styles, strength, states }
}

/// A block of one of the networks.
#[derive(Clone, Copy)]
struct Block {
    size: usize,
    index: usize,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: block {}", self.size, 4usize << self.index)
    }
}

fn blocks() -> impl Iterator<Item = Block> {
    sizes().flat_map(|size| (0..size.ilog2() as usize - 1).map(move |index| Block { size, index }))
}

/// z to w.
#[divan::bench(args = sizes())]
fn map(bencher: Bencher, size: usize) {
    let stages = stages(size);
    bencher.bench(|| stages.generator.map(stages.z.clone(), None));
}

/// w to the styles of all layers.
#[divan::bench(args = sizes())]
fn affine(bencher: Bencher, size: usize) {
    let stages = stages(size);
    bencher.bench(|| stages.generator.affine(stages.generator.truncate(stages.w.clone(), 0.7, None)));
}

/// One synthesis block.
#[divan::bench(args = blocks(), sample_count = 15, max_time = 10)]
fn block(bencher: Bencher, Block { size, index }: Block) {
    let stages = stages(size);
    bencher
        .with_inputs(|| stages.states[index].clone())
        .bench_values(|state| stages.generator.block(index, state, &stages.styles, &stages.noise()));
}

/// All blocks.
#[divan::bench(args = sizes(), sample_count = 15, max_time = 10)]
fn synthesize(bencher: Bencher, size: usize) {
    let stages = stages(size);
    bencher.bench(|| stages.generator.synthesize(&stages.styles, &stages.noise()));
}

/// The image tensor to bytes, as files get it and as the CPU backend hands it to a texture.
#[divan::bench(args = sizes())]
fn quantise(bencher: Bencher, size: usize) {
    let stages = stages(size);
    let image = stages.generator.finish(stages.states[stages.generator.num_blocks()].clone()).expect("all blocks ran");
    bencher.bench(|| rgba8(&readback::values(image.clone()).expect("the CPU can be read"), 3, size, size));
}
