//! Augmentation.

use std::collections::VecDeque;

use burn::tensor::Device;
use serde_json::Value;
use stylescope::{
    grad::{Var, gradients},
    training::ada::{AugmentConfig, AugmentDraws, AugmentPipe, filter_bank},
};

use crate::{
    Worst,
    common::{Fixture, TOLERANCE, assert_close, assert_values_close, group, software_vulkan, values},
};

/// What is drawn, in order: whether it must be normal, and the values.
#[derive(Default)]
struct Recorded(VecDeque<(bool, Vec<f32>)>);

impl Recorded {
    fn next(&mut self, normal: bool, count: usize) -> Vec<f32> {
        let (is_normal, values) = self.0.pop_front().expect("one more draw than the reference makes");
        assert_eq!((normal, count), (is_normal, values.len()), "another draw than the reference's");
        values
    }

    fn push(&mut self, normal: bool, value: f64, count: usize) {
        self.0.push_back((normal, vec![value as f32; count]));
    }
}

impl AugmentDraws for Recorded {
    fn uniforms(&mut self, count: usize) -> Vec<f32> {
        self.next(false, count)
    }

    fn normals(&mut self, count: usize) -> Vec<f32> {
        self.next(true, count)
    }
}

/// The configuration behind the keyword arguments of the reference's pipe.
fn config(kwargs: &Value) -> AugmentConfig {
    let mut fields = serde_json::to_value(AugmentConfig::none()).expect("JSON");
    for (name, weight) in kwargs.as_object().expect("keyword arguments") {
        assert!(fields.get(name).is_some(), "unknown transformation {name}");
        fields[name] = weight.clone();
    }
    serde_json::from_value(fields).expect("a configuration")
}

/// The inverse of the error function, by bisection.
fn erf_inverse(y: f64) -> f64 {
    let (mut low, mut high) = (-6.0, 6.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if libm::erf(middle) < y {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The draws of a case that forces everything to a percentile.
fn forced(fixture: &Fixture, case: &Value, percentile: f64, [batch, channels]: [usize; 2]) -> Recorded {
    let mut draws = Recorded::default();
    let normal = erf_inverse(2.0 * percentile - 1.0);
    let enabled = |name: &str| case["kwargs"].get(name).is_some();
    // Two values an image where it is a direction. The second rotation is forced to none, which is the middle.
    let order = [
        ("xflip", false, percentile, 1),
        ("rotate90", false, percentile, 1),
        ("xint", false, percentile, 2),
        ("scale", true, normal, 1),
        ("rotate", false, percentile, 1),
        ("aniso", true, normal, 1),
        ("rotate", false, 0.5, 1),
        ("xfrac", true, normal, 2),
        ("brightness", true, normal, 1),
        ("contrast", true, normal, 1),
        ("lumaflip", false, percentile, 1),
        ("hue", false, percentile, 1),
        ("saturation", true, normal, 1),
        ("imgfilter", true, normal, 1),
        ("imgfilter", true, normal, 1),
        ("imgfilter", true, normal, 1),
        ("imgfilter", true, normal, 1),
        ("noise", true, erf_inverse(percentile), 1),
    ];
    for (name, is_normal, value, count) in order {
        if enabled(name) && (channels == 3 || !matches!(name, "hue" | "saturation")) {
            draws.push(is_normal, value, batch * count);
            draws.push(false, 0.0, batch);
        }
    }
    if enabled("noise") {
        draws.0.push_back((true, fixture.get(case["noise"].as_str().expect("noise")).f32()));
    }
    if enabled("cutout") {
        draws.push(false, 0.0, batch);
        draws.push(false, percentile, 2 * batch);
    }
    draws
}

/// The draws of a case that was really random.
fn recorded(fixture: &Fixture, case: &Value) -> Recorded {
    let draws = case["draws"].as_array().expect("draws").iter().enumerate().map(|(index, draw)| {
        let array = fixture.get(&format!("in.draw.{}.{index:02}", case["i"]));
        let normal = match draw[0].as_str() {
            Some("rand") => false,
            Some("randn") => true,
            other => panic!("unknown draw {other:?}"),
        };
        (normal, array.f32())
    });
    Recorded(draws.collect())
}

fn run_pipe(fixture: &Fixture) {
    let mut worst = Worst::default();
    let bank: Vec<f32> = filter_bank().iter().flatten().map(|&tap| tap as f32).collect();
    worst.add(assert_values_close("filter bank", &bank, &fixture.get("buf.Hz_fbank").values, 1e-7));
    // The geometry's filter is inside of the pipe and shows in every case.
    assert_eq!(fixture.get("buf.Hz_geom").shape, [12]);
    for case in fixture.meta["cases"].as_array().expect("cases") {
        let what = format!("{} case {}, {}", fixture.name(), case["i"], case["kwargs"]);
        let images = fixture.get(case["input"].as_str().expect("an input")).tensor::<4>(&Device::flex());
        let [batch, channels, ..] = images.dims();
        let mut draws = match case["debug_percentile"].as_f64() {
            Some(percentile) => forced(fixture, case, percentile, [batch, channels]),
            None => recorded(fixture, case),
        };
        let pipe = AugmentPipe { config: config(&case["kwargs"]) };
        let p = case["p"].as_f64().expect("p") as f32;
        let augmented = pipe.apply(&Var::constant(images), p, &mut draws);
        assert!(draws.0.is_empty(), "{what}: {} draws are left", draws.0.len());
        let expected = fixture.get(&format!("out.{}", case["i"]));
        worst.add(assert_close(&what, augmented.value().clone(), expected, TOLERANCE));
    }
    fixture.assert_all_used("", |_| false);
    worst.report(&fixture.name());
}

#[test]
fn parity_ada() {
    for path in group("ada", "safetensors") {
        let fixture = Fixture::load(&path);
        match fixture.kind() {
            "ada_augment" => run_pipe(&fixture),
            other => panic!("{}: kind {other} is not known", path.display()),
        }
    }
}

/// Gathering, scattering and filters on another device, forward and backward.
#[test]
#[ignore = "takes minutes on a software driver"]
fn parity_ada_software_vulkan() {
    let Some(vulkan) = software_vulkan() else { return };
    for path in group("ada", "safetensors") {
        let fixture = Fixture::load(&path);
        let mut worst = Worst::default();
        let random = |case: &&Value| case["draws"].is_array() && case["p"].as_f64() > Some(0.0);
        for case in fixture.meta["cases"].as_array().expect("cases").iter().filter(random) {
            let what = format!("{} case {}", fixture.name(), case["i"]);
            let expected = fixture.get(&format!("out.{}", case["i"]));
            let pipe = AugmentPipe { config: config(&case["kwargs"]) };
            let [on_cpu, on_vulkan] = [&Device::flex(), &vulkan].map(|device| {
                let images = Var::parameter(fixture.get(case["input"].as_str().expect("an input")).tensor::<4>(device));
                let p = case["p"].as_f64().expect("p") as f32;
                let augmented = pipe.apply(&images, p, &mut recorded(&fixture, case));
                worst.add(assert_close(&what, augmented.value().clone(), expected, TOLERANCE));
                let seed = Var::constant(expected.tensor::<4>(device));
                let gradient = gradients(&augmented, &seed, &[&images], false).remove(0).expect("a gradient");
                values(gradient.value().clone())
            });
            let on_cpu: Vec<f64> = on_cpu.into_iter().map(f64::from).collect();
            worst.add(assert_values_close(&format!("{what}, gradient"), &on_vulkan, &on_cpu, TOLERANCE));
        }
        worst.report(&format!("{} on software Vulkan", fixture.name()));
    }
}
