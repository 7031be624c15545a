//! Where the random numbers of the augmentation come from, and whom a transformation happens to.

use crate::training::random::Draws;

/// Random numbers, one call after the other.
pub trait AugmentDraws {
    /// Uniform values in [0, 1).
    fn uniforms(&mut self, count: usize) -> Vec<f32>;
    /// Normal values of mean 0 and variance 1.
    fn normals(&mut self, count: usize) -> Vec<f32>;
}

impl AugmentDraws for Draws {
    fn uniforms(&mut self, count: usize) -> Vec<f32> {
        Draws::uniforms(self, count)
    }

    fn normals(&mut self, count: usize) -> Vec<f32> {
        Draws::normals(self, count)
    }
}

/// The parameters of a transformation for one image; `None` where it does not happen.
pub(super) type Drawn<const K: usize> = Option<[f64; K]>;

/// Draws the parameters of a transformation for every image of a batch, then whether it happens to each.
pub(super) struct Lottery<'a> {
    draws: &'a mut dyn AugmentDraws,
    batch: usize,
    p: f32,
}

impl<'a> Lottery<'a> {
    pub fn new(draws: &'a mut dyn AugmentDraws, batch: usize, p: f32) -> Self {
        Self { draws, batch, p }
    }

    pub fn batch(&self) -> usize {
        self.batch
    }

    /// The probability of a transformation of this weight.
    pub fn probability(&self, weight: f32) -> f32 {
        weight * self.p
    }

    /// Uniform parameters of a transformation, `K` an image. Nothing is drawn if its weight is 0: then `None`.
    pub fn uniforms<const K: usize>(&mut self, weight: f32) -> Option<Vec<Drawn<K>>> {
        (weight > 0.0).then(|| self.uniforms_at(self.probability(weight)))
    }

    /// The same for a probability.
    pub fn uniforms_at<const K: usize>(&mut self, probability: f32) -> Vec<Drawn<K>> {
        let values = self.draws.uniforms(self.batch * K);
        self.select(&values, probability)
    }

    /// Normal parameters, as [`Self::uniforms`].
    pub fn normals<const K: usize>(&mut self, weight: f32) -> Option<Vec<Drawn<K>>> {
        (weight > 0.0).then(|| {
            let values = self.draws.normals(self.batch * K);
            self.select(&values, self.probability(weight))
        })
    }

    fn select<const K: usize>(&mut self, values: &[f32], probability: f32) -> Vec<Drawn<K>> {
        let happens = self.happens(probability);
        let (images, _) = values.as_chunks::<K>();
        images.iter().zip(happens).map(|(values, happens)| happens.then(|| values.map(f64::from))).collect()
    }

    /// Whether something of this probability happens, for every image.
    pub fn happens(&mut self, probability: f32) -> Vec<bool> {
        self.draws.uniforms(self.batch).into_iter().map(|value| value < probability).collect()
    }

    /// Uniform values without a choice.
    pub fn plain_uniforms(&mut self, count: usize) -> Vec<f32> {
        self.draws.uniforms(count)
    }

    /// Normal values without a choice.
    pub fn plain_normals(&mut self, count: usize) -> Vec<f32> {
        self.draws.normals(count)
    }
}
