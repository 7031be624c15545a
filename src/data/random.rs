//! Random numbers that are a function of what they are for: no state to save, any of them can be asked for first.

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the result depends on every bit of `x`.
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One number from several.
pub fn mix_all(words: &[u64]) -> u64 {
    words.iter().fold(0, |hash, &word| mix(hash ^ word))
}

/// A sequence of random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of these words.
    pub fn new(words: &[u64]) -> Self {
        Self(mix_all(words))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Evenly from 0 (included) to 1 (excluded), in steps of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// Evenly from `low` to `high`.
    pub fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Between -1 and 1, rather near 0: the mean of two even draws.
    pub fn around_zero(&mut self) -> f32 {
        self.unit() + self.unit() - 1.0
    }

    /// `true` with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of `0..count` (0 if there are none).
    pub fn below(&mut self, count: usize) -> usize {
        // The bias of the product is below 2^-32 for all counts that occur.
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// A position of `weights`, as often as its weight says.
    pub fn weighted(&mut self, weights: &[f32]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f32>();
        for (i, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return i;
            }
        }
        weights.len().saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_follows_from_its_words() {
        let draw = |words: &[u64]| {
            let mut random = Random::new(words);
            (0..4).map(|_| random.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(&[1, 2]), draw(&[1, 2]));
        assert_ne!(draw(&[1, 2]), draw(&[2, 1]));
        // The published first outputs of SplitMix64 for the seed 1234567.
        let mut state = Random(1_234_567);
        state.0 = state.0.wrapping_sub(0x9e37_79b9_7f4a_7c15);
        assert_eq!([state.bits(), state.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn draws_are_even_and_in_range() {
        let mut random = Random::new(&[5]);
        let mean = (0..4000).map(|_| random.within(-1.0, 3.0)).sum::<f32>() / 4000.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
        let mut counts = [0; 3];
        for _ in 0..3000 {
            counts[random.weighted(&[1.0, 0.0, 3.0])] += 1;
            assert!(random.below(7) < 7);
        }
        assert!(counts[1] == 0 && (650..850).contains(&counts[0]), "{counts:?}");
        assert_eq!((random.below(0), random.weighted(&[])), (0, 0));
    }
}
