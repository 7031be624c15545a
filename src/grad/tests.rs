//! Every operation against finite differences, once and twice.

use burn::tensor::{Device, Tensor};

use super::*;
use crate::ops::{
    UpFirDn,
    testing::{noise, values},
};

fn var(dims: Dims, seed: u32) -> Var {
    Var::parameter(noise(dims, seed, &Device::flex()))
}

fn number(var: &Var) -> f64 {
    f64::from(var.value().clone().sum().into_scalar::<f32>())
}

/// The directional derivative of `f` along `direction` against the difference quotient.
fn assert_derivative(what: &str, x: &Var, f: &dyn Fn(&Var) -> Var, tolerance: f64) {
    let device = x.device();
    let direction = noise(x.dims(), 99, &device);
    let y = f(x);
    let gradient = gradients(&y, &Var::scalar(1.0, &device), &[x], true).remove(0).expect("a gradient");
    let along = number(&Var::constant(gradient.value().clone().mul(direction.clone())));
    let step = 1e-2;
    let at = |t: f32| number(&f(&Var::parameter(x.value().clone().add(direction.clone().mul_scalar(t)))));
    let quotient = (at(step) - at(-step)) / (2.0 * f64::from(step));
    let scale = quotient.abs().max(1.0);
    assert!((along - quotient).abs() <= tolerance * scale, "{what}: {along} where the quotient is {quotient}");
}

/// First and second derivatives of `f` by its only operand.
pub(crate) fn check(what: &str, x: Var, f: impl Fn(&Var) -> Var) {
    let goal = Var::constant(noise(f(&x).dims(), 7, &x.device()));
    // Twice the product, so that the first derivative depends on x whatever f is.
    let loss = |x: &Var| {
        let y = f(x);
        y.mul(&goal).sum().add(&y.square().scale(0.5).sum())
    };
    assert_derivative(what, &x, &loss, 2e-2);
    let probe = Var::constant(noise(x.dims(), 8, &x.device()));
    let slope = |x: &Var| {
        let y = loss(x);
        let gradient = gradients(&y, &Var::scalar(1.0, &x.device()), &[x], true).remove(0).expect("a gradient");
        gradient.mul(&probe).sum()
    };
    assert_derivative(&format!("{what}, twice"), &x, &slope, 2e-2);
}

#[test]
fn pointwise_operations() {
    let other = Var::constant(noise([2, 3, 1, 1], 2, &Device::flex()));
    check("add", var([2, 3, 4, 5], 1), |x| x.add(&other));
    check("add, smaller", var([1, 3, 1, 1], 1), |x| other.add(x));
    check("sub", var([2, 1, 4, 1], 1), |x| other.sub(x));
    check("mul", var([2, 3, 4, 5], 1), |x| x.mul(&other));
    check("mul, smaller", var([1, 3, 1, 4], 1), |x| x.mul(&other).mul(x));
    check("mul_fit", var([2, 3, 4, 1], 1), |x| x.mul_fit(&other, [1, 3, 1, 6]));
    check("fit", var([2, 1, 4, 5], 1), |x| x.fit([2, 3, 1, 5]));
    check("affine", var([2, 3, 4, 5], 1), |x| x.affine(-1.5, 0.5));
    for exponent in [0.5, -0.5, 2.0, -1.0, -1.5, 1.7] {
        check("power", var([2, 3, 2, 2], 1), |x| x.square().affine(0.5, 2.0).power(exponent));
    }
    check("softplus", var([2, 3, 2, 2], 1), Var::softplus);
    check("sigmoid", var([2, 3, 2, 2], 1), Var::sigmoid);
}

#[test]
fn changes_of_shape() {
    check("reshape", var([2, 3, 4, 5], 1), |x| x.reshape([6, 1, 5, 4]));
    check("swap", var([2, 3, 4, 5], 1), |x| x.swap());
    check("narrow", var([2, 3, 4, 5], 1), |x| x.narrow(2, 1, 2));
    check("embed", var([2, 3, 4, 5], 1), |x| x.embed(1, 2, 7));
    check("cat", var([2, 3, 4, 5], 1), |x| Var::cat(&[x.square(), x.clone(), x.narrow(1, 0, 1)], 1));
}

#[test]
fn entries_by_number() {
    check("take", var([2, 3, 4, 5], 1), |x| x.take(3, &[4, 0, 0, 2, 0]));
    check("take, all axes", var([2, 3, 4, 5], 1), |x| x.take(0, &[1, 1, 0]).take(1, &[2]).take(2, &[3, 1, 3]));
    check("reflect_pad", var([2, 3, 4, 5], 1), |x| x.reflect_pad([4, 2, 0, 3]));
    check("reflect_pad, wider than the image", var([2, 2, 3, 1], 1), |x| x.reflect_pad([2, 1, 7, 9]));
    let row = Var::constant(Tensor::<4>::from_data([[[[1.0, 2.0, 3.0]]]], &Device::flex()));
    let padded = row.reflect_pad([2, 5, 0, 0]);
    assert_eq!(values(padded.value().clone()), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
}

#[test]
fn convolutions() {
    let weight = |kernel| Var::constant(noise([4, 3, kernel, kernel], 3, &Device::flex()));
    for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 1), (4, 2, 1)] {
        let what = format!("k {kernel}, stride {stride}, padding {padding}");
        check(&what, var([2, 3, 7, 6], 1), |x| x.conv2d(&weight(kernel), stride, padding));
        let x = Var::constant(noise([2, 3, 7, 6], 1, &Device::flex()));
        check(&what, var([4, 3, kernel, kernel], 2), |weight| x.conv2d(weight, stride, padding));
        let y = x.conv2d(&weight(kernel), stride, padding).detach();
        check(&what, Var::parameter(y.value().clone()), |y| {
            y.conv_transpose2d(&weight(kernel), stride, padding, [7, 6])
        });
        check(&what, var([4, 3, kernel, kernel], 2), |weight| y.conv_transpose2d(weight, stride, padding, [7, 6]));
        // Both operands at once.
        check(&what, var([3, 3, kernel, kernel], 5), |weight| {
            x.conv2d(weight, stride, padding).conv2d(&weight.scale(0.5), 1, kernel / 2)
        });
    }
}

#[test]
fn filters() {
    let device = Device::flex();
    for options in [
        UpFirDn { pad: [1; 4], gain: 4.0, ..Default::default() },
        UpFirDn { up: 2, pad: [2, 1, 2, 1], gain: 4.0, ..Default::default() },
        UpFirDn { down: 2, pad: [1; 4], ..Default::default() },
        UpFirDn { up: 2, down: 3, pad: [3, 4, -1, 5], flip_filter: true, gain: 2.5 },
        UpFirDn { pad: [-1, 2, 3, -2], ..Default::default() },
    ] {
        let fir = Fir::new(&[0.3, -0.2, 0.5, 0.9], options, &device);
        check(&format!("{options:?}"), var([2, 2, 7, 6], 1), |x| x.fir(&fir));
    }
}

#[test]
fn activations() {
    // Away from kinks.
    let x = noise([2, 3, 4, 5], 1, &Device::flex());
    let away = x.clone().sign().mul_scalar(0.1).add(x);
    let bias = Var::constant(Tensor::zeros([1, 3, 1, 1], &Device::flex()));
    for act in [Act::LEAKY_RELU, Act::LINEAR, Act { slope: 0.2, gain: 0.7, clamp: Some(50.0) }] {
        check("bias_act", Var::parameter(away.clone()), |x| x.bias_act(Some(&bias), act));
    }
    let x = Var::constant(away.add_scalar(5.0));
    check("bias", var([1, 3, 1, 1], 4), |bias| x.bias_act(Some(bias), Act::LEAKY_RELU));
    let clamped = Var::parameter(Tensor::<4>::from_data([[[[-3.0, -0.5, 0.5, 3.0]]]], &Device::flex()));
    let y = clamped.bias_act(None, Act { slope: 0.2, gain: 1.0, clamp: Some(0.55) });
    let gradient = gradients(&y.sum(), &Var::scalar(1.0, &y.device()), &[&clamped], false).remove(0).expect("one");
    assert_eq!(gradient.value().clone().into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.2, 1.0, 0.0]);
}

#[test]
fn warps() {
    let maps = [[[0.8, -0.3, 0.2], [0.4, 0.9, -0.1]], [[-1.2, 0.0, 0.0], [0.1, 0.7, 0.3]]];
    check("warp", var([2, 3, 6, 5], 1), |x| x.warp(&maps, [4, 7]));
    // The identity changes nothing.
    let x = var([1, 2, 6, 5], 1);
    let same = x.warp(&[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], [6, 5]);
    crate::ops::testing::assert_same(same.value().clone(), x.value().clone(), 1e-6);
}

#[test]
fn only_what_leads_to_the_targets_is_walked() {
    let (x, weight) = (var([1, 2, 4, 4], 1), var([2, 2, 3, 3], 2));
    let y = x.conv2d(&weight, 1, 1).sum();
    let one = Var::scalar(1.0, &y.device());
    let unrelated = var([1, 1, 1, 1], 3);
    let found = gradients(&y, &one, &[&x, &unrelated], true);
    assert!(found[0].is_some() && found[1].is_none());
    // Constants of the second walk: without a graph nothing is tracked.
    assert!(!gradients(&y, &one, &[&x], false)[0].as_ref().expect("one").is_tracked());
    assert!(found[0].as_ref().expect("one").is_tracked());
    assert!(!no_graph(|| x.square()).is_tracked());
}

/// The kernels against the tensor operations that stand in for them on other devices.
#[test]
fn kernels_agree_with_their_twins() {
    use super::primitive::{self, reference};
    use crate::ops::testing::assert_same;
    let device = Device::flex();
    let (x, y) = (noise([3, 4, 7, 6], 1, &device), noise([3, 4, 7, 6], 2, &device));
    let (each, channel) = (noise([3, 4, 1, 1], 3, &device), noise([1, 4, 1, 1], 4, &device));
    for small in [&y, &each, &channel] {
        assert_same(primitive::add(&x, small), reference::add(&x, small), 1e-6);
        assert_same(primitive::sub(&x, small), reference::sub(&x, small), 1e-6);
        for to in [[3, 4, 7, 6], [3, 4, 1, 1], [1, 4, 1, 1], [1, 1, 7, 6], [1; 4]] {
            assert_same(primitive::mul_fit(&x, small, to), reference::mul_fit(&x, small, to), 1e-5);
        }
    }
    for to in [[3, 4, 1, 1], [1, 4, 1, 1], [3, 1, 7, 6], [1; 4]] {
        assert_same(primitive::fit(&x, to), reference::fit(&x, to), 1e-5);
    }
    assert_same(primitive::fit(&each, [3, 4, 7, 6]), reference::fit(&each, [3, 4, 7, 6]), 0.0);
    assert_same(primitive::affine(&x, -0.5, 2.0), reference::affine(&x, -0.5, 2.0), 1e-6);
    for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 0), (4, 2, 1)] {
        let weight = noise([5, 4, kernel, kernel], 5, &device);
        let result = primitive::conv2d(&x, &weight, stride, padding);
        assert_same(result.clone(), reference::conv2d(&x, &weight, stride, padding), 1e-5);
        assert_same(
            primitive::conv2d_input_gradient(&result, &weight, stride, padding, [7, 6]),
            reference::conv2d_input_gradient(&result, &weight, stride, padding, [7, 6]),
            1e-5,
        );
        assert_same(
            primitive::conv2d_weight_gradient(&x, &result, stride, padding, kernel),
            reference::conv2d_weight_gradient(&x, &result, stride, padding, kernel),
            1e-5,
        );
    }
    let options = UpFirDn { up: 2, pad: [2, 1, 2, 1], gain: 4.0, ..Default::default() };
    let fir = Fir::new(&[1.0, 3.0, 3.0, 1.0], options, &device);
    assert_same(primitive::upfirdn2d(&x, &fir), reference::upfirdn2d(&x, &fir), 1e-5);
    for act in [Act::LEAKY_RELU, Act { slope: 0.2, gain: 1.3, clamp: Some(0.4) }] {
        let result = primitive::bias_act(&x, Some(&channel), act);
        assert_same(result.clone(), reference::bias_act(&x, Some(&channel), act), 1e-6);
        assert_same(primitive::act_gradient(&y, &result, act), reference::act_gradient(&y, &result, act), 1e-6);
    }
}

#[test]
fn a_graph_is_built_even_in_the_middle_of_work_without_one() {
    let x = var([1, 1, 1, 1], 1);
    let tracked = || x.scale(2.0).is_tracked();
    assert!(tracked() && !no_graph(tracked) && no_graph(|| with_graph(tracked)));
    no_graph(|| {
        with_graph(|| ());
        assert!(!tracked());
    });
}
