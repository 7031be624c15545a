//! Convolutions and their gradients.

use super::super::{ConvShape, conv2d, conv2d_input_gradient, conv2d_weight_gradient};
use super::{Sequence, assert_close, runtimes};

/// Calls `f(x index, weight index, y index)` for every product of a convolution.
fn products(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let [out_height, out_width] = [s.out_height(), s.out_width()];
    for n in 0..s.batch {
        for o in 0..s.outputs {
            for i in 0..s.inputs {
                for ky in 0..s.kernel {
                    for kx in 0..s.kernel {
                        let w = ((o * s.inputs + i) * s.kernel + ky) * s.kernel + kx;
                        for y in 0..out_height {
                            let Some(row) = (y * s.stride + ky).checked_sub(s.padding).filter(|r| *r < s.height) else {
                                continue;
                            };
                            for x in 0..out_width {
                                let at = (x * s.stride + kx).checked_sub(s.padding).filter(|c| *c < s.width);
                                if let Some(column) = at {
                                    f(
                                        ((n * s.inputs + i) * s.height + row) * s.width + column,
                                        w,
                                        ((n * s.outputs + o) * out_height + y) * out_width + x,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn shape([batch, inputs, outputs]: [usize; 3], size: [usize; 2], [kernel, stride, padding]: [usize; 3]) -> ConvShape {
    ConvShape { batch, inputs, outputs, height: size[0], width: size[1], kernel, stride, padding }
}

fn shapes() -> Vec<ConvShape> {
    let mut shapes = Vec::new();
    // Every kind of kernel on every kind of size, few channels.
    for size in [[1, 1], [4, 4], [5, 7], [8, 8], [9, 9], [16, 16], [17, 17], [6, 33]] {
        for kernel in
            [[1, 1, 0], [3, 1, 1], [3, 2, 0], [3, 2, 1], [3, 1, 0], [3, 1, 2], [4, 2, 1], [1, 2, 0], [7, 1, 3]]
        {
            for channels in [[1, 1, 1], [2, 3, 5], [3, 17, 9]] {
                if size[0].min(size[1]) + 2 * kernel[2] >= kernel[0] {
                    shapes.push(shape(channels, size, kernel));
                }
            }
        }
    }
    // Padding that reaches beyond the kernel, sizes that a stride does not divide, kernels shorter than the stride.
    shapes.extend([
        shape([2, 3, 4], [5, 6], [1, 1, 2]),
        shape([2, 3, 4], [5, 6], [2, 1, 2]),
        shape([2, 3, 4], [6, 9], [4, 2, 2]),
        shape([2, 3, 4], [7, 10], [5, 2, 0]),
        shape([1, 2, 2], [3, 3], [1, 2, 2]),
    ]);
    // Many channels, and more samples than one block of columns has.
    shapes.extend([
        shape([8, 70, 65], [4, 4], [3, 1, 1]),
        shape([5, 64, 70], [8, 8], [3, 1, 1]),
        shape([2, 33, 64], [17, 17], [3, 2, 0]),
        shape([1, 16, 16], [64, 64], [3, 1, 1]),
        shape([1, 8, 40], [33, 32], [4, 1, 1]),
        shape([8, 70, 50], [1, 1], [1, 1, 0]),
        shape([33, 300, 20], [1, 1], [1, 1, 0]),
        shape([3, 10, 129], [6, 6], [1, 1, 0]),
        shape([1, 130, 140], [4, 4], [3, 1, 1]),
        shape([2, 32, 32], [20, 24], [3, 1, 1]),
        shape([4, 40, 24], [16, 16], [3, 1, 1]),
        shape([2, 20, 36], [32, 32], [3, 1, 1]),
    ]);
    // Sizes that come in whole tiles, with few and with many weights.
    shapes.extend([
        shape([2, 32, 32], [24, 24], [3, 1, 1]),
        shape([1, 48, 64], [32, 40], [3, 1, 1]),
        shape([17, 64, 16], [8, 8], [3, 1, 1]),
        shape([64, 16, 32], [4, 8], [3, 1, 1]),
        shape([3, 160, 112], [20, 24], [3, 1, 1]),
        shape([2, 16, 16], [64, 64], [3, 1, 1]),
        // Whole vectors of channels on other sizes.
        shape([2, 16, 48], [9, 9], [3, 2, 0]),
        shape([3, 48, 32], [4, 4], [3, 1, 1]),
        shape([2, 16, 16], [7, 10], [4, 2, 1]),
        shape([1, 32, 80], [33, 17], [3, 2, 1]),
        shape([1, 16, 32], [5, 6], [2, 1, 2]),
        shape([1, 32, 16], [3, 3], [3, 1, 1]),
        shape([2, 112, 144], [13, 9], [3, 2, 0]),
    ]);
    shapes
}

#[test]
fn convolutions_and_gradients_match_their_definition() {
    let runtimes = runtimes();
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    for s in shapes() {
        let x = sequence.take(s.x_len());
        let weight = sequence.take(s.weight_len());
        let g = sequence.take(s.y_len());
        let (mut y, mut gx, mut gw) = (vec![0.0; g.len()], vec![0.0; x.len()], vec![0.0; weight.len()]);
        products(&s, |i, w, o| {
            y[o] += f64::from(x[i]) * f64::from(weight[w]);
            gx[i] += f64::from(g[o]) * f64::from(weight[w]);
            gw[w] += f64::from(g[o]) * f64::from(x[i]);
        });
        for rt in &runtimes {
            let what = format!("{s:?} on {rt:?}");
            // Minimal filtering costs half a digit, and this is the largest error of a whole image.
            assert_close(&conv2d(rt, &s, &x, &weight), &y, 2e-5, &what);
            assert_close(&conv2d_input_gradient(rt, &s, &g, &weight), &gx, 2e-5, &what);
            assert_close(&conv2d_weight_gradient(rt, &s, &x, &g), &gw, 2e-5, &what);
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn norm(a: &[f32]) -> f64 {
    dot(a, a).sqrt()
}

/// <conv(x), g> = <x, input gradient(g)> = <weight, weight gradient(x, g)>, at sizes that are slow to check value by value.
#[test]
fn gradients_are_adjoint_at_training_sizes() {
    let mut sequence = Sequence(5);
    let cases = [
        shape([8, 512, 512], [4, 4], [3, 1, 1]),
        shape([8, 513, 512], [4, 4], [3, 1, 1]),
        shape([4, 256, 256], [16, 16], [3, 1, 1]),
        shape([2, 64, 64], [64, 64], [3, 1, 1]),
        shape([2, 64, 128], [65, 65], [3, 2, 0]),
        shape([4, 256, 512], [17, 17], [3, 2, 0]),
        shape([4, 64, 128], [32, 32], [1, 1, 0]),
        shape([4, 3, 64], [64, 64], [1, 1, 0]),
        shape([4, 64, 3], [64, 64], [1, 1, 0]),
        shape([8, 2048, 512], [1, 1], [1, 1, 0]),
        shape([8, 512, 1], [1, 1], [1, 1, 0]),
    ];
    for s in cases {
        let x = sequence.take(s.x_len());
        let weight = sequence.take(s.weight_len());
        let g = sequence.take(s.y_len());
        for rt in runtimes() {
            let y = conv2d(&rt, &s, &x, &weight);
            let expected = dot(&y, &g);
            let by_x = dot(&x, &conv2d_input_gradient(&rt, &s, &g, &weight));
            let by_w = dot(&weight, &conv2d_weight_gradient(&rt, &s, &x, &g));
            let scale = norm(&y) * norm(&g);
            for value in [by_x, by_w] {
                assert!((value - expected).abs() <= 1e-6 * scale, "{s:?} on {rt:?}: {expected} and {value} of {scale}");
            }
        }
    }
}
