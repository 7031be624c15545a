//! How varied generated images are, next to real ones: a generator that collapses makes one image again and again.
//!
//! The feature of an image is the image itself, averaged down to 8x8 pixels: its colours and rough shapes. The variety of a set
//! is the mean, over all pairs, of the root mean square difference of their features. The diversity is the variety of
//! [`COUNT`] generated images relative to that of as many real ones: near 1 for a good generator, 0 for a collapsed one. It
//! says nothing about quality: noise is varied too.

use super::{error::TrainError, sample_grid::Sampler};
use crate::data::Dataset;

/// Images that are compared, of either kind.
pub const COUNT: usize = 16;
/// Side of a feature in pixels.
const SIDE: usize = 8;

/// Real images as features.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    features: Vec<Feature>,
}

/// An image averaged down: [C, side, side].
#[derive(Debug, Clone, PartialEq)]
struct Feature {
    side: usize,
    values: Vec<f32>,
}

impl Feature {
    /// Of [C, side, side] values from -1 to 1; what lies beyond is clamped as on a screen.
    fn of(values: impl Iterator<Item = f32>, side: usize) -> Self {
        Self { side, values: values.map(|value| value.clamp(-1.0, 1.0)).collect() }.reduced(SIDE)
    }

    /// Averaged down to at most `side` pixels.
    fn reduced(self, side: usize) -> Self {
        let mut reduced = self;
        while reduced.side > side {
            let from = reduced.side;
            let half = from / 2;
            let mut values = Vec::with_capacity(reduced.values.len() / 4);
            for rows in reduced.values.chunks_exact(2 * from) {
                let (upper, lower) = rows.split_at(from);
                values.extend(
                    (0..half).map(|x| 0.25 * (upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1])),
                );
            }
            reduced = Self { side: half, values };
        }
        reduced
    }

    fn distance(&self, other: &Self) -> f64 {
        let squares = self.values.iter().zip(&other.values).map(|(a, b)| f64::from(a - b).powi(2));
        (squares.sum::<f64>() / self.values.len().max(1) as f64).sqrt()
    }
}

/// The mean difference of all pairs; 0 where there is none.
fn variety(features: &[Feature]) -> f64 {
    let pairs = features.iter().enumerate().flat_map(|(i, a)| features[..i].iter().map(|b| a.distance(b)));
    let (count, sum) = pairs.fold((0u32, 0.0), |(count, sum), distance| (count + 1, sum + distance));
    sum / f64::from(count.max(1))
}

impl Reference {
    /// Images from all parts of a dataset. Those that cannot be read are left out: a step that needs one says so.
    pub fn of(dataset: &Dataset) -> Self {
        let spread = |i: usize| match dataset.len() {
            Some(len) => i as u64 * len / COUNT as u64,
            None => i as u64,
        };
        let mut numbers: Vec<u64> = (0..COUNT).map(spread).collect();
        numbers.dedup();
        let picture = |index| dataset.image(index).ok();
        let feature = |picture: crate::data::Picture| {
            Feature::of(picture.pixels.iter().map(|&byte| f32::from(byte) / 127.5 - 1.0), dataset.resolution())
        };
        Self { features: numbers.into_iter().filter_map(picture).map(feature).collect() }
    }

    /// The diversity of what `sampler` draws; `None` where real images do not differ.
    ///
    /// # Errors
    /// If an image cannot be drawn.
    pub fn diversity(&self, sampler: &Sampler) -> Result<Option<f64>, TrainError> {
        let [_, side] = sampler.shape();
        let image = |cell| Ok(Feature::of(sampler.image(cell)?.into_iter(), side));
        let generated = (0..COUNT).map(image).collect::<Result<Vec<_>, TrainError>>()?;
        Ok(self.compare(&generated))
    }

    fn compare(&self, generated: &[Feature]) -> Option<f64> {
        // A network that grows begins with less than a feature's side.
        let side = generated.first().map_or(SIDE, |feature| feature.side);
        let reals: Vec<Feature> = self.features.iter().map(|feature| feature.clone().reduced(side)).collect();
        let real = variety(&reals);
        (real > 0.0).then(|| variety(generated) / real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portraits(seed: u64) -> Vec<Feature> {
        Reference::of(&Dataset::portraits(seed, 32).unwrap()).features
    }

    #[test]
    fn other_real_images_are_as_varied_and_one_image_is_not() {
        let reference = Reference { features: portraits(1) };
        assert_eq!(reference.features.len(), COUNT);
        let diversity = |generated: &[Feature]| reference.compare(generated).unwrap();
        let others = diversity(&portraits(2));
        assert!((0.7..1.4).contains(&others), "{others}");
        assert_eq!(diversity(&reference.features), 1.0);
        assert_eq!(diversity(&vec![portraits(2).remove(0); COUNT]), 0.0);
        // Two images again and again.
        let two = portraits(2).into_iter().take(2).cycle().take(COUNT).collect::<Vec<_>>();
        assert!((0.2..0.8).contains(&diversity(&two)), "{}", diversity(&two));
        // Networks that grow begin below the feature's side.
        let small: Vec<Feature> = reference.features.iter().map(|feature| feature.clone().reduced(4)).collect();
        assert_eq!((small[0].side, diversity(&small)), (4, 1.0));
        assert_eq!(Reference { features: Vec::new() }.compare(&small), None);
    }

    #[test]
    fn a_feature_is_the_mean_of_its_squares() {
        let values = (0..3 * 16 * 16).map(|i| if i % 2 == 0 { 0.5 } else { 3.0 });
        let feature = Feature::of(values, 16);
        assert_eq!((feature.side, feature.values.len()), (8, 3 * 64));
        assert!(feature.values.iter().all(|&value| value == 0.75));
    }
}
