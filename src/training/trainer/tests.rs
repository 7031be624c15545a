//! Iterations by hand: continuing exactly, augmentation, losses.

use burn::tensor::Device;

use super::*;
use crate::{
    data::{Dataset, loader::batch_at},
    training::{
        config::Loss,
        preset::{Preset, PresetOptions},
    },
};

const BOTH: Phases = Phases { g: true, d: true };

fn config(preset: Preset) -> TrainConfig {
    let options =
        PresetOptions { resolution: 8, batch: 4, channel_max: Some(8), kimg: 1.0, ..PresetOptions::default() };
    preset.build(&options).unwrap()
}

/// Trains iterations `from..to` on portraits.
fn train(trainer: &mut Trainer, from: u64, to: u64) {
    let dataset = Dataset::portraits(1, 8).unwrap();
    for iteration in from..to {
        let nimg = 4 * iteration;
        let batch = batch_at(&dataset, 0, nimg, 4).unwrap();
        let batch = Batch { images: batch.images, labels: Vec::new() };
        trainer.step(&batch, Progress { nimg, iteration }, BOTH).unwrap();
    }
}

fn trainer(config: &TrainConfig) -> Trainer {
    Trainer::new(config, &Device::flex()).unwrap()
}

#[test]
fn a_training_that_augments_goes_on_exactly_from_any_iteration() {
    let mut config = config(Preset::StyleGan2E);
    // So fast that p is there after the first change.
    config.ada = Ada::Adaptive { target: -1.0, interval: 4, speed_kimg: 0.05 };
    let mut whole = trainer(&config);
    let mut states = Vec::new();
    for iteration in 0..10 {
        train(&mut whole, iteration, iteration + 1);
        states.push(whole.state().unwrap());
    }
    let last = states.last().unwrap();
    assert!(last.scalars["ada.p"] >= 0.3, "{:?}", last.scalars);
    // Also in the middle between two changes of p.
    for (done, state) in states.iter().enumerate().take(9) {
        let mut resumed = trainer(&config);
        resumed.restore(state).unwrap();
        assert_eq!(resumed.state().unwrap(), *state, "restored after {} iterations", done + 1);
        train(&mut resumed, done as u64 + 1, 10);
        assert_eq!(resumed.state().unwrap(), *last, "resumed after {} iterations", done + 1);
    }
}

#[test]
fn the_finest_noise_is_held_off_zero() {
    let strengths = |floor: Option<f64>| {
        let mut trainer = trainer(&TrainConfig { noise_floor: floor, ..config(Preset::StyleGan2E) });
        train(&mut trainer, 0, 3);
        let weights = trainer.g.state_dict().unwrap();
        let of = |name: &str| weights.0[&format!("synthesis.{name}.noise_strength")].data[0].abs();
        [of("b4.conv1"), of("b8.conv0"), of("b8.conv1")]
    };
    let learned = strengths(None);
    assert!(learned.iter().all(|strength| (1e-6..0.02).contains(strength)), "{learned:?}");
    let held = strengths(Some(0.25));
    // Both resolutions of so small a network are its finest.
    assert!(held.iter().all(|strength| *strength >= 0.25), "{held:?}");
    let bad = TrainConfig { noise_floor: Some(0.1), ..config(Preset::StyleGanF) };
    assert!(bad.validate().unwrap_err().to_string().contains("noise_floor"));
}

#[test]
fn the_strength_follows_the_signs() {
    let mut config = config(Preset::StyleGan2E);
    config.ada = Ada::Adaptive { target: 2.0 / 3.0, interval: 2, speed_kimg: 0.016 };
    let mut trainer = trainer(&config);
    let mut p = 0.0f64;
    for iteration in 0..8 {
        train(&mut trainer, iteration, iteration + 1);
        // One iteration alone has the mean sign of its own reals.
        let mut means = BTreeMap::new();
        if iteration % 2 == 1 {
            means = trainer.tick().unwrap();
        }
        if let (Some(sign), Some(now)) = (means.get("sign_real"), means.get("ada_p")) {
            // 4 images, every 2 iterations, of 16 for the whole way.
            p = (p + 0.5 * (sign - 2.0 / 3.0).signum()).max(0.0);
            assert!((now - p).abs() < 1e-9, "{now} where the signs {sign} give {p}");
        }
    }
    let mut fixed = self::trainer(&TrainConfig { ada: Ada::Fixed { p: 0.25 }, ..config.clone() });
    train(&mut fixed, 0, 2);
    assert_eq!(fixed.tick().unwrap()["ada_p"], 0.25);
    let mut off = self::trainer(&TrainConfig { ada: Ada::Off, ..config });
    train(&mut off, 0, 2);
    assert!(!off.tick().unwrap().contains_key("ada_p"));
}

#[test]
fn augmentation_changes_what_both_networks_learn_and_nothing_at_zero() {
    let weights = |ada| {
        let mut trainer = trainer(&TrainConfig { ada, ..config(Preset::StyleGan2E) });
        train(&mut trainer, 0, 2);
        let state = trainer.state().unwrap();
        let part = |prefix: &str| {
            let own = state.arrays.0.iter().filter(|(name, _)| name.starts_with(prefix));
            own.map(|(name, array)| (name.clone(), array.data.clone())).collect::<Vec<_>>()
        };
        [part("G."), part("D.")]
    };
    let (off, zero, strong) = (weights(Ada::Off), weights(Ada::Fixed { p: 0.0 }), weights(Ada::Fixed { p: 1.0 }));
    assert_eq!(off, zero);
    assert!(off[0] != strong[0] && off[1] != strong[1]);
}

#[test]
fn every_loss_has_its_penalties() {
    for (loss, expected) in
        [(Loss::Logistic, &["r1"][..]), (Loss::WGAN_GP, &["gradient_penalty"]), (Loss::Relativistic, &["r1", "r2"])]
    {
        for (preset, ada) in [(Preset::ProGan, Ada::Off), (Preset::StyleGan2E, Ada::Fixed { p: 0.5 })] {
            let config = TrainConfig { ada, ..config(preset).with_loss(loss, None) };
            let mut trainer = trainer(&config);
            train(&mut trainer, 0, 2);
            let means = trainer.tick().unwrap();
            assert!(means.values().all(|value| value.is_finite()), "{loss:?}: {means:?}");
            let found: Vec<&str> =
                ["gradient_penalty", "r1", "r2"].into_iter().filter(|name| means.contains_key(name)).collect();
            assert_eq!(found, expected, "{loss:?} of {}", preset.name());
        }
    }
}
