//! Networks of official size, whose weights follow from a formula.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use stylescope::model::{
    Generator, Noise, Placement,
    config::GeneratorConfig,
    state_dict::{HostTensor, StateDict},
};

use crate::{
    Worst,
    common::{Fixture, TOLERANCE, assert_close, assert_values_close, group, values},
    stylegan1, stylegan2,
};

/// `meta.procedure`: uniform numbers of variance `scale^2` around `offset`, hashed from name, seed and index.
fn generate(name: &str, seed: u64, len: usize, offset: f64, scale: f64) -> Vec<f32> {
    const SQRT_3: f64 = 1.732_050_807_568_877_2;
    let hash =
        name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let base = hash ^ seed;
    (0..len as u64)
        .map(|i| {
            let z = base.wrapping_add((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let u = ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1u32 << 24);
            (offset + scale * SQRT_3 * (2.0 * u - 1.0)) as f32
        })
        .collect()
}

/// `meta.rule` of the StyleGAN2 files: offset and scale of an array.
fn stylegan2_rule(name: &str) -> (f64, f64) {
    let mapping = name.starts_with("mapping.fc");
    match name.rsplit('.').next() {
        Some("weight") if mapping => (0.0, 100.0),
        Some("bias") if mapping => (0.0, 20.0),
        Some("bias") if name.ends_with(".affine.bias") => (1.0, 0.3),
        Some("bias") => (0.0, 0.3),
        Some("weight" | "const" | "noise_const") => (0.0, 1.0),
        Some("noise_strength") => (0.1, 0.3),
        Some("w_avg") => (0.0, 0.4),
        _ => panic!("no rule for {name}"),
    }
}

/// `meta.rule` of the StyleGAN file.
fn stylegan1_rule(name: &str) -> (f64, f64) {
    let mapping = name.starts_with("mapping.");
    match name.rsplit('.').next() {
        Some("weight") if mapping => (0.0, 100.0),
        Some("bias") if mapping => (0.0, 20.0),
        Some("weight") if name.ends_with(".apply_noise.weight") => (0.1, 0.3),
        Some("const") => (1.0, 0.5),
        Some("noise" | "weight") => (0.0, 1.0),
        Some("bias") => (0.0, 0.3),
        Some("w_avg") => (0.0, 0.4),
        _ => panic!("no rule for {name}"),
    }
}

/// All weights of a file, each checked against what the file says of it.
fn weights(fixture: &Fixture, rule: fn(&str) -> (f64, f64)) -> StateDict {
    let seed = fixture.meta["seed"].as_u64().expect("a seed");
    let tensors = fixture.meta["tensors"].as_object().expect("tensors");
    let weights: BTreeMap<_, _> = tensors
        .iter()
        .map(|(name, check)| {
            let shape: Vec<usize> = check["shape"]
                .as_array()
                .expect("a shape")
                .iter()
                .map(|n| n.as_u64().expect("a length") as usize)
                .collect();
            let (offset, scale) = rule(name);
            let data = generate(name, seed, shape.iter().product(), offset, scale);
            // As f32, because the JSON reader may miss the last bit of an f64.
            let first: Vec<f32> = check["first"]
                .as_array()
                .expect("values")
                .iter()
                .map(|v| v.as_f64().expect("a number") as f32)
                .collect();
            assert_eq!(data[..first.len()], first, "{name}");
            let sum: f64 = data.iter().map(|&v| f64::from(v)).sum();
            let size: f64 = data.iter().map(|&v| f64::from(v).abs()).sum();
            let expected = check["sum"].as_f64().expect("a sum");
            assert!((sum - expected).abs() <= 1e-9 * size, "{name}: sum {sum} instead of {expected}");
            (name.clone(), HostTensor { shape, data })
        })
        .collect();
    StateDict(weights)
}

/// `img_pool8` and the like: means over squares of `factor` pixels.
fn pool(image: Tensor<4>, factor: usize) -> Tensor<4> {
    let [batch, channels, height, width] = image.dims();
    image
        .reshape([batch * channels, height / factor, factor, width / factor, factor])
        .mean_dim(2)
        .mean_dim(4)
        .reshape([batch, channels, height / factor, width / factor])
}

/// The part of an image that an output of a fixture keeps.
fn part(image: Tensor<4>, kind: &str) -> Tensor<4> {
    let side = image.dims()[2];
    let crop = |start: usize, len: usize| image.clone().narrow(2, start, len).narrow(3, start, len);
    match kind {
        "img" => image,
        "img_corner" => crop(0, 32),
        "img_corner_br" => crop(side - 32, 32),
        "img_crop_c" => crop(side / 2 - 48, 96),
        other => match other.strip_prefix("img_pool").and_then(|factor| factor.parse().ok()) {
            Some(factor) => pool(image, factor),
            None => panic!("nobody knows the output {other}"),
        },
    }
}

/// What an output is an image of: psi, cutoff, and whether the stored noise is added.
type Pose = (f32, Option<usize>, bool);

/// `img_corner.psi0.7_layers8` to what it keeps and of which image; `psi0.7_none` is without noise.
fn output(name: &str) -> (&str, Pose) {
    let Some((kind, tag)) = name.split_once('.') else { return (name, (1.0, None, true)) };
    if let Some((psi, cutoff)) = stylegan1::truncation(tag) {
        return (kind, (psi, cutoff, true));
    }
    let psi = tag.strip_prefix("psi").and_then(|tag| tag.strip_suffix("_none")).and_then(|psi| psi.parse().ok());
    (kind, (psi.unwrap_or_else(|| panic!("{tag} is no truncation")), None, false))
}

fn run(fixture: &Fixture, config: GeneratorConfig, weights: StateDict) {
    let mut worst = Worst::default();
    let placement = Placement::cpu();
    let generator = Generator::from_state_dict(config, weights, &placement).expect("a generator");
    let ones = vec![1.0; generator.noise_shapes().len()];
    let w = generator.map(fixture.get("in.z").tensor(&placement.latent), None).expect("w");
    let mut images: Vec<(Pose, Tensor<4>)> = Vec::new();
    for name in fixture.names("out.") {
        let expected = fixture.get(&format!("out.{name}"));
        let what = format!("{} {name}", fixture.name());
        if name == "w" || name == "ws" {
            worst.add(assert_close(&what, w.clone(), expected, TOLERANCE));
            continue;
        }
        let (kind, pose) = output(&name);
        let image = match images.iter().find(|(made, _)| *made == pose) {
            Some((_, image)) => image.clone(),
            None => {
                let (psi, cutoff, noisy) = pose;
                let noise = if noisy { Noise::Const { strength: &ones } } else { Noise::None };
                let started = std::time::Instant::now();
                let styles = generator.affine(generator.truncate(w.clone(), psi, cutoff)).expect("styles");
                let mut state = generator.start(1);
                for index in 0..generator.num_blocks() {
                    state = generator.block(index, state, &styles, &noise).expect("a block");
                    let stats = &fixture.meta["layer_stats"][format!("b{}.conv1", 4 << index)];
                    if psi == 1.0 && stats.is_object() {
                        worst.add(statistics(&what, state.x(), stats));
                    }
                }
                let image = generator.finish(state).expect("an image");
                println!("{}: an image in {:.1} s", fixture.name(), started.elapsed().as_secs_f64());
                images.push((pose, image.clone()));
                image
            }
        };
        worst.add(assert_close(&what, part(image, kind), expected, TOLERANCE));
    }
    worst.report(&fixture.name());
}

/// Mean, mean and largest absolute value of a layer's output.
fn statistics(what: &str, x: Tensor<4>, expected: &serde_json::Value) -> f64 {
    let x = values(x);
    let len = x.len() as f64;
    let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / len;
    let absmean = x.iter().map(|&v| f64::from(v).abs()).sum::<f64>() / len;
    let absmax = x.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let expected = ["mean", "absmean", "absmax"].map(|field| expected[field].as_f64().expect("a number"));
    assert_values_close(what, &[mean as f32, absmean as f32, absmax], &expected, TOLERANCE)
}

#[test]
fn parity_procedural() {
    for path in group("procedural", "safetensors") {
        let fixture = Fixture::load(&path);
        match fixture.kind() {
            "procedural_generator" => {
                let config = GeneratorConfig::StyleGan2(stylegan2::config(&fixture.meta["init_kwargs"]));
                run(&fixture, config, weights(&fixture, stylegan2_rule));
            }
            "procedural_stylegan1" => {
                let config = GeneratorConfig::StyleGan1(stylegan1::official_config(&fixture.meta["init_kwargs"], 0.0));
                run(&fixture, config, weights(&fixture, stylegan1_rule));
            }
            "procedural_discriminator" => println!("{}: passed over, a discriminator", fixture.name()),
            other => panic!("{}: nobody knows the kind {other}", path.display()),
        }
    }
}
