//! The plane of seeds: a person walks in two dimensions, and whole positions are the seeds of the official scripts.

/// Seeds from one row of the plane to the next.
pub const SEEDS_PER_ROW: i64 = 100;

/// The seed at a whole position: `x + 100 * y` in 32-bit arithmetic. Below 0 it wraps (-1 is 4294967295), as numpy's
/// seeds have 32 bits and no sign.
pub fn seed_at(x: i64, y: i64) -> u32 {
    // Truncation to 32 bits is the modulus that is wanted, also for negative numbers.
    x.wrapping_add(y.wrapping_mul(SEEDS_PER_ROW)) as u32
}

/// The seed nearest to a position, ties away from 0.
pub fn nearest_seed(x: f64, y: f64) -> u32 {
    // `as` saturates, so that no position overflows.
    seed_at(x.round() as i64, y.round() as i64)
}

/// The whole position of `seed` with x in 0..100: `(seed % 100, seed / 100)`.
pub fn position_of(seed: u32) -> (f64, f64) {
    let (seed, row) = (i64::from(seed), SEEDS_PER_ROW);
    ((seed % row) as f64, (seed / row) as f64)
}

/// The up to four seeds around a position with their bilinear weights, which are above 0 and sum to 1 up to rounding. A
/// whole position is one seed of weight exactly 1, a position that is not finite is none.
pub fn neighbours(x: f64, y: f64) -> Vec<(u32, f64)> {
    if !(x.is_finite() && y.is_finite()) {
        return Vec::new();
    }
    let (left, top) = (x.floor(), y.floor());
    let (right_weight, bottom_weight) = (x - left, y - top);
    [(0, 0), (1, 0), (0, 1), (1, 1)]
        .into_iter()
        .map(|(dx, dy)| {
            let weight_x = if dx == 1 { right_weight } else { 1.0 - right_weight };
            let weight_y = if dy == 1 { bottom_weight } else { 1.0 - bottom_weight };
            let seed = seed_at((left as i64).saturating_add(dx), (top as i64).saturating_add(dy));
            (seed, weight_x * weight_y)
        })
        .filter(|(_, weight)| *weight > 0.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_positions_are_one_seed() {
        assert_eq!(neighbours(0.0, 0.0), [(0, 1.0)]);
        assert_eq!(neighbours(85.0, 0.0), [(85, 1.0)]);
        assert_eq!(neighbours(5.0, 7.0), [(705, 1.0)]);
        assert_eq!(neighbours(-0.0, -0.0), [(0, 1.0)]);
        assert_eq!(neighbours(-1.0, 0.0), [(u32::MAX, 1.0)]);
        assert_eq!(neighbours(0.0, -1.0), [(u32::MAX - 99, 1.0)]);
        assert_eq!(neighbours(4_294_967_296.0, 0.0), [(0, 1.0)]);
    }

    #[test]
    fn between_seeds_the_weights_are_bilinear() {
        assert_eq!(neighbours(1.25, 0.0), [(1, 0.75), (2, 0.25)]);
        assert_eq!(neighbours(3.0, 1.5), [(103, 0.5), (203, 0.5)]);
        assert_eq!(neighbours(-0.25, 2.75), [(199, 0.0625), (200, 0.1875), (299, 0.1875), (300, 0.5625)]);
        for step in 0..1000 {
            let (x, y) = (f64::from(step) * 0.137 - 60.0, f64::from(step) * -0.071);
            let sum: f64 = neighbours(x, y).into_iter().map(|(_, weight)| weight).sum();
            assert!((sum - 1.0).abs() < 1e-12, "{x} {y} {sum}");
        }
    }

    #[test]
    fn positions_that_are_not_numbers_have_no_seeds_and_far_ones_do_not_overflow() {
        assert_eq!(neighbours(f64::NAN, 0.0), []);
        assert_eq!(neighbours(0.0, f64::INFINITY), []);
        assert_eq!(neighbours(f64::MAX, f64::MIN).len(), 1);
    }

    #[test]
    fn a_seed_is_found_in_the_plane() {
        for seed in [0, 1, 99, 100, 12_345, u32::MAX] {
            let (x, y) = position_of(seed);
            assert_eq!(nearest_seed(x, y), seed);
        }
        assert_eq!((nearest_seed(2.5, 0.4), nearest_seed(-0.6, 0.0)), (3, u32::MAX));
    }
}
