//! What the tests of this folder share.

use burn::tensor::{Device, Tensor, TensorData};

use crate::base::numpy_rng::RandomState;

/// Reproducible normal numbers.
pub fn noise<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let values: Vec<f32> =
        RandomState::new(seed).randn(shape.iter().product()).into_iter().map(|value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values on the host.
pub fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as::<f32>().expect("readable")
}

/// Asserts `max |a - b| <= tolerance * max(1, max |b|)`.
pub fn assert_same<const D: usize>(a: Tensor<D>, b: Tensor<D>, tolerance: f32) {
    assert_eq!(a.dims(), b.dims(), "shapes");
    let (a, b) = (values(a), values(b));
    let scale = b.iter().fold(1.0f32, |max, v| max.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "at {i}: {a} and {b}, scale {scale}");
    }
}

/// Asserts that the gradient of `loss` at `x` is the central difference quotient, up to `tolerance * max(1, max |g|)`.
/// The step is 1e-2: what `loss` is made of must have no kink that near, and f32 leaves about four digits.
pub fn assert_gradient<const D: usize>(x: Tensor<D>, tolerance: f32, loss: impl Fn(Tensor<D>) -> Tensor<1>) {
    const STEP: f32 = 1e-2;
    let (shape, device) = (x.dims(), x.device());
    let start = values(x);
    let at = |values: Vec<f32>| Tensor::<D>::from_data(TensorData::new(values, shape), &device);
    let leaf = at(start.clone()).require_grad();
    let gradients = loss(leaf.clone()).backward();
    let gradient = values(leaf.grad(&gradients).expect("the loss depends on x"));
    let quotient: Vec<f32> = (0..start.len())
        .map(|i| {
            let moved = |step: f32| {
                let mut point = start.clone();
                point[i] += step;
                values(loss(at(point)))[0]
            };
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        })
        .collect();
    let scale = gradient.iter().fold(1.0f32, |max, g| max.max(g.abs()));
    for (i, (g, q)) in gradient.iter().zip(&quotient).enumerate() {
        assert!((g - q).abs() <= tolerance * scale, "at {i}: gradient {g}, quotient {q}, scale {scale}");
    }
    assert!(gradient.iter().any(|g| g.abs() > 1e-3), "a gradient of zeros proves nothing");
}
