//! Discriminators of both families, and the generators as training sees them.

use burn::tensor::Device;
use serde_json::Value;
use stylescope::{
    grad::{Dims, Var},
    model::{
        config::{ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan1Variant},
        discriminator_config::{
            DiscriminatorArchitecture, DiscriminatorConfig, LabelProjection, StyleGan1DiscriminatorConfig,
            StyleGan2DiscriminatorConfig,
        },
        trainable::{Images, Params, TrainNoise, TrainableDiscriminator, TrainableGenerator},
    },
};

use crate::{
    Worst,
    common::{Array, Fixture, TOLERANCE, assert_values_close, group, values},
    stylegan1, stylegan2,
};

/// Suggested bound for logits.
const LOGITS: f64 = 1e-5;

/// An array as the graph has it: vectors of a batch [N, C, 1, 1], images as they are.
pub fn var(array: &Array, device: &Device) -> Var {
    let dims: Dims = match *array.shape {
        [] => [1; 4],
        [n] => [n, 1, 1, 1],
        [n, c] => [n, c, 1, 1],
        [n, c, l] => [n, c, l, 1],
        [a, b, c, d] => [a, b, c, d],
        _ => panic!("rank of {:?}", array.shape),
    };
    Var::from_values(array.f32(), dims, device)
}

/// The configuration behind the keyword arguments of the reference's StyleGAN2 discriminator.
pub fn config(kwargs: &Value) -> StyleGan2DiscriminatorConfig {
    let count = |value: &Value, default: usize| value.as_u64().map_or(default, |value| value as usize);
    let known = ["c_dim", "img_resolution", "img_channels", "architecture", "channel_base", "channel_max"];
    stylegan2::assert_known(kwargs, &[&known[..], &["conv_clamp", "epilogue_kwargs"]].concat());
    let epilogue = &kwargs["epilogue_kwargs"];
    stylegan2::assert_known(epilogue, &["mbstd_group_size", "mbstd_num_channels"]);
    let resolution = count(&kwargs["img_resolution"], 0);
    let channels =
        ChannelTable::from_base(count(&kwargs["channel_base"], 32768), count(&kwargs["channel_max"], 512), resolution);
    let cmap_dim = channels.at(4);
    StyleGan2DiscriminatorConfig {
        resolution,
        img_channels: count(&kwargs["img_channels"], 3),
        label_dim: count(&kwargs["c_dim"], 0),
        architecture: match kwargs["architecture"].as_str() {
            None | Some("resnet") => DiscriminatorArchitecture::Resnet,
            Some("skip") => DiscriminatorArchitecture::Skip,
            Some("orig") => DiscriminatorArchitecture::Orig,
            Some(other) => panic!("nobody knows the architecture {other}"),
        },
        conv_clamp: kwargs["conv_clamp"].as_f64(),
        mbstd_group_size: Some(count(&epilogue["mbstd_group_size"], 4)),
        mbstd_num_channels: count(&epilogue["mbstd_num_channels"], 1),
        label_projection: LabelProjection::Mapped,
        mapping: MappingConfig {
            num_layers: 8,
            hidden_dim: cmap_dim,
            lr_multiplier: 0.01,
            w_avg_beta: 0.995,
            label_normalization: LabelNormalization::Separate,
        },
        cmap_dim,
        channels,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
        grows: false,
    }
}

fn stylegan2_logits(fixture: &Fixture, device: &Device) {
    let mut worst = Worst::default();
    let config = DiscriminatorConfig::StyleGan2(config(&fixture.meta["init_kwargs"]));
    let network = TrainableDiscriminator::new(config, device).expect("a discriminator");
    let weights = network.load(&fixture.weights("params."), device).expect("weights").weights(false);
    for batch in fixture.names("in.img.") {
        let image = var(fixture.get(&format!("in.img.{batch}")), device);
        let label = fixture.try_get(&format!("in.c.{batch}")).map(|label| var(label, device));
        let images = Images { image, smaller: Vec::new() };
        let logits = network.logits(&weights, &images, label.as_ref(), None).expect("logits");
        let expected = fixture.get(&format!("out.logits.{batch}"));
        let what = format!("{} {batch}", fixture.name());
        worst.add(assert_values_close(&what, &values(logits.value().clone()), &expected.values, LOGITS));
    }
    fixture.assert_all_used("out.logits", |_| false);
    worst.report(&fixture.name());
}

#[test]
fn parity_stylegan2_discriminators() {
    let device = Device::flex();
    let mut found = 0;
    for path in group("sg2_nv", "safetensors") {
        let fixture = Fixture::load(&path);
        if fixture.kind() == "discriminator" {
            stylegan2_logits(&fixture, &device);
            found += 1;
        }
    }
    assert!(found > 0 || crate::common::fixtures().is_none(), "no discriminator among the fixtures");
}

fn stylegan1_logits(fixture: &Fixture, device: &Device) {
    let kwargs = &fixture.meta["D_kwargs"];
    let count = |field: &str, default: usize| kwargs[field].as_u64().map_or(default, |value| value as usize);
    let known = ["resolution", "label_size", "fmaps_base", "fmaps_max", "image_channels", "minibatch_std_group_size"];
    stylegan2::assert_known(kwargs, &known);
    let resolution = count("resolution", 0);
    let config = StyleGan1DiscriminatorConfig {
        resolution,
        img_channels: count("image_channels", 3),
        label_dim: count("label_size", 0),
        channels: ChannelTable::from_base(count("fmaps_base", 16384), count("fmaps_max", 512), resolution),
        variant: StyleGan1Variant::Official,
        from_rgb_activation: true,
        fused_from: 128,
        mbstd_group_size: count("minibatch_std_group_size", 4),
        resample_filter: vec![1.0, 2.0, 1.0],
    };
    let network = TrainableDiscriminator::new(DiscriminatorConfig::StyleGan1(config), device).expect("a discriminator");
    let weights = network.load(&fixture.weights("params.D."), device).expect("weights").weights(false);
    let mut worst = Worst::default();
    for tag in fixture.names("out.logits.") {
        // b4, or b4.lod1.7
        let (batch, lod): (&str, f32) =
            tag.split_once(".lod").map_or((tag.as_str(), 0.0), |(b, lod)| (b, lod.parse().expect("lod")));
        let image = var(fixture.get(&format!("in.img.{batch}")), device);
        let label = fixture
            .try_get(&format!("in.label.{batch}"))
            .or_else(|| fixture.try_get("in.label"))
            .filter(|label| label.shape[0] == image.dims()[0])
            .map(|label| var(label, device));
        // The reference takes images of full size and reduces them; blending real images is the training's part.
        let whole = lod.floor();
        let images = network.real_images(image, Some(whole));
        let logits = network.logits(&weights, &images, label.as_ref(), Some(lod)).expect("logits");
        let expected = fixture.get(&format!("out.logits.{tag}"));
        let what = format!("{} {tag}", fixture.name());
        worst.add(assert_values_close(&what, &values(logits.value().clone()), &expected.values, LOGITS));
    }
    fixture.assert_all_used("out.logits", |_| false);
    worst.report(&fixture.name());
}

#[test]
fn parity_stylegan1_discriminators() {
    for path in group("sg1_official_port", "safetensors") {
        let fixture = Fixture::load(&path);
        if fixture.names("out.logits").is_empty() {
            continue;
        }
        stylegan1_logits(&fixture, &Device::flex());
    }
}

/// The trainable twins of the generators give the same images.
#[test]
fn parity_trainable_generators() {
    let device = Device::flex();
    for path in group("sg2_nv", "safetensors") {
        let fixture = Fixture::load(&path);
        if fixture.kind() != "generator" {
            continue;
        }
        let config = GeneratorConfig::StyleGan2(stylegan2::config(&fixture.meta["init_kwargs"]));
        let network = TrainableGenerator::new(config, false, &device).expect("a generator");
        let weights = Params::from_state_dict(&fixture.weights("params."), &device).expect("weights").weights(false);
        let label = fixture.try_get("in.c").map(|label| var(label, &device));
        let w = network.map(&weights, &var(fixture.get("in.z"), &device), label.as_ref()).expect("w");
        let ws = network.broadcast(&w, None);
        let mut worst = Worst::default();
        for (tag, noise) in [("const", TrainNoise::Const), ("none", TrainNoise::None)] {
            let Some(expected) = fixture.try_get(&format!("out.img.{tag}")) else { continue };
            let images = network.synthesize(&weights, &ws, noise, None).expect("images");
            let got = values(images.image.value().clone());
            worst.add(assert_values_close(&format!("{} {tag}", fixture.name()), &got, &expected.values, TOLERANCE));
        }
        worst.report(&fixture.name());
    }
    for path in group("sg1_official_port", "safetensors") {
        let fixture = Fixture::load(&path);
        let mut worst = Worst::default();
        for tag in fixture.names("out.img.lod") {
            let lod: f32 = tag.parse().expect("a level of detail");
            let config = GeneratorConfig::StyleGan1(stylegan1::official_config(&fixture.meta["G_kwargs"], lod));
            let network = TrainableGenerator::new(config, false, &device).expect("a generator");
            let weights =
                Params::from_state_dict(&fixture.weights("params.G."), &device).expect("weights").weights(false);
            let label = fixture.try_get("in.label").map(|label| var(label, &device));
            let w = network.map(&weights, &var(fixture.get("in.z"), &device), label.as_ref()).expect("w");
            let ws = network.broadcast(&w, None);
            let images = network.synthesize(&weights, &ws, TrainNoise::Const, Some(lod)).expect("images");
            let expected = fixture.get(&format!("out.img.lod{tag}"));
            let [batch, channels, side, _] = images.image.dims();
            let full = expected.shape[2];
            // The reference enlarges to full size by repeating pixels: every `step`-th one is ours.
            let step = full / side;
            let got = values(images.image.value().clone());
            let mut want = Vec::new();
            for plane in expected.values.chunks_exact(full * full).take(batch * channels) {
                want.extend((0..side * side).map(|i| plane[(i / side) * step * full + (i % side) * step]));
            }
            let got = &got[..want.len()];
            worst.add(assert_values_close(&format!("{} lod {tag}", fixture.name()), got, &want, TOLERANCE));
        }
        worst.report(&fixture.name());
    }
}
