//! Resampling.

use super::super::{Fir, upfirdn2d};
use super::{Sequence, assert_close, runtimes};

/// The definition step by step: zeros, padding, convolution, decimation.
fn reference(planes: usize, [height, width]: [usize; 2], x: &[f32], fir: &Fir<'_>) -> Vec<f64> {
    let [left, right, top, bottom] = fir.pad;
    let padded = [(height * fir.up) as isize + top + bottom, (width * fir.up) as isize + left + right];
    let value = |plane: usize, y: isize, x_at: isize| {
        let (y, x_at) = (y - top, x_at - left);
        let up = fir.up as isize;
        let outside = y < 0 || x_at < 0 || y % up != 0 || x_at % up != 0;
        if outside || y / up >= height as isize || x_at / up >= width as isize {
            return 0.0;
        }
        f64::from(x[(plane * height + (y / up) as usize) * width + (x_at / up) as usize])
    };
    let count = fir.taps.len();
    let tap = |t: usize| f64::from(fir.taps[if fir.flip { t } else { count - 1 - t }]);
    let mut out = Vec::new();
    for plane in 0..planes {
        for y in (0..=padded[0] - count as isize).step_by(fir.down) {
            for x in (0..=padded[1] - count as isize).step_by(fir.down) {
                let mut sum = 0.0;
                for i in 0..count {
                    for j in 0..count {
                        sum += tap(i) * tap(j) * value(plane, y + i as isize, x + j as isize);
                    }
                }
                out.push(sum * f64::from(fir.gain));
            }
        }
    }
    out
}

#[test]
fn resampling_matches_its_definition() {
    let mut sequence = Sequence(6);
    let (four, odd, long) = ([0.1, 0.2, 0.3, 0.4], [0.5, 0.3, 0.2], sequence.take(12));
    let filters: [&[f32]; 4] = [&four, &odd, &[1.0], &long];
    for size in [[4, 4], [5, 7], [16, 16], [33, 17], [1, 9], [64, 64]] {
        for planes in [1, 3, 10] {
            let x = sequence.take(planes * size[0] * size[1]);
            for taps in filters {
                for (up, down) in [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (1, 3), (4, 1)] {
                    for pad in [[2, 1, 2, 1], [0, 0, 0, 0], [3, -1, 1, 2], [11, 12, 12, 11], [-1, 2, 3, -2]] {
                        let fits = |side: usize, pad: isize| (side * up) as isize + pad >= taps.len() as isize;
                        if !fits(size[0], pad[2] + pad[3]) || !fits(size[1], pad[0] + pad[1]) {
                            continue;
                        }
                        if planes == 10 && taps.len() == 12 {
                            continue;
                        }
                        let fir = Fir { taps, up, down, pad, flip: planes == 3, gain: 1.5 };
                        let expected = reference(planes, size, &x, &fir);
                        for rt in runtimes_once() {
                            let actual = upfirdn2d(rt, planes, size, &x, &fir);
                            assert_close(&actual, &expected, 2e-6, &format!("{planes} of {size:?}, {fir:?} on {rt:?}"));
                        }
                    }
                }
            }
        }
    }
}

fn runtimes_once() -> &'static [crate::ops::cpu::Runtime] {
    static RUNTIMES: std::sync::OnceLock<Vec<crate::ops::cpu::Runtime>> = std::sync::OnceLock::new();
    RUNTIMES.get_or_init(runtimes)
}
