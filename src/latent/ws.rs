//! From the `w` of seeds to the `ws` that drive the layers: blending, style mixing, truncation, offsets.
//!
//! All of it is plain `f32` arithmetic on the host: a few kilobytes, for which a round trip to a GPU would cost more
//! than the work itself. What has no effect is left out rather than computed, so that an unedited `w` arrives bit for
//! bit.

use std::{collections::BTreeMap, sync::Arc};

use super::seed;

/// What `ws` is made of. The numbers are used as they are: keeping them within ranges is up to whoever made them.
#[derive(Debug, Clone, Copy)]
pub struct WsRecipe<'a> {
    /// Place in the plane of seeds, in seeds and in hundreds of seeds (see [`seed::neighbours`]).
    pub position: (f64, f64),
    /// The second seed.
    pub mix_seed: u32,
    /// By `ws` index: how much of the second seed it takes, 0 (none) to 1 (nothing else); absent is 0.
    pub mix_amounts: &'a BTreeMap<usize, f32>,
    /// Truncation of the first `cutoff` of `ws`; 1 leaves them alone, 0 is `w_avg`.
    pub psi: f32,
    /// How many of `ws` are truncated; `None` is all.
    pub cutoff: Option<usize>,
    /// By `ws` index: a psi in place of the common one, past the cutoff too.
    pub layer_psi: &'a BTreeMap<usize, f32>,
    /// By `ws` index and channel: added at the end.
    pub offsets: &'a BTreeMap<usize, BTreeMap<usize, f32>>,
}

/// Composes `ws`, `num_ws` vectors as long as `w_avg`, one behind the other.
///
/// `w_of_seed` is the mapping network; it is asked at most five times, and never for a seed without effect. Its
/// vectors are expected to be as long as `w_avg`; channels that they lack are those of `w_avg`.
///
/// # Errors
/// The first error of `w_of_seed`.
pub fn compose_ws<E>(
    recipe: &WsRecipe,
    mut w_of_seed: impl FnMut(u32) -> Result<Arc<[f32]>, E>,
    w_avg: &[f32],
    num_ws: usize,
) -> Result<Vec<f32>, E> {
    let amount = |ws: usize| recipe.mix_amounts.get(&ws).copied().unwrap_or(0.0);
    let (x, y) = recipe.position;
    let w = if (0..num_ws).all(|ws| amount(ws) == 1.0) {
        // Nothing of the first seed is left.
        w_avg.to_vec()
    } else {
        blend(&seed::neighbours(x, y), &mut w_of_seed, w_avg)?
    };
    let second = if (0..num_ws).any(|ws| amount(ws) != 0.0) { Some(w_of_seed(recipe.mix_seed)?) } else { None };

    let mut all = Vec::with_capacity(num_ws * w_avg.len()); // [num_ws, w_dim]
    for ws in 0..num_ws {
        let start = all.len();
        all.extend_from_slice(&w);
        let Some(row) = all.get_mut(start..) else { continue };
        if let Some(second) = &second {
            mix(row, second, amount(ws));
        }
        let common = if recipe.cutoff.is_none_or(|cutoff| ws < cutoff) { recipe.psi } else { 1.0 };
        truncate(row, w_avg, recipe.layer_psi.get(&ws).copied().unwrap_or(common));
        for (channel, offset) in recipe.offsets.get(&ws).into_iter().flatten() {
            if let Some(value) = row.get_mut(*channel) {
                *value += offset;
            }
        }
    }
    Ok(all)
}

/// `w_avg + sum(weight * (w - w_avg))` over weighted seeds; a single seed of weight 1 gives its `w` itself, no seed
/// `w_avg`.
///
/// # Errors
/// The first error of `w_of_seed`.
pub fn blend<E>(
    seeds: &[(u32, f64)],
    mut w_of_seed: impl FnMut(u32) -> Result<Arc<[f32]>, E>,
    w_avg: &[f32],
) -> Result<Vec<f32>, E> {
    let mut blended = w_avg.to_vec();
    if let [(seed, 1.0)] = seeds {
        for (to, from) in blended.iter_mut().zip(w_of_seed(*seed)?.iter()) {
            *to = *from;
        }
        return Ok(blended);
    }
    // Summed in f64: four neighbours of nearly equal weight would otherwise jitter in the last bits while one walks.
    let mut sums: Vec<f64> = w_avg.iter().copied().map(f64::from).collect();
    for (seed, weight) in seeds {
        for ((sum, w), w_avg) in sums.iter_mut().zip(w_of_seed(*seed)?.iter()).zip(w_avg) {
            *sum += weight * (f64::from(*w) - f64::from(*w_avg));
        }
    }
    for (to, sum) in blended.iter_mut().zip(sums) {
        *to = sum as f32;
    }
    Ok(blended)
}

/// Style mixing (StyleGAN, section 3.1) with an amount: `w + amount * (second - w)`; 0 and 1 are exact.
pub fn mix(w: &mut [f32], second: &[f32], amount: f32) {
    for (w, second) in w.iter_mut().zip(second) {
        if amount == 1.0 {
            *w = *second;
        } else if amount != 0.0 {
            *w += amount * (second - *w);
        }
    }
}

/// Truncation (StyleGAN, appendix B): `w_avg + psi * (w - w_avg)`. 1 leaves `w` alone, which the formula would not: the
/// difference is rounded.
pub fn truncate(w: &mut [f32], w_avg: &[f32], psi: f32) {
    if psi == 1.0 {
        return;
    }
    for (w, w_avg) in w.iter_mut().zip(w_avg) {
        *w = w_avg + psi * (*w - w_avg);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const W_DIM: usize = 5;
    const NUM_WS: usize = 4;
    const W_AVG: [f32; W_DIM] = [0.1, -0.2, 0.3, 0.0, 1.7];

    fn w_of_seed(seed: u32) -> Result<Arc<[f32]>, Infallible> {
        let value = |channel: usize| ((f64::from(seed) + 1.0) * 0.7312 + channel as f64 * 1.913).sin() as f32 * 3.3;
        Ok((0..W_DIM).map(value).collect())
    }

    fn w(seed: u32) -> Arc<[f32]> {
        w_of_seed(seed).unwrap_or_else(|never| match never {})
    }

    #[derive(Default)]
    struct Plan {
        position: (f64, f64),
        amounts: BTreeMap<usize, f32>,
        psi: Option<f32>,
        cutoff: Option<usize>,
        layer_psi: BTreeMap<usize, f32>,
        offsets: BTreeMap<usize, BTreeMap<usize, f32>>,
    }

    impl Plan {
        /// The composed rows and the seeds that were asked for.
        fn compose(&self) -> (Vec<Vec<f32>>, Vec<u32>) {
            let recipe = WsRecipe {
                position: self.position,
                mix_seed: 1000,
                mix_amounts: &self.amounts,
                psi: self.psi.unwrap_or(1.0),
                cutoff: self.cutoff,
                layer_psi: &self.layer_psi,
                offsets: &self.offsets,
            };
            let mut asked = Vec::new();
            let ask = |seed| {
                asked.push(seed);
                w_of_seed(seed)
            };
            let ws = compose_ws(&recipe, ask, &W_AVG, NUM_WS).unwrap_or_else(|never| match never {});
            assert_eq!(ws.len(), NUM_WS * W_DIM);
            (ws.chunks(W_DIM).map(<[f32]>::to_vec).collect(), asked)
        }

        fn rows(&self) -> Vec<Vec<f32>> {
            self.compose().0
        }
    }

    fn truncated(w: &[f32], psi: f32) -> Vec<f32> {
        w.iter().zip(W_AVG).map(|(w, w_avg)| w_avg + psi * (w - w_avg)).collect()
    }

    fn assert_quarter_way(row: &[f32], from: &[f32], to: &[f32]) {
        for ((value, from), to) in row.iter().zip(from).zip(to) {
            assert!((value - (0.75 * from + 0.25 * to)).abs() < 1e-6);
        }
    }

    #[test]
    fn a_whole_position_without_edits_is_the_seeds_own_w() {
        let mut changed_by_the_formula = 0;
        for seed in 0..100 {
            let (rows, asked) = Plan { position: (seed.into(), 0.0), ..Plan::default() }.compose();
            assert_eq!(asked, [seed]);
            assert!(rows.iter().all(|row| row[..] == w(seed)[..]));
            changed_by_the_formula += usize::from(truncated(&w(seed), 1.0) != w(seed)[..]);
        }
        assert!(changed_by_the_formula > 10, "the values would not tell the formula from leaving w alone");
    }

    #[test]
    fn between_seeds_w_is_blended_around_w_avg() {
        let (rows, asked) = Plan { position: (3.25, 0.0), ..Plan::default() }.compose();
        assert_eq!(asked, [3, 4]);
        assert_quarter_way(&rows[0], &w(3), &w(4));
        let walk = |x| Plan { position: (x, 0.5), ..Plan::default() }.rows()[0].clone();
        for (a, b) in walk(4.0 - 1e-6).iter().zip(walk(4.0 + 1e-6)) {
            assert!((a - b).abs() < 1e-4, "the walk has no jump at a seed");
        }
        // Weights that do not sum to 1 shrink towards w_avg and not towards 0.
        assert_eq!(blend(&[], w_of_seed, &W_AVG), Ok(W_AVG.to_vec()));
    }

    #[test]
    fn mixing_is_exact_at_both_ends_and_asks_for_nothing_in_vain() {
        let plan = Plan { amounts: [(1, 1.0), (2, 0.25)].into(), ..Plan::default() };
        let (rows, asked) = plan.compose();
        assert_eq!(asked, [0, 1000]);
        assert_eq!((&rows[0][..], &rows[1][..], &rows[3][..]), (&w(0)[..], &w(1000)[..], &w(0)[..]));
        assert_quarter_way(&rows[2], &w(0), &w(1000));
        let all = Plan { amounts: (0..NUM_WS).map(|ws| (ws, 1.0)).collect(), ..Plan::default() };
        assert_eq!(all.compose().1, [1000]);
        let elsewhere = Plan { amounts: [(NUM_WS, 1.0)].into(), ..Plan::default() };
        assert_eq!(elsewhere.compose().1, [0], "a pose of a larger model");
    }

    #[test]
    fn truncation_honours_cutoff_and_overrides() {
        let plan = Plan { psi: Some(0.7), cutoff: Some(2), layer_psi: [(1, 0.0), (3, -0.5)].into(), ..Plan::default() };
        let rows = plan.rows();
        assert_eq!(rows[0], truncated(&w(0), 0.7));
        assert_eq!(rows[1], W_AVG);
        assert_eq!(rows[2], w(0)[..]);
        assert_eq!(rows[3], truncated(&w(0), -0.5));
        let untouched = Plan { psi: Some(0.7), layer_psi: [(2, 1.0)].into(), ..Plan::default() }.rows();
        assert_eq!((&untouched[2][..], &untouched[3]), (&w(0)[..], &truncated(&w(0), 0.7)));
        assert_eq!(Plan { psi: Some(0.0), cutoff: Some(0), ..Plan::default() }.rows()[0], w(0)[..]);
    }

    #[test]
    fn offsets_come_last_and_ignore_other_channels() {
        let offsets = [(1, [(2, 0.5), (W_DIM, 9.0)].into()), (NUM_WS, [(0, 9.0)].into())].into();
        let rows = Plan { psi: Some(0.0), offsets, ..Plan::default() }.rows();
        assert_eq!(rows[0], W_AVG);
        assert_eq!(rows[1], [W_AVG[0], W_AVG[1], W_AVG[2] + 0.5, W_AVG[3], W_AVG[4]]);
    }

    #[test]
    fn an_error_of_the_mapping_is_handed_on_and_short_vectors_are_filled_up() {
        let (none, no_offsets) = (BTreeMap::new(), BTreeMap::new());
        let recipe = WsRecipe {
            position: (0.5, 0.0),
            mix_seed: 0,
            mix_amounts: &none,
            psi: 1.0,
            cutoff: None,
            layer_psi: &none,
            offsets: &no_offsets,
        };
        assert_eq!(compose_ws(&recipe, |_| Err("lost"), &W_AVG, NUM_WS), Err("lost"));
        let short = blend(&[(0, 1.0)], |_| Ok::<_, Infallible>(Arc::from([9.0])), &W_AVG);
        assert_eq!(short, Ok(vec![9.0, W_AVG[1], W_AVG[2], W_AVG[3], W_AVG[4]]));
    }
}
