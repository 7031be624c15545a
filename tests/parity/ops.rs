//! Single operations.

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use stylescope::ops::{
    Activation, Filter, LayerNoise, Resize, SynthesisLayer, UpFirDn, bias_act, bias_act_reference, conv2d_resample,
    downsample2d, filter2d, minibatch_stddev, normalize_second_moment, synthesis_layer, synthesis_layer_reference,
    upfirdn2d, upsample2d,
};

use crate::{
    Worst,
    common::{Fixture, assert_close},
};

/// Single operations round less than whole networks.
const TOLERANCE: f64 = 1e-5;

pub fn run(fixture: &Fixture, device: &Device) {
    let mut worst = Worst::default();
    let cases = fixture.meta["cases"].as_array().expect("cases");
    for case in cases {
        let what = format!("{} case {}", fixture.name(), case["i"]);
        let expected = fixture.get(&format!("out.{}", case["i"]));
        match case["op"].as_str().expect("an op") {
            "normalize_2nd_moment" => {
                let x = fixture.get(case["x"].as_str().expect("x")).tensor::<2>(device);
                worst.add(assert_close(&what, normalize_second_moment(x), expected, TOLERANCE));
            }
            op => {
                for y in image_op(fixture, op, case, device) {
                    worst.add(assert_close(&format!("{what}, {op}"), y, expected, TOLERANCE));
                }
            }
        }
    }
    fixture.assert_all_used("out.", |_| false);
    worst.report(&fixture.name());
}

/// The case by every implementation that there is.
fn image_op(fixture: &Fixture, op: &str, case: &Value, device: &Device) -> Vec<Tensor<4>> {
    let number = |field: &str| case[field].as_f64().unwrap_or_else(|| panic!("{op} without {field}"));
    let count = |field: &str| case[field].as_u64().unwrap_or_else(|| panic!("{op} without {field}")) as usize;
    let tensor = |field: &str| fixture.get(case[field].as_str().unwrap_or("in.x")).tensor::<4>(device);
    let filters = || filters(fixture, case["filter"].as_str().expect("a filter"), device);
    match op {
        "upfirdn2d" => {
            let pad: Vec<isize> = case["padding_x0x1y0y1"]
                .as_array()
                .expect("padding")
                .iter()
                .map(|p| p.as_i64().expect("an integer") as isize)
                .collect();
            let options = UpFirDn {
                up: count("up"),
                down: count("down"),
                pad: pad.try_into().expect("four sides"),
                flip_filter: case["flip_filter"].as_bool().expect("flip_filter"),
                gain: number("gain"),
            };
            filters().iter().map(|filter| upfirdn2d(tensor("x"), filter, options)).collect()
        }
        "upsample2d" => filters().iter().map(|filter| upsample2d(tensor("x"), filter)).collect(),
        "downsample2d" => filters().iter().map(|filter| downsample2d(tensor("x"), filter)).collect(),
        "filter2d" => filters().iter().map(|filter| filter2d(tensor("x"), filter)).collect(),
        "conv2d_resample" => {
            let resize = match (count("up"), count("down")) {
                (1, 1) => Resize::Keep,
                (2, 1) => Resize::Up,
                (1, 2) => Resize::Down,
                other => panic!("resampling by {other:?}"),
            };
            filters().iter().map(|filter| conv2d_resample(tensor("x"), tensor("w"), filter, resize)).collect()
        }
        "bias_act" => {
            let act = activation(case["act"].as_str().expect("act"));
            let gain = case["gain"].as_f64().unwrap_or(act.default_gain());
            let clamp = case["clamp"].as_f64();
            let bias = || Some(fixture.get(case["b"].as_str().expect("b")).tensor::<1>(device));
            vec![
                bias_act(tensor("x"), bias(), act, gain, clamp),
                bias_act_reference(tensor("x"), bias(), act, gain, clamp),
            ]
        }
        "modulated_conv2d" => {
            let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], device);
            let layer = || SynthesisLayer {
                x: tensor("x"),
                weight: tensor("w"),
                style: fixture.get(case["styles"].as_str().expect("styles")).tensor::<2>(device),
                up: (count("up") == 2).then_some(&filter),
                demodulate: case["demodulate"].as_bool().expect("demodulate"),
                noise: Some(LayerNoise { map: tensor("noise"), strength: Tensor::ones([1], device), multiplier: 1.0 }),
                bias: None,
                activation: Activation::Linear,
                gain: 1.0,
                clamp: None,
            };
            vec![synthesis_layer(layer()), synthesis_layer_reference(layer())]
        }
        "minibatch_std" => {
            let group = case["group_size"].as_u64().map(|size| size as usize);
            vec![minibatch_stddev(tensor("x"), group, count("num_channels"))]
        }
        other => panic!("nobody knows the operation {other}"),
    }
}

/// The filter of the file and, for what is separable, the separable form of it.
fn filters(fixture: &Fixture, name: &str, device: &Device) -> Vec<Filter> {
    let array = fixture.get(&format!("op.filter.{name}"));
    match array.shape[..] {
        [_] => vec![Filter::separable(&array.f32(), device)],
        [height, _] => {
            let mut filters = vec![Filter::full(&array.f32(), height, device)];
            match name {
                "f1331" => filters.push(Filter::separable(&[1.0, 3.0, 3.0, 1.0], device)),
                "f121" => filters.push(Filter::separable(&[1.0, 2.0, 1.0], device)),
                "f11" => filters.push(Filter::separable(&[1.0, 1.0], device)),
                _ => {}
            }
            filters
        }
        _ => panic!("a filter of shape {:?}", array.shape),
    }
}

fn activation(name: &str) -> Activation {
    match name {
        "linear" => Activation::Linear,
        "relu" => Activation::Relu,
        "lrelu" => Activation::LeakyRelu,
        "tanh" => Activation::Tanh,
        "sigmoid" => Activation::Sigmoid,
        "elu" => Activation::Elu,
        "selu" => Activation::Selu,
        "softplus" => Activation::Softplus,
        "swish" => Activation::Swish,
        other => panic!("nobody knows the activation {other}"),
    }
}
