//! StyleGAN generators, official and community arithmetic.

use burn::tensor::Tensor;
use serde_json::Value;
use stylescope::model::{
    Generator, Noise, NoiseInput, Placement,
    config::{ChannelTable, GeneratorConfig, MappingConfig, StyleGan1Config, StyleGan1Variant, resolutions},
    state_dict::{HostTensor, StateDict},
};

use crate::{
    Worst,
    common::{Fixture, TOLERANCE, assert_close, assert_values_close, group, values},
    stylegan2::assert_known,
};

/// The configuration behind the keyword arguments of the reference's generator.
pub fn official_config(kwargs: &Value, lod: f32) -> StyleGan1Config {
    let count = |field: &str, default: usize| kwargs[field].as_u64().map_or(default, |value| value as usize);
    let known = ["resolution", "z_space_dim", "w_space_dim", "mapping_fmaps", "mapping_layers", "mapping_lr_mul"];
    let known = [&known[..], &["label_size", "fmaps_base", "fmaps_max", "image_channels", "repeat_w"]].concat();
    assert_known(kwargs, &known);
    let resolution = count("resolution", 0);
    StyleGan1Config {
        variant: StyleGan1Variant::Official,
        z_dim: count("z_space_dim", 512),
        label_dim: count("label_size", 0),
        w_dim: count("w_space_dim", 512),
        resolution,
        img_channels: count("image_channels", 3),
        mapping: MappingConfig {
            num_layers: count("mapping_layers", 8),
            hidden_dim: count("mapping_fmaps", 512),
            lr_multiplier: kwargs["mapping_lr_mul"].as_f64().unwrap_or(0.01),
            w_avg_beta: 0.995,
            label_normalization: Default::default(),
        },
        channels: ChannelTable::from_base(count("fmaps_base", 16384), count("fmaps_max", 512), resolution),
        fused_from: 128,
        lod,
        features: Default::default(),
    }
}

/// `psi0.7_layers8` to psi and cutoff; `None` for other tags.
pub fn truncation(tag: &str) -> Option<(f32, Option<usize>)> {
    let (psi, layers) = tag.strip_prefix("psi")?.split_once("_layers")?;
    Some((psi.parse().ok()?, Some(layers.parse().ok()?)))
}

fn official(fixture: &Fixture, placement: &Placement) {
    let mut worst = Worst::default();
    let kwargs = &fixture.meta["G_kwargs"];
    let weights = fixture.weights("params.G.");
    let build = |lod| {
        let config = GeneratorConfig::StyleGan1(official_config(kwargs, lod));
        Generator::from_state_dict(config, weights.clone(), placement).expect("a generator")
    };
    let generator = build(0.0);
    let ones = vec![1.0; generator.noise_shapes().len()];
    let noise = Noise::Const { strength: &ones };
    let mut compare = |name: &str, got: Tensor<4>| {
        let expected = fixture.get(name);
        let got = got.narrow(0, 0, expected.shape[0]);
        worst.add(assert_close(&format!("{} {name}", fixture.name()), got, expected, TOLERANCE));
    };
    let image = |generator: &Generator, ws: Tensor<3>| {
        let styles = generator.affine(ws).expect("styles");
        generator.synthesize(&styles, &noise).expect("an image")
    };
    let label = fixture.try_get("in.label").map(|label| label.tensor(&placement.latent));
    let w = generator.map(fixture.get("in.z").tensor(&placement.latent), label).expect("w");
    assert_close("out.w", w.clone(), fixture.get("out.w"), TOLERANCE);
    let ws = generator.truncate(w.clone(), 1.0, None);
    let styles = generator.affine(ws.clone()).expect("styles");
    for (layer, style) in styles.0.iter().enumerate() {
        assert_close("a style", style.clone(), fixture.get(&format!("out.style{layer:02}")), TOLERANCE);
    }
    for tag in fixture.names("out.img.") {
        let name = format!("out.img.{tag}");
        let got = if let Some(lod) = tag.strip_prefix("lod") {
            image(&build(lod.parse().expect("a level of detail")), ws.clone())
        } else if let Some((psi, cutoff)) = truncation(&tag) {
            let ws = generator.truncate(w.clone(), psi, cutoff);
            assert_close("out.wp", ws.clone(), fixture.get(&format!("out.wp.{tag}")), TOLERANCE);
            image(&generator, ws)
        } else if tag == "wp" {
            image(&generator, fixture.get("in.wp").tensor(&placement.latent))
        } else {
            panic!("nobody knows the image {tag}");
        };
        compare(&name, got);
    }
    fixture.assert_all_used("out.", |name| name.starts_with("out.logits"));

    let stored = generator.state_dict().expect("weights");
    assert_eq!(stored.0.len(), weights.0.len());
    for (name, tensor) in &weights.0 {
        assert_eq!(stored.0.get(name), Some(tensor), "{name}");
    }
    // Block by block.
    let state = (0..generator.num_blocks())
        .try_fold(generator.start(w.dims()[0]), |state, i| generator.block(i, state, &styles, &noise))
        .expect("blocks");
    assert_eq!(values(generator.finish(state).expect("an image")), values(image(&generator, ws)));
    worst.report(&fixture.name());
}

/// The community port's generator, read from the shapes of its weights.
struct Community {
    config: StyleGan1Config,
    weights: StateDict,
}

impl Community {
    fn new(fixture: &Fixture) -> Self {
        let mut weights = fixture.weights("params.generator.");
        let mean = fixture.get("in.mean_style");
        weights.0.insert("w_avg".into(), HostTensor { shape: vec![mean.values.len()], data: mean.f32() });
        let channels = resolutions(1024)
            .enumerate()
            .map_while(|(i, r)| Some((r, weights.0.get(&format!("generator.to_rgb.{i}.conv.weight_orig"))?.shape[1])))
            .collect();
        let [code_dim, num_layers] =
            ["code_dim", "n_mlp"].map(|field| fixture.meta[field].as_u64().expect("a number") as usize);
        let config = StyleGan1Config {
            variant: StyleGan1Variant::Community,
            z_dim: code_dim,
            label_dim: 0,
            w_dim: code_dim,
            resolution: 4,
            img_channels: 3,
            mapping: MappingConfig {
                num_layers,
                hidden_dim: code_dim,
                lr_multiplier: 1.0,
                w_avg_beta: 0.995,
                label_normalization: Default::default(),
            },
            channels: ChannelTable(channels),
            fused_from: 128,
            lod: 0.0,
            features: Default::default(),
        };
        Self { config, weights }
    }

    fn build(&self, resolution: usize, lod: f32, placement: &Placement) -> Generator {
        let config = StyleGan1Config { resolution, lod, ..self.config.clone() };
        Generator::from_state_dict(GeneratorConfig::StyleGan1(config), self.weights.clone(), placement)
            .expect("a generator")
    }
}

/// `step3_alpha0.35` to the step and the level of detail of a network that ends there.
fn step(tag: &str) -> Option<(usize, f32)> {
    let (step, alpha) = tag.strip_prefix("step")?.split_once("_alpha")?;
    let alpha: f32 = alpha.parse().ok()?;
    // -1 stands for no blending.
    Some((step.parse().ok()?, if alpha < 0.0 { 0.0 } else { 1.0 - alpha }))
}

/// `ws` of two latents: those of the second where `of_second` says so by block.
fn mix(first: &Tensor<3>, second: &Tensor<3>, of_second: impl Fn(usize) -> bool) -> Tensor<3> {
    let rows = (0..first.dims()[1])
        .map(|ws| if of_second(ws / 2) { second } else { first }.clone().narrow(1, ws, 1))
        .collect();
    Tensor::cat(rows, 1)
}

fn community(fixture: &Fixture, placement: &Placement) {
    let mut worst = Worst::default();
    let network = Community::new(fixture);
    let maps: Vec<Tensor<4>> = (0..fixture.names("in.noise.").len())
        .map(|i| fixture.get(&format!("in.noise.{i}")).tensor(&placement.synthesis))
        .collect();
    let image = |generator: &Generator, ws: Tensor<3>| {
        let batch = ws.dims()[0];
        let count = generator.noise_shapes().len();
        let mut maps: Vec<Tensor<4>> = maps.iter().take(count).map(|map| map.clone().narrow(0, 0, batch)).collect();
        // Blocks that do not run still want a map of their shape.
        for &[height, width] in &generator.noise_shapes()[maps.len()..] {
            maps.push(Tensor::zeros([1, 1, height, width], &placement.synthesis));
        }
        let noise = NoiseInput { maps, strength: vec![1.0; count] };
        let styles = generator.affine(ws).expect("styles");
        generator.synthesize(&styles, &Noise::Maps(&noise)).expect("an image")
    };
    for tag in fixture.names("out.img.") {
        let name = format!("out.img.{tag}");
        let expected = fixture.get(&name);
        let (step, lod) = step(&tag).unwrap_or((5, 0.0));
        let side = 4 << step;
        let generator = network.build(side, lod, placement);
        let w = |input: &str| {
            let z = fixture.get(input).tensor::<2>(&placement.latent).narrow(0, 0, expected.shape[0]);
            generator.map(z, None).expect("w")
        };
        let ws = |input: &str, psi: f32| generator.truncate(w(input), psi, None);
        let ws = match tag.as_str() {
            "mix_range0_1" => mix(&ws("in.z", 1.0), &ws("in.z2", 1.0), |block| block <= 1),
            "mix_inject1" => mix(&ws("in.z", 1.0), &ws("in.z2", 1.0), |block| block > 1),
            "trunc0.7" => ws("in.z", 0.7),
            tag if tag.starts_with("step") => ws("in.z", 1.0),
            other => panic!("nobody knows the image {other}"),
        };
        let what = format!("{} {name}", fixture.name());
        worst.add(assert_close(&what, image(&generator, ws.clone()), expected, TOLERANCE));
        // The same in a network that goes on to twice the size, but was saved one level of detail earlier.
        if step <= 3 {
            let larger = network.build(2 * side, lod + 1.0, placement);
            let repeat = Tensor::cat(vec![ws.clone(), ws.narrow(1, 0, 2)], 1);
            let [batch, channels, _, _] = expected.shape[..] else { panic!("an image") };
            let got = image(&larger, repeat).reshape([batch * channels, side, 2, side, 2]);
            let got = got.narrow(2, 1, 1).narrow(4, 1, 1).reshape([batch, channels, side, side]);
            worst.add(assert_close(&format!("{what}, larger network"), got, expected, TOLERANCE));
        }
    }
    worst.report(&fixture.name());
}

fn each(group_name: &str, kind: &str, run: impl Fn(&Fixture)) {
    let files = group(group_name, "safetensors");
    assert!(!files.is_empty(), "no files in {group_name}");
    for path in files {
        let fixture = Fixture::load(&path);
        assert_eq!(fixture.kind(), kind, "{}: nobody knows this kind", path.display());
        run(&fixture);
    }
}

#[test]
fn parity_stylegan1_official() {
    each("sg1_official_port", "stylegan1_official_port", |fixture| official(fixture, &Placement::cpu()));
}

#[test]
fn parity_stylegan1_community() {
    each("sg1_rosinality", "rosinality_stylegan1", |fixture| {
        let placement = Placement::cpu();
        community(fixture, &placement);
        let network = Community::new(fixture);
        let generator = network.build(1024, 0.0, &placement);
        let z = fixture.get("in.z").tensor(&placement.latent);
        let w = values(generator.map(z, None).expect("w"));
        assert_values_close("out.w", &w, &fixture.get("out.w").values, TOLERANCE);
        fixture.assert_all_used("out.", |name| name.starts_with("out.logits"));
        // Bit for bit, all blocks of the file.
        let stored = generator.state_dict().expect("weights");
        assert_eq!(stored.0.len(), network.weights.0.len());
        for (name, tensor) in &network.weights.0 {
            assert_eq!(stored.0.get(name), Some(tensor), "{name}");
        }
    });
}
