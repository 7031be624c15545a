//! How far the channels of `w` and of the style vectors vary from seed to seed.
//!
//! Edits of a single style channel are measured in that channel's standard deviation (StyleSpace, arXiv 2011.12799).

/// Standard deviations over many seeds, without truncation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LatentStatistics {
    /// By channel of `w`.
    pub w_std: Vec<f32>,
    /// By layer, by channel of its style vector.
    pub style_std: Vec<Vec<f32>>,
}

/// Gathers [`LatentStatistics`] one sample at a time, in memory that does not grow with the number of samples.
#[derive(Debug, Clone, Default)]
pub struct StatisticsBuilder {
    w: RunningStd,
    styles: Vec<RunningStd>,
}

impl StatisticsBuilder {
    /// For `w_dim` channels of `w` and layers with style vectors of these lengths.
    pub fn new(w_dim: usize, style_dims: impl IntoIterator<Item = usize>) -> Self {
        Self { w: RunningStd::new(w_dim), styles: style_dims.into_iter().map(RunningStd::new).collect() }
    }

    /// Adds the `w` of one seed.
    pub fn add_w(&mut self, w: &[f32]) {
        self.w.add(w);
    }

    /// Adds the style vector that one seed gives a layer; layers that do not exist are ignored.
    pub fn add_style(&mut self, layer: usize, style: &[f32]) {
        if let Some(running) = self.styles.get_mut(layer) {
            running.add(style);
        }
    }

    /// The statistics of what was added so far.
    pub fn finish(&self) -> LatentStatistics {
        LatentStatistics { w_std: self.w.std(), style_std: self.styles.iter().map(RunningStd::std).collect() }
    }
}

/// Standard deviation by channel in one pass (Welford 1962): the sum of squares alone would cancel where a channel's
/// mean is large against its spread, as it is for styles around 1.
#[derive(Debug, Clone, Default)]
pub struct RunningStd {
    count: u64,
    mean: Vec<f64>,
    /// Sum of squared deviations from the mean.
    squares: Vec<f64>,
}

impl RunningStd {
    /// For vectors of this length.
    pub fn new(dim: usize) -> Self {
        Self { count: 0, mean: vec![0.0; dim], squares: vec![0.0; dim] }
    }

    /// Adds one vector. Vectors of another length and vectors with NaN or infinities (a broken network) are ignored:
    /// one of them would spoil all that was gathered.
    pub fn add(&mut self, vector: &[f32]) {
        if vector.len() != self.mean.len() || !vector.iter().all(|value| value.is_finite()) {
            return;
        }
        self.count += 1;
        for ((mean, squares), value) in self.mean.iter_mut().zip(&mut self.squares).zip(vector) {
            let deviation = f64::from(*value) - *mean;
            *mean += deviation / self.count as f64;
            *squares += deviation * (f64::from(*value) - *mean);
        }
    }

    /// Number of vectors so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Mean by channel; 0 without vectors.
    pub fn mean(&self) -> Vec<f32> {
        self.mean.iter().map(|mean| *mean as f32).collect()
    }

    /// Standard deviation (of the population) by channel; 0 without vectors.
    pub fn std(&self) -> Vec<f32> {
        let count = self.count.max(1) as f64;
        self.squares.iter().map(|squares| (squares / count).sqrt() as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_agrees_with_two() {
        // The second channel's mean is 10,000 times its spread.
        let samples: Vec<[f32; 2]> =
            (0..1000).map(|i| [(i as f32 * 0.77).sin(), 10_000.0 + (i as f32 * 0.31).cos()]).collect();
        let mut running = RunningStd::new(2);
        samples.iter().for_each(|sample| running.add(sample));
        for channel in 0..2 {
            let values = || samples.iter().map(|sample| f64::from(sample[channel]));
            let mean = values().sum::<f64>() / 1000.0;
            let std = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
            assert!((f64::from(running.mean()[channel]) - mean).abs() < 1e-3);
            assert!((f64::from(running.std()[channel]) - std).abs() < 1e-6, "{std}");
        }
        assert_eq!(running.count(), 1000);
    }

    #[test]
    fn broken_vectors_and_no_vectors_are_harmless() {
        let mut running = RunningStd::new(2);
        assert_eq!(running.std(), [0.0, 0.0]);
        for broken in [&[1.0][..], &[1.0, f32::NAN], &[f32::INFINITY, 0.0]] {
            running.add(broken);
        }
        assert_eq!(running.count(), 0);
    }

    #[test]
    fn builder_keeps_layers_apart() {
        let mut builder = StatisticsBuilder::new(1, [2, 1]);
        for sign in [1.0, -1.0] {
            builder.add_w(&[sign]);
            builder.add_style(0, &[3.0 + 2.0 * sign, 5.0]);
            builder.add_style(1, &[0.5 * sign]);
            builder.add_style(2, &[sign]);
        }
        let expected = LatentStatistics { w_std: vec![1.0], style_std: vec![vec![2.0, 0.0], vec![0.5]] };
        assert_eq!(builder.finish(), expected);
    }
}
