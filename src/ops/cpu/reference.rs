//! The layers as the papers write them, one pixel at a time in double precision, and the tests that hold the kernels to them.

use super::{Epilogue, InstructionSet, LayerKernel, NhwcBuffer, RgbKernel, Threads, Workspace};

/// Values of a fixed pseudo-random sequence (xorshift), roughly normal.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> f32 {
        let mut uniform = || {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        2.0 * (uniform() + uniform() + uniform())
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

struct Case {
    channels: [usize; 2],
    size: [usize; 2],
    up: Option<[f32; 4]>,
    demodulate: bool,
    noise: bool,
    clamp: Option<f32>,
}

const FILTER: [f32; 4] = [0.125, 0.375, 0.375, 0.125];

/// `[channels, height, width]` planes with zeros outside.
struct Planes<'a> {
    values: &'a [f64],
    size: [usize; 2],
}

impl Planes<'_> {
    fn at(&self, channel: usize, y: isize, x: isize) -> f64 {
        let [height, width] = self.size;
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        if inside { self.values[(channel * height + y as usize) * width + x as usize] } else { 0.0 }
    }
}

/// `upfirdn2d` with zero insertion of 2: pad `before` zeros above and to the left, filter, gain 4.
fn doubled(
    x: &Planes<'_>,
    channels: usize,
    out_size: [usize; 2],
    before: isize,
    step: isize,
    filter: [f32; 4],
) -> Vec<f64> {
    let mut out = Vec::new();
    for c in 0..channels {
        for y in 0..out_size[0] as isize {
            for column in 0..out_size[1] as isize {
                let mut sum = 0.0;
                for i in 0..4 {
                    for j in 0..4 {
                        let (from_y, from_x) = (y + i as isize - before, column + j as isize - before);
                        if from_y % step == 0 && from_x % step == 0 {
                            let tap = f64::from(filter[3 - i]) * f64::from(filter[3 - j]);
                            sum += 4.0 * tap * x.at(c, from_y / step, from_x / step);
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

/// Equations 1 and 3 of StyleGAN2 and the rest of the layer.
fn layer_reference(case: &Case, weight: &[f32], x: &[f32], style: &[f32], epilogue: &Epilogue<'_>) -> Vec<f64> {
    let [outputs, inputs] = case.channels;
    let [height, width] = case.size;
    let mut modulated = Vec::new();
    for filters in weight.chunks(inputs * 9) {
        let scaled: Vec<f64> =
            filters.iter().enumerate().map(|(i, w)| f64::from(*w) * f64::from(style[i / 9])).collect();
        let norm = scaled.iter().map(|w| w * w).sum::<f64>() + 1e-8;
        let factor = if epilogue.demodulate { norm.sqrt().recip() } else { 1.0 };
        modulated.extend(scaled.iter().map(|w| w * factor));
    }
    let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let planes = Planes { values: &x, size: case.size };
    let mut convolved = Vec::new();
    let grid = if case.up.is_some() { [2 * height + 1, 2 * width + 1] } else { case.size };
    for k in 0..outputs {
        for y in 0..grid[0] as isize {
            for column in 0..grid[1] as isize {
                let mut sum = 0.0;
                for c in 0..inputs {
                    for tap in 0..9 {
                        let (ky, kx) = (tap as isize / 3, tap as isize % 3);
                        let w = modulated[(k * inputs + c) * 9 + tap];
                        if case.up.is_none() {
                            sum += w * planes.at(c, y + ky - 1, column + kx - 1);
                        } else if (y - ky) % 2 == 0 && (column - kx) % 2 == 0 {
                            sum += w * planes.at(c, (y - ky) / 2, (column - kx) / 2);
                        }
                    }
                }
                convolved.push(sum);
            }
        }
    }
    let (filtered, size) = match case.up {
        None => (convolved, grid),
        Some(filter) => {
            let size = [2 * height, 2 * width];
            (doubled(&Planes { values: &convolved, size: grid }, outputs, size, 1, 1, filter), size)
        }
    };
    let pixels = size[0] * size[1];
    let finish = |(i, value): (usize, f64)| {
        let noise = epilogue.noise.map_or(0.0, |(map, strength)| f64::from(map[i % pixels]) * f64::from(strength));
        let value = value + noise + f64::from(epilogue.bias[i / pixels]);
        let value = if value < 0.0 { value * f64::from(epilogue.slope) } else { value } * f64::from(epilogue.gain);
        let limit = epilogue.clamp.map_or(f64::INFINITY, f64::from);
        value.clamp(-limit, limit)
    };
    filtered.into_iter().enumerate().map(finish).collect()
}

fn relative_error(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let error = |(actual, expected): (&f32, &f64)| (f64::from(*actual) - expected).abs();
    let worst = actual.iter().zip(expected).map(error).fold(0.0, |worst: f64, error| {
        // A NaN must not hide behind the comparison.
        if error.is_nan() { f64::INFINITY } else { worst.max(error) }
    });
    worst / largest
}

/// The worst relative error of a case, over all instruction sets.
fn check(case: &Case) -> f64 {
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    let [outputs, inputs] = case.channels;
    let weight = sequence.take(outputs * inputs * 9);
    let x = sequence.take(inputs * case.size[0] * case.size[1]);
    let style = sequence.take(inputs);
    let bias = sequence.take(outputs);
    let factor = if case.up.is_some() { 2 } else { 1 };
    let noise = sequence.take(case.size[0] * case.size[1] * factor * factor);
    let epilogue = Epilogue {
        demodulate: case.demodulate,
        noise: case.noise.then_some((&noise, 0.3)),
        bias: &bias,
        slope: 0.2,
        gain: std::f32::consts::SQRT_2,
        clamp: case.clamp,
    };
    let expected = layer_reference(case, &weight, &x, &style, &epilogue);
    let threads = Threads::new().expect("threads");
    let input = NhwcBuffer::from_nchw(&x, inputs, case.size[0], case.size[1]);
    let mut worst = 0.0_f64;
    for set in InstructionSet::available() {
        let kernel = LayerKernel::new(set, &weight, case.channels, case.size, case.up);
        let mut workspace = Workspace::default();
        let first = kernel.run(&input, &style, &epilogue, &mut workspace, &threads).to_nchw();
        let again = kernel.run(&input, &style, &epilogue, &mut workspace, &threads).to_nchw();
        assert_eq!(first, again, "{set}: a second run differs");
        let error = relative_error(&first, &expected);
        println!("{:?} {:?} up {} {set}: {error:.1e}", case.channels, case.size, case.up.is_some());
        worst = worst.max(error);
    }
    worst
}

#[test]
fn layers_match_the_reference() {
    for side in [1, 3, 4, 5, 7, 8, 16, 18, 32, 64] {
        for channels in [[3, 5], [16, 16], [40, 24], [64, 32]] {
            for up in [None, Some(FILTER)] {
                if side == 64 && channels[0] == 40 {
                    continue;
                }
                let case = Case { channels, size: [side, side], up, demodulate: true, noise: true, clamp: None };
                let error = check(&case);
                assert!(error < 1e-5, "{channels:?} at {side}, up {}: {error:e}", up.is_some());
            }
        }
    }
}

#[test]
fn many_channels_share_blocks_and_match_the_reference() {
    for (channels, side, up) in
        [([256, 272], 16, None), ([256, 256], 32, Some(FILTER)), ([272, 256], 4, None), ([256, 256], 8, Some(FILTER))]
    {
        let case = Case { channels, size: [side, side], up, demodulate: true, noise: true, clamp: None };
        let error = check(&case);
        assert!(error < 2e-5, "{channels:?} at {side}: {error:e}");
    }
}

#[test]
fn wide_images_clamps_and_plain_convolutions_match_the_reference() {
    for (size, up) in [([16, 40], None), ([48, 16], None), ([32, 100], Some(FILTER)), ([72, 36], Some(FILTER))] {
        for demodulate in [false, true] {
            // Without demodulation values are an order of magnitude larger, and so are their errors.
            let clamp = Some(if demodulate { 2.0 } else { 40.0 });
            let case = Case { channels: [24, 16], size, up, demodulate, noise: false, clamp };
            let error = check(&case);
            assert!(error < 1e-5, "{size:?}: {error:e}");
        }
    }
}

#[test]
fn an_asymmetric_filter_is_a_true_convolution() {
    for side in [4, 32] {
        let up = Some([0.5, 0.3, 0.15, 0.05]);
        let case = Case { channels: [8, 8], size: [side, side], up, demodulate: true, noise: false, clamp: None };
        let error = check(&case);
        assert!(error < 1e-5, "{side}: {error:e}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut sequence = Sequence(7);
    for (channels, side, up) in [([256, 256], 16, None), ([32, 32], 64, None), ([32, 16], 64, Some(FILTER))] {
        let weight = sequence.take(channels[0] * channels[1] * 9);
        let x = sequence.take(channels[1] * side * side);
        let (style, bias) = (sequence.take(channels[1]), sequence.take(channels[0]));
        let epilogue = Epilogue { demodulate: true, noise: None, bias: &bias, slope: 0.2, gain: 1.0, clamp: None };
        let kernel = LayerKernel::new(InstructionSet::best(), &weight, channels, [side, side], up);
        let input = NhwcBuffer::from_nchw(&x, channels[1], side, side);
        let threads = Threads::new().expect("threads");
        let mut images = Vec::new();
        for limit in [1, 2, 3] {
            threads.set_limit(limit).expect("threads");
            assert_eq!(threads.limit(), limit);
            let mut workspace = Workspace::default();
            images.push(kernel.run(&input, &style, &epilogue, &mut workspace, &threads).to_nchw());
        }
        assert!(images.iter().all(|image| *image == images[0]));
    }
}

#[test]
fn images_accumulate_like_the_reference() {
    let mut sequence = Sequence(11);
    let threads = Threads::new().expect("threads");
    for (colours, channels) in [(3, 20), (1, 32), (4, 16)] {
        let weight = sequence.take(colours * channels);
        let bias = sequence.take(colours);
        let inputs: Vec<(usize, Vec<f32>, Vec<f32>)> =
            [4, 8, 16].map(|side| (side, sequence.take(channels * side * side), sequence.take(channels))).into();
        let filter = [0.2, 0.4, 0.3, 0.1];
        for set in InstructionSet::available() {
            let kernel = RgbKernel::new(set, &weight, &bias, channels);
            let mut image = None;
            let mut expected: Vec<f64> = Vec::new();
            for (side, x, style) in &inputs {
                let below = image.as_ref().map(|image| (image, filter));
                let buffer = NhwcBuffer::from_nchw(x, channels, *side, *side);
                let next = kernel.run(&buffer, style, Some(2.0), below, &threads);
                let mut sums = if expected.is_empty() {
                    vec![0.0; colours * side * side]
                } else {
                    let half = Planes { values: &expected, size: [side / 2, side / 2] };
                    doubled(&half, colours, [*side, *side], 2, 2, filter)
                };
                for (i, sum) in sums.iter_mut().enumerate() {
                    let (k, pixel) = (i / (side * side), i % (side * side));
                    let terms = (0..channels).map(|c| {
                        f64::from(weight[k * channels + c])
                            * f64::from(style[c])
                            * f64::from(x[c * side * side + pixel])
                    });
                    *sum += (terms.sum::<f64>() + f64::from(bias[k])).clamp(-2.0, 2.0);
                }
                assert!(relative_error(&next.to_nchw(), &sums) < 1e-6, "{set} at {side}");
                expected = sums;
                image = Some(next);
            }
        }
    }
}

#[test]
fn an_unknown_instruction_set_names_the_known_ones() {
    let error = "sse9".parse::<InstructionSet>().expect_err("no such set");
    assert!(error.to_string().contains("portable"), "{error}");
    assert_eq!("portable".parse::<InstructionSet>().expect("always there").name(), "portable");
}
