//! The sums against networks that are really there.

use burn::tensor::Device;

use super::*;
use crate::training::{
    Trainer,
    preset::{Preset, PresetOptions, Width},
};

fn config(preset: Preset, change: impl Fn(&mut PresetOptions)) -> TrainConfig {
    let mut options = PresetOptions { resolution: 16, batch: 4, channel_max: Some(8), ..PresetOptions::default() };
    change(&mut options);
    preset.build(&options).unwrap()
}

#[test]
fn parameters_are_those_of_the_networks() {
    for preset in Preset::ALL {
        for (resolution, label_dim) in [(4, 0), (16, 0), (16, 3), (128, 0)] {
            let config = config(preset, |o| (o.resolution, o.label_dim) = (resolution, label_dim));
            let counted = Trainer::new(&config, &Device::flex()).unwrap().num_parameters();
            let preflight = Preflight::of(&config).unwrap();
            assert_eq!(preflight.parameters, counted, "{} at {resolution}, {label_dim} classes", preset.name());
        }
    }
}

#[test]
fn time_grows_with_the_resolution() {
    let flat = config(Preset::StyleGan2E, |o| o.kimg = 1.0);
    assert_eq!(remaining_seconds(&flat, 0, 0.5), 500.0);
    assert_eq!(remaining_seconds(&flat, 900, 0.5), 50.0);
    assert_eq!(remaining_seconds(&flat, 2000, 0.5), 0.0);
    let grows = config(Preset::StyleGanF, |o| (o.kimg, o.resolution) = (1.0, 32));
    // Half of the images are at the full resolution, which takes far more than the first one.
    assert!(remaining_seconds(&grows, 0, 0.5) > 1000.0);
    let last = growing::stage(&grows, 999);
    assert_eq!(last.resolution, 32);
    assert!((remaining_seconds(&grows, 900, 0.5) - 50.0).abs() < 1e-9);
}

#[test]
fn the_text_is_short() {
    let config = config(Preset::StyleGan2E, |o| (o.resolution, o.width, o.channel_max) = (256, Width::Paper, None));
    let text = Preflight::of(&config).unwrap().to_string();
    assert!(text.contains("M parameters") && text.contains("GFLOP") && text.contains("GB"), "{text}");
}
