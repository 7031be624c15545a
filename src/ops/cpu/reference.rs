//! The layers as the papers write them, one pixel at a time in double precision, and the tests that hold the kernels to them.

use super::{
    Border, Epilogue, InstructionSet, LayerKernel, NhwcBuffer, NoiseStrength, RgbKernel, SkipKernel, Threads, UpFilter,
    Workspace, normalize,
};

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
    up: Option<UpFilter>,
    demodulate: bool,
    noise: bool,
    clamp: Option<f32>,
}

const FILTER: UpFilter = UpFilter { taps: [0.125, 0.375, 0.375, 0.125], border: Border::Whole };

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
            (doubled(&Planes { values: &convolved, size: grid }, outputs, size, 1, 1, filter.taps), size)
        }
    };
    finish(filtered, size, epilogue)
}

/// Noise, bias, activation, gain and clamp.
fn finish(convolved: Vec<f64>, size: [usize; 2], epilogue: &Epilogue<'_>) -> Vec<f64> {
    let pixels = size[0] * size[1];
    let finish = |(i, value): (usize, f64)| {
        let noise = epilogue.noise.map_or(0.0, |(map, strength)| {
            let strength = match strength {
                NoiseStrength::Same(strength) => f64::from(strength),
                NoiseStrength::ByChannel(strengths, factor) => f64::from(strengths[i / pixels]) * f64::from(factor),
            };
            f64::from(map[i % pixels]) * strength
        });
        let value = value + noise + f64::from(epilogue.bias[i / pixels]);
        let value = if value < 0.0 { value * f64::from(epilogue.slope) } else { value } * f64::from(epilogue.gain);
        let limit = epilogue.clamp.map_or(f64::INFINITY, f64::from);
        value.clamp(-limit, limit)
    };
    convolved.into_iter().enumerate().map(finish).collect()
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
        noise: case.noise.then_some((&noise, NoiseStrength::Same(0.3))),
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
        let up = Some(UpFilter { taps: [0.5, 0.3, 0.15, 0.05], border: Border::Whole });
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

/// StyleGAN's upsampling as its authors describe it: nearest neighbours and a 3x3 convolution, or both `fused` into a transposed
/// convolution by the sum of the shifted weight; then bias, if it is early, and the blur.
fn blurred_up_reference(
    case: &Case,
    weight: &[f32],
    x: &[f32],
    fused: bool,
    early_bias: Option<&[f32]>,
    blur: [f32; 3],
) -> Vec<f64> {
    let [outputs, inputs] = case.channels;
    let size = case.size.map(|side| 2 * side);
    let x: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    let x = Planes { values: &x, size: case.size };
    let tap = |filter: usize, y: isize, x: isize| {
        let inside = (0..3).contains(&y) && (0..3).contains(&x);
        if inside { f64::from(weight[filter * 9 + (3 * y + x) as usize]) } else { 0.0 }
    };
    let mut convolved = Vec::new();
    for k in 0..outputs {
        for y in 0..size[0] as isize {
            for column in 0..size[1] as isize {
                let mut sum = early_bias.map_or(0.0, |bias| f64::from(bias[k]));
                for c in 0..inputs {
                    let filter = k * inputs + c;
                    if fused {
                        // Stride 2 and padding 1: output `y` takes tap `y + 1 - 2 m` of input `m`.
                        for (ky, kx) in (0..4).flat_map(|ky| (0..4).map(move |kx| (ky, kx))) {
                            let (from_y, from_x) = (y + 1 - ky, column + 1 - kx);
                            if from_y % 2 == 0 && from_x % 2 == 0 {
                                let taps = tap(filter, ky, kx) + tap(filter, ky - 1, kx) + tap(filter, ky, kx - 1);
                                let taps = taps + tap(filter, ky - 1, kx - 1);
                                sum += taps * x.at(c, from_y / 2, from_x / 2);
                            }
                        }
                    } else {
                        for (ky, kx) in (0..3).flat_map(|ky| (0..3).map(move |kx| (ky, kx))) {
                            let (from_y, from_x) = (y + ky - 1, column + kx - 1);
                            sum += tap(filter, ky, kx) * x.at(c, from_y.div_euclid(2), from_x.div_euclid(2));
                        }
                    }
                }
                convolved.push(sum);
            }
        }
    }
    let convolved = Planes { values: &convolved, size };
    let mut blurred = Vec::new();
    for k in 0..outputs {
        for y in 0..size[0] as isize {
            for column in 0..size[1] as isize {
                let taps = (0..9).map(|i| {
                    let tap = f64::from(blur[2 - i / 3]) * f64::from(blur[2 - i % 3]);
                    tap * convolved.at(k, y + i as isize / 3 - 1, column + i as isize % 3 - 1)
                });
                blurred.push(taps.sum());
            }
        }
    }
    blurred
}

#[test]
fn up_convolutions_of_stylegan_match_the_reference() {
    let threads = Threads::new().expect("threads");
    let mut sequence = Sequence(3);
    let no_bias = [0.0; 5];
    for side in [1, 4, 8, 32, 36] {
        for (fused, blur) in [(false, [0.25, 0.5, 0.25]), (true, [0.25, 0.5, 0.25]), (true, [0.5, 0.3, 0.2])] {
            for early in [false, true] {
                let channels = [5, 18];
                let case = Case { channels, size: [side, side], up: None, demodulate: false, noise: true, clamp: None };
                let (weight, x) = (sequence.take(5 * 18 * 9), sequence.take(18 * side * side));
                let (bias, strengths, noise) = (sequence.take(5), sequence.take(5), sequence.take(4 * side * side));
                let strength = NoiseStrength::ByChannel(&strengths, 0.7);
                let rest = |bias| {
                    let noise = Some((&noise[..], strength));
                    Epilogue { demodulate: false, noise, bias, slope: 0.2, gain: 1.0, clamp: None }
                };
                let late = rest(if early { &no_bias } else { &bias });
                let expected = blurred_up_reference(&case, &weight, &x, fused, early.then_some(&bias), blur);
                let expected = finish(expected, [2 * side; 2], &late);
                let mut flipped = weight.clone();
                if !fused {
                    flipped.chunks_exact_mut(9).for_each(<[f32]>::reverse);
                }
                for set in InstructionSet::available() {
                    let filter = UpFilter::after_blur(blur, early);
                    let kernel = LayerKernel::new(set, &flipped, channels, [side, side], Some(filter));
                    let input = NhwcBuffer::from_nchw(&x, 18, side, side);
                    let mut workspace = Workspace::default();
                    let found = kernel.run(&input, &[1.0; 18], &rest(&bias), &mut workspace, &threads).to_nchw();
                    let error = relative_error(&found, &expected);
                    assert!(error < 1e-5, "{side}, fused {fused}, early bias {early}, {set}: {error:e}");
                }
            }
        }
    }
}

#[test]
fn channels_are_normalised_like_the_reference() {
    let threads = Threads::new().expect("threads");
    let mut sequence = Sequence(5);
    for ([channels, height, width], mean) in
        [([3, 1, 1], 0.0), ([20, 5, 9], 3.0), ([33, 16, 16], -1e3), ([4, 300, 300], 50.0)]
    {
        let pixels = height * width;
        let x: Vec<f32> = sequence.take(channels * pixels).iter().map(|value| value + mean).collect();
        let (scale, shift) = (sequence.take(channels), sequence.take(channels));
        let mut expected = Vec::new();
        for (c, plane) in x.chunks_exact(pixels).enumerate() {
            let mean = plane.iter().map(|&v| f64::from(v)).sum::<f64>() / pixels as f64;
            let variance = plane.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / pixels as f64;
            let factor = f64::from(scale[c]) / (variance + 1e-8).sqrt();
            expected.extend(plane.iter().map(|&v| (f64::from(v) - mean) * factor + f64::from(shift[c])));
        }
        for set in InstructionSet::available() {
            let mut results = Vec::new();
            for limit in [1, 3] {
                threads.set_limit(limit).expect("threads");
                let mut buffer = NhwcBuffer::from_nchw(&x, channels, height, width);
                let mut workspace = Workspace::default();
                normalize(set, &mut buffer, &scale, &shift, 1e-8, &mut workspace, &threads);
                results.push(buffer.to_nchw());
            }
            assert_eq!(results[0], results[1], "{set}: threads change the result");
            // A mean a thousand times the spread costs three digits in the input already.
            let error = relative_error(&results[0], &expected);
            assert!(error < 1e-6 * f64::from(mean).abs().max(2.0), "{set} at {height}x{width}, mean {mean}: {error:e}");
        }
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
fn residual_branches_add_like_the_reference() {
    let threads = Threads::new().expect("threads");
    let mut sequence = Sequence(13);
    let filter = [0.2, 0.4, 0.3, 0.1];
    for ([outputs, inputs], [height, width]) in [([5, 18], [1, 1]), ([33, 20], [4, 4]), ([16, 40], [5, 19])] {
        let (weight, x) = (sequence.take(outputs * inputs), sequence.take(inputs * height * width));
        let before = sequence.take(outputs * 4 * height * width);
        let mut convolved = Vec::new();
        for k in 0..outputs {
            for pixel in 0..height * width {
                let term = |c: usize| f64::from(weight[k * inputs + c]) * f64::from(x[c * height * width + pixel]);
                convolved.push((0..inputs).map(term).sum());
            }
        }
        let convolved = Planes { values: &convolved, size: [height, width] };
        let mut expected = doubled(&convolved, outputs, [2 * height, 2 * width], 2, 2, filter);
        expected.iter_mut().zip(&before).for_each(|(sum, &before)| *sum += f64::from(before));
        for set in InstructionSet::available() {
            let kernel = SkipKernel::new(set, &weight, [outputs, inputs], filter);
            let mut to = NhwcBuffer::from_nchw(&before, outputs, 2 * height, 2 * width);
            let input = NhwcBuffer::from_nchw(&x, inputs, height, width);
            kernel.add(&input, &mut to, &mut Workspace::default(), &threads);
            assert!(relative_error(&to.to_nchw(), &expected) < 2e-6, "{set} at {height}x{width}");
        }
    }
}

#[test]
fn an_unknown_instruction_set_names_the_known_ones() {
    let error = "sse9".parse::<InstructionSet>().expect_err("no such set");
    assert!(error.to_string().contains("portable"), "{error}");
    assert_eq!("portable".parse::<InstructionSet>().expect("always there").name(), "portable");
    let foreign = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    assert!(foreign.parse::<InstructionSet>().is_err(), "{foreign} on another architecture");
    if cfg!(target_arch = "aarch64") {
        assert_eq!(InstructionSet::best(), "neon".parse().expect("always there"));
    }
}
