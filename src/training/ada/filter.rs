//! Making octaves of frequencies stronger or weaker.

use super::{AugmentConfig, draws::Lottery};
use crate::{
    grad::{Fir, Var},
    ops::UpFirDn,
};

/// Octaves: up to 1/8 of the highest frequency, 1/8 to 1/4, 1/4 to 1/2, 1/2 to 1.
const BANDS: usize = 4;
/// The share of the power that natural images have in each: 1/f^2.
const POWER: [f64; BANDS] = [10.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0];
/// Deviation of the factor, in octaves.
const STRENGTH_STD: f64 = 1.0;
/// The low-pass filter of the wavelet sym2 (Daubechies, "Ten lectures on wavelets", 1992).
const SYM2: [f64; 4] =
    [-0.129_409_522_550_921_45, 0.224_143_868_041_857_35, 0.836_516_303_737_469, 0.482_962_913_144_690_25];

/// A symmetric filter for each octave, lowest first. They sum to the filter that changes nothing.
pub fn filter_bank() -> [Vec<f64>; BANDS] {
    // The low-pass filter and its mirror image, each twice, once in each direction: symmetric, and together 1.
    let low = twice(&SYM2);
    let high = twice(&[SYM2[0], -SYM2[1], SYM2[2], -SYM2[3]]);
    let mut bank: [Vec<f64>; BANDS] = std::array::from_fn(|band| vec![if band == 0 { 1.0 } else { 0.0 }]);
    for band in 1..BANDS {
        // What is there moves an octave down, which leaves room for the next at the top.
        for filter in &mut bank {
            *filter = convolve(&with_zeros_between(filter), &low);
        }
        let start = (bank[band].len() - high.len()) / 2;
        bank[band][start..start + high.len()].iter_mut().zip(&high).for_each(|(tap, high)| *tap += high);
    }
    bank
}

fn twice(filter: &[f64]) -> Vec<f64> {
    let back: Vec<f64> = filter.iter().rev().copied().collect();
    convolve(filter, &back).into_iter().map(|tap| tap / 2.0).collect()
}

fn with_zeros_between(filter: &[f64]) -> Vec<f64> {
    let mut spread = vec![0.0; 2 * filter.len() - 1];
    spread.iter_mut().step_by(2).zip(filter).for_each(|(to, from)| *to = *from);
    spread
}

fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; a.len() + b.len() - 1];
    for (i, a) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(j, b)| sum[i + j] += a * b);
    }
    sum
}

/// The images, each filtered in its own way.
pub(super) fn apply(config: &AugmentConfig, images: &Var, lottery: &mut Lottery) -> Var {
    if config.imgfilter <= 0.0 {
        return images.clone();
    }
    let factors = draw(config, lottery);
    if factors.iter().all(|factors| *factors == [1.0; BANDS]) {
        return images.clone();
    }
    let bank = filter_bank();
    let filtered: Vec<Var> = factors
        .iter()
        .enumerate()
        .map(|(index, factors)| {
            let image = images.narrow(0, index, 1);
            if *factors == [1.0; BANDS] { image } else { filter(&image, &bank, factors) }
        })
        .collect();
    Var::cat(&filtered, 0)
}

/// For every image the factor on each octave. The expected power stays.
fn draw(config: &AugmentConfig, lottery: &mut Lottery) -> Vec<[f64; BANDS]> {
    let mut factors = vec![[1.0; BANDS]; lottery.batch()];
    for band in 0..BANDS {
        let drawn = lottery.normals::<1>(config.imgfilter);
        for (factors, drawn) in factors.iter_mut().zip(drawn.into_iter().flatten()) {
            let Some([n]) = drawn else { continue };
            let mut own = [1.0; BANDS];
            own[band] = libm::exp2(n * STRENGTH_STD);
            let power: f64 = own.iter().zip(POWER).map(|(own, power)| power * own * own).sum();
            *factors = std::array::from_fn(|i| factors[i] * own[i] / power.sqrt());
        }
    }
    factors
}

fn filter(image: &Var, bank: &[Vec<f64>; BANDS], factors: &[f64; BANDS]) -> Var {
    let taps: Vec<f64> = (0..bank[0].len())
        .map(|tap| bank.iter().zip(factors).map(|(filter, factor)| factor * filter[tap]).sum())
        .collect();
    // `Fir` works with taps that sum to 1; the rest of their sum is its gain, once for each axis.
    let sum: f64 = taps.iter().sum();
    let taps: Vec<f32> = taps.iter().map(|tap| (tap / sum) as f32).collect();
    let options = UpFirDn { gain: sum * sum, ..Default::default() };
    image.reflect_pad([taps.len() / 2; 4]).fir(&Fir::new(&taps, options, &image.device()))
}
