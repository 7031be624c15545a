//! The order in which images are shown: a new permutation each epoch, any place of which is known at once.

use super::random::mix_all;

const ROUNDS: u64 = 6;

/// The image at place `position` of `0..len` in this epoch's permutation.
///
/// A Feistel network over the next power of four, walked until it lands within `len` (Black and Rogaway 2002,
/// cycle walking): no list is kept, so a resume may begin anywhere.
pub fn shuffled(seed: u64, epoch: u64, position: u64, len: u64) -> u64 {
    if len <= 1 {
        return 0;
    }
    let bits = (u64::BITS - (len - 1).leading_zeros()).div_ceil(2);
    let mask = (1u64 << bits) - 1;
    let mut value = position;
    loop {
        let (mut left, mut right) = (value >> bits, value & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (mix_all(&[seed, epoch, round, right]) & mask));
        }
        value = (left << bits) | right;
        // At most three of four values lie outside, so this ends after a few steps.
        if value < len {
            return value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_shows_every_image_once() {
        for len in [1, 2, 3, 5, 16, 17, 100, 1000] {
            for epoch in 0..3 {
                let mut order: Vec<_> = (0..len).map(|i| shuffled(9, epoch, i, len)).collect();
                order.sort_unstable();
                assert_eq!(order, (0..len).collect::<Vec<_>>(), "{len} images");
            }
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let order = |seed, epoch| (0..100).map(|i| shuffled(seed, epoch, i, 100)).collect::<Vec<_>>();
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
        assert_ne!(order(1, 0), (0..100).collect::<Vec<_>>());
        // No image keeps its place more often than chance has it (once in 100).
        let stays = (0..200).map(|epoch| (0..100).filter(|&i| shuffled(3, epoch, i, 100) == i).count()).sum::<usize>();
        assert!((120..290).contains(&stays), "{stays} of 20000");
    }
}
