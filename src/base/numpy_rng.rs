//! The legacy random numbers of numpy, bit for bit: seeds name the same images as in the official tools.
//!
//! MT19937 (Matsumoto and Nishimura 1998); doubles of 53 bits from two draws; normal numbers by Marsaglia's polar
//! method, which makes them in pairs.

const N: usize = 624;
const M: usize = 397;

/// `numpy.random.RandomState`.
#[derive(Debug, Clone)]
pub struct RandomState {
    key: [u32; N],
    position: usize,
    /// The second normal number of a pair, until it is asked for.
    spare: Option<f64>,
}

impl RandomState {
    /// `RandomState(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut key = [0; N];
        let mut value = seed;
        for (i, slot) in key.iter_mut().enumerate() {
            *slot = value;
            value = 1_812_433_253u32.wrapping_mul(value ^ (value >> 30)).wrapping_add(i as u32 + 1);
        }
        Self { key, position: N, spare: None }
    }

    /// `RandomState([words...])`: the generator's own way to take a seed of more than 32 bits.
    ///
    /// # Panics
    /// If there are no words.
    pub fn from_words(words: &[u32]) -> Self {
        assert!(!words.is_empty(), "a seed needs words");
        let mut state = Self::new(19_650_218);
        let key = &mut state.key;
        let mixed = |key: &[u32; N], i: usize, factor: u32| {
            let previous = key[i - 1];
            key[i] ^ (previous ^ (previous >> 30)).wrapping_mul(factor)
        };
        let mut i = 1;
        let step = |key: &mut [u32; N], i: &mut usize| {
            *i += 1;
            if *i == N {
                key[0] = key[N - 1];
                *i = 1;
            }
        };
        for round in 0..N.max(words.len()) {
            let j = round % words.len();
            key[i] = mixed(key, i, 1_664_525).wrapping_add(words[j]).wrapping_add(j as u32);
            step(key, &mut i);
        }
        for _ in 0..N - 1 {
            key[i] = mixed(key, i, 1_566_083_941).wrapping_sub(i as u32);
            step(key, &mut i);
        }
        key[0] = 0x8000_0000;
        state
    }

    /// `n` numbers of the standard normal distribution.
    pub fn randn(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.normal()).collect()
    }

    /// `n` numbers of the standard normal distribution, rounded to f32.
    pub fn randn_f32(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.normal() as f32).collect()
    }

    /// `n` numbers evenly from 0 (included) to 1 (excluded).
    pub fn rand(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.double()).collect()
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let x = 2.0 * self.double() - 1.0;
            let y = 2.0 * self.double() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(factor * x);
                return factor * y;
            }
        }
    }

    fn double(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    fn next_u32(&mut self) -> u32 {
        if self.position == N {
            self.twist();
        }
        let mut y = self.key[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.key[i] & 0x8000_0000) | (self.key[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.key[i] = self.key[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.position = 0;
    }
}

/// The latent of a seed: `RandomState(seed).randn(1, z_dim)` as f32.
pub fn z_from_seed(seed: u32, z_dim: usize) -> Vec<f32> {
    RandomState::new(seed).randn_f32(z_dim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words_are_those_of_the_published_test_vectors() {
        // The output of the generator's authors for the key {0x123, 0x234, 0x345, 0x456}, and for init_genrand(5489),
        // whose 10000th word is the check value of the C++ standard.
        let mut state = RandomState::from_words(&[0x123, 0x234, 0x345, 0x456]);
        let words: Vec<u32> = (0..5).map(|_| state.next_u32()).collect();
        assert_eq!(words, [1_067_595_299, 955_945_823, 477_289_528, 4_107_218_783, 4_228_976_476]);
        let mut state = RandomState::new(5489);
        assert_eq!((0..10_000).map(|_| state.next_u32()).last(), Some(4_123_659_995));
    }

    #[test]
    fn known_normal_numbers() {
        // numpy.random.RandomState(0).randn(3)
        let expected = [1.764_052_345_967_664, 0.400_157_208_367_223_3, 0.978_737_984_105_739_2];
        assert_eq!(RandomState::new(0).randn(3), expected);
    }

    #[test]
    fn uniform_numbers_stay_in_their_range() {
        let values = RandomState::new(1).rand(1000);
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = values.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
    }

    #[test]
    fn a_prefix_does_not_depend_on_the_length() {
        assert_eq!(z_from_seed(7, 5), z_from_seed(7, 512)[..5]);
    }
}
