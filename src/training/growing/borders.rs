//! Growing: nothing jumps when a resolution enters or has been faded in.

use burn::tensor::Device;

use crate::{
    grad::Var,
    model::trainable::{TrainNoise, TrainableDiscriminator, TrainableGenerator},
    ops::testing::{noise, values},
    training::preset::{Preset, PresetOptions},
};

const GROWING: [Preset; 9] = [
    Preset::ProGan,
    Preset::StyleGanB,
    Preset::StyleGanC,
    Preset::StyleGanD,
    Preset::StyleGanE,
    Preset::StyleGanF,
    Preset::StyleGan2B,
    Preset::StyleGan2C,
    Preset::StyleGan2D,
];
/// Beside a border.
const STEP: f32 = 1e-4;

fn farthest(what: &str, a: &Var, b: &Var) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let (a, b) = (values(a.value().clone()), values(b.value().clone()));
    let scale = a.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let farthest = a.iter().zip(&b).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    // It is not all zero, and a hundred steps of the fade change little.
    assert!(scale > 1e-3 && farthest <= 100.0 * STEP * scale, "{what}: {farthest} apart at {scale}");
}

/// Every pixel four times.
fn doubled(x: &Var) -> Var {
    let [_, _, height, width] = x.dims();
    let twice = |len: usize| (0..2 * len as u32).map(|i| i / 2).collect::<Vec<_>>();
    x.take(2, &twice(height)).take(3, &twice(width))
}

#[test]
fn images_and_scores_go_on_at_the_borders_of_stages() {
    let device = Device::flex();
    for preset in GROWING {
        let options = PresetOptions { resolution: 16, channel_max: Some(8), batch: 4, ..PresetOptions::default() };
        let config = preset.build(&options).unwrap();
        let generator = TrainableGenerator::new(config.generator.clone(), true, &device).unwrap();
        let discriminator = TrainableDiscriminator::new(config.discriminator, &device).unwrap();
        let (g, d) = (generator.init(1, &device).unwrap(), discriminator.init(2, &device).unwrap());
        let (g, d) = (g.weights(false), d.weights(false));
        let z = Var::constant(noise([4, config.generator.z_dim(), 1, 1], 3, &device));
        let ws = generator.broadcast(&generator.map(&g, &z, None).unwrap(), None);
        let images = |lod| generator.synthesize(&g, &ws, TrainNoise::Const, Some(lod)).unwrap().image;
        let real = Var::constant(noise([4, 3, 16, 16], 4, &device));
        let scores = |lod| {
            let reals = discriminator.real_images(real.clone(), Some(lod));
            discriminator.logits(&d, &reals, None, Some(lod)).unwrap()
        };
        let name = preset.name();
        // A resolution has just been faded in.
        for lod in [0.0, 1.0] {
            farthest(&format!("{name}, images at {lod}"), &images(lod), &images(lod + STEP));
            farthest(&format!("{name}, scores at {lod}"), &scores(lod), &scores(lod + STEP));
        }
        // A resolution enters: its images are those of half the size, with every pixel four times.
        for lod in [1.0, 2.0] {
            farthest(&format!("{name}, images before {lod}"), &doubled(&images(lod)), &images(lod - STEP));
            farthest(&format!("{name}, scores before {lod}"), &scores(lod), &scores(lod - STEP));
        }
    }
}
