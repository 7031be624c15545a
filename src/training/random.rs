//! Every random number of a training, as a function of the run's seed, the stream, the step and the index.
//!
//! Nothing is remembered from draw to draw, so there is no state to save: a training that goes on from a checkpoint draws
//! what it would have drawn. The words come from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! 2011), whose counter is (block, index, step, stream) and whose key is the seed.
//!
//! The values are the same on every platform: Philox is integer arithmetic, uniforms are exact multiples of a power of two,
//! and normals use logarithm, sine and cosine of the `libm` crate, which is plain IEEE arithmetic in a fixed order, where
//! those of the platform's own library differ in the last bit from system to system.

use rayon::prelude::*;

/// Blocks of [`Draws`] that a task turns into normal values, some ten microseconds of work.
const BLOCKS: usize = 1 << 10;

/// What random numbers are for. Streams never share a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stream {
    /// First weights of the generator; the index is the weight's.
    GeneratorInit = 1,
    /// First weights of the discriminator.
    DiscriminatorInit = 2,
    /// Stored noise maps.
    NoiseBuffers = 3,
    /// Latents, labels and mixing of the generator's loss.
    GeneratorLatents = 4,
    /// Noise inputs of the generator's loss; the index is the layer's.
    GeneratorNoise = 5,
    /// Augmentation in the generator's loss.
    GeneratorAugment = 6,
    /// Latents, labels and mixing of the path length.
    PathLatents = 7,
    /// Noise inputs of the path length; the index is the layer's.
    PathNoise = 8,
    /// The image that the path length projects on.
    PathImage = 9,
    /// Latents, labels and mixing of the discriminator's loss.
    DiscriminatorLatents = 10,
    /// Noise inputs of the discriminator's loss; the index is the layer's.
    DiscriminatorNoise = 11,
    /// Augmentation of the discriminator's fakes.
    FakeAugment = 12,
    /// Augmentation of the discriminator's reals.
    RealAugment = 13,
    /// Points between reals and fakes (WGAN-GP).
    Interpolation = 14,
    /// Latents of R2's fakes, where it is a step of its own.
    RegularizerLatents = 15,
    /// Noise inputs of R2's fakes; the index is the layer's.
    RegularizerNoise = 16,
    /// Augmentation in a regularising step of the discriminator.
    RegularizerAugment = 17,
    /// The order of the images.
    DataOrder = 19,
    /// Mirroring of the images.
    DataMirror = 20,
    /// Samples for measurements during training.
    Measurement = 21,
}

/// A row of random numbers that begins anew for each (seed, stream, step, index), and goes on with each draw.
#[derive(Debug, Clone)]
pub struct Draws {
    key: [u32; 2],
    /// (index, step, step and stream), above the block.
    place: [u32; 3],
    block: u32,
}

impl Draws {
    /// The numbers of a stream at a step, e.g. the iteration (only its low 56 bits count).
    pub fn new(seed: u64, stream: Stream, step: u64) -> Self {
        Self::indexed(seed, stream, step, 0)
    }

    /// As [`Draws::new`], one of many rows, e.g. one a layer or an image.
    pub fn indexed(seed: u64, stream: Stream, step: u64, index: u32) -> Self {
        let high = ((step >> 32) as u32 & 0x00ff_ffff) | (stream as u32) << 24;
        Self { key: [seed as u32, (seed >> 32) as u32], place: [index, step as u32, high], block: 0 }
    }

    fn next_block(&mut self) -> [u32; 4] {
        let [index, step, high] = self.place;
        let words = philox([self.block, index, step, high], self.key);
        self.block = self.block.wrapping_add(1);
        words
    }

    /// A uniform value in [0, 1), a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        let [a, b, ..] = self.next_block();
        unit(a, b)
    }

    /// A uniform whole number in `0..bound` (0 where `bound` is 0). Its bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let [a, b, ..] = self.next_block();
        let word = u64::from(a) << 32 | u64::from(b);
        ((u128::from(word) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform values in [0, 1), multiples of 2^-24.
    pub fn uniforms(&mut self, count: usize) -> Vec<f32> {
        self.collect(count, |words| words.map(|word| (word >> 8) as f32 * (1.0 / (1 << 24) as f32)))
    }

    /// Normal values of mean 0 and variance 1 (Box and Muller), computed in f64 and rounded.
    pub fn normals(&mut self, count: usize) -> Vec<f32> {
        let mut drawn = vec![0.0; count];
        let first = self.block;
        self.block = first.wrapping_add(count.div_ceil(2) as u32);
        // Blocks know their number, so threads can share them.
        let fill = |(index, chunk): (usize, &mut [f32])| {
            let mut draws = Self { block: first.wrapping_add((index * BLOCKS) as u32), ..self.clone() };
            for pair in chunk.chunks_mut(2) {
                pair.copy_from_slice(&draws.pair()[..pair.len()]);
            }
        };
        // A training that was told to take one thread is on none of a pool's.
        if rayon::current_thread_index().is_some() {
            drawn.par_chunks_mut(2 * BLOCKS).enumerate().for_each(fill);
        } else {
            drawn.chunks_mut(2 * BLOCKS).enumerate().for_each(fill);
        }
        drawn
    }

    /// Two independent normal values.
    fn pair(&mut self) -> [f32; 2] {
        let [a, b, c, d] = self.next_block();
        // 1 - u lies in (0, 1]: its logarithm is finite.
        let radius = (-2.0 * libm::log(1.0 - unit(a, b))).sqrt();
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * unit(c, d));
        [(radius * cos) as f32, (radius * sin) as f32]
    }

    fn collect<const N: usize>(&mut self, count: usize, values: impl Fn([u32; 4]) -> [f32; N]) -> Vec<f32> {
        let mut drawn = Vec::with_capacity(count.next_multiple_of(N));
        while drawn.len() < count {
            drawn.extend(values(self.next_block()));
        }
        drawn.truncate(count);
        drawn
    }
}

/// Two words as a multiple of 2^-53 in [0, 1).
fn unit(a: u32, b: u32) -> f64 {
    let bits = u64::from(a >> 5) << 26 | u64::from(b >> 6);
    bits as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Philox4x32-10.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let product = |a: u32, b: u32| {
        let wide = u64::from(a) * u64::from(b);
        ((wide >> 32) as u32, wide as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = product(0xD251_1F53, counter[0]);
        let (high1, low1) = product(0xCD9E_8D57, counter[2]);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let counter = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let expected = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
        assert_eq!(philox(counter, [0xa409_3822, 0x299f_31d0]), expected);
    }

    #[test]
    fn every_part_of_the_place_matters_and_nothing_else() {
        let first = |seed, stream, step, index| Draws::indexed(seed, stream, step, index).normals(4);
        let reference = first(1, Stream::Measurement, 2, 3);
        assert_eq!(reference, first(1, Stream::Measurement, 2, 3));
        assert_ne!(reference, first(1 << 40, Stream::Measurement, 2, 3));
        assert_ne!(reference, first(1, Stream::DataOrder, 2, 3));
        assert_ne!(reference, first(1, Stream::Measurement, 2 + (1 << 40), 3));
        assert_ne!(reference, first(1, Stream::Measurement, 2, 4));
        // Whichever threads draw, the values are the same.
        let many = || Draws::indexed(1, Stream::Measurement, 2, 3).normals(5001);
        assert_eq!(rayon::join(many, many).0, many());
        // A longer draw begins with the shorter one.
        assert_eq!(Draws::indexed(1, Stream::Measurement, 2, 3).normals(1001)[..4], reference);
    }

    #[test]
    fn values_are_the_same_everywhere() {
        // These bits were drawn on x86-64 Linux; another platform must draw them too.
        let mut draws = Draws::new(7, Stream::GeneratorLatents, 1000);
        let bits: Vec<u32> = draws.normals(4).iter().chain(&draws.uniforms(4)).map(|value| value.to_bits()).collect();
        assert_eq!(bits, EXPECTED_BITS);
    }

    const EXPECTED_BITS: [u32; 8] = [
        1_057_326_908,
        3_203_061_147,
        1_059_701_352,
        3_214_689_924,
        1_060_808_240,
        1_024_433_616,
        1_045_276_968,
        1_057_602_551,
    ];

    #[test]
    fn normals_are_normal_and_uniforms_uniform() {
        let count = 200_000;
        let mut draws = Draws::new(3, Stream::GeneratorNoise, 0);
        let normals = draws.normals(count);
        let moment = |power: i32| normals.iter().map(|v| f64::from(*v).powi(power)).sum::<f64>() / count as f64;
        assert!(moment(1).abs() < 0.01, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.015, "{}", moment(2));
        assert!(moment(3).abs() < 0.03, "{}", moment(3));
        assert!((moment(4) - 3.0).abs() < 0.12, "{}", moment(4));
        let pairs = normals.as_chunks::<2>().0.iter().map(|[a, b]| f64::from(a * b)).sum::<f64>() / (count / 2) as f64;
        assert!(pairs.abs() < 0.015, "{pairs}");
        let uniforms = draws.uniforms(count);
        assert!(uniforms.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = uniforms.iter().map(|v| f64::from(*v)).sum::<f64>() / count as f64;
        assert!((mean - 0.5).abs() < 0.005, "{mean}");
    }

    #[test]
    fn whole_numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut draws = Draws::new(0, Stream::DataOrder, 0);
        let mut counts = [0; 5];
        (0..5000).for_each(|_| counts[draws.below(5) as usize] += 1);
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!((draws.below(0), draws.below(1)), (0, 0));
        assert!((0..1000).all(|_| draws.uniform() < 1.0));
    }
}
