//! The sums against networks that are really there.

use burn::tensor::Device;

use super::*;
use crate::grad::tally::tally;
use crate::training::{
    Batch, Phases, Progress, Trainer,
    config::{Ada, Loss},
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

/// Arithmetic and kept values of an iteration with everything that is due, against what is expected.
#[test]
fn arithmetic_and_memory_are_those_of_an_iteration() {
    let with = |preset: Preset, change: &dyn Fn(&mut TrainConfig)| {
        let mut config = config(preset, |o| (o.resolution, o.channel_max) = (32, Some(32)));
        change(&mut config);
        config
    };
    let plain = |_: &mut TrainConfig| ();
    let relativistic = |c: &mut TrainConfig| *c = c.clone().with_loss(Loss::Relativistic, None);
    for (preset, change) in [
        (Preset::StyleGan2E, &plain as &dyn Fn(&mut TrainConfig)),
        (Preset::StyleGan2F, &relativistic),
        (Preset::StyleGan2D, &plain),
        (Preset::StyleGan2E, &|c| c.ada = Ada::Fixed { p: 0.5 }),
        // The path length on whole batches is then the largest phase.
        (Preset::StyleGan2E, &|c| (c.pl_batch_shrink, c.pl_weight) = (1, 2.0)),
        (Preset::Msg, &plain),
        (Preset::StyleGanF, &plain),
        (Preset::ProGan, &plain),
    ] {
        let mut config = with(preset, change);
        config.growing = None;
        config.style_mixing_prob = 0.0;
        // Every regulariser in the one iteration that is looked at, as a step of its own.
        let every = |interval: Option<u32>| interval.map(|_| 1);
        config.generator_reg_interval = every(config.generator_reg_interval);
        config.discriminator_reg_interval = every(config.discriminator_reg_interval);
        let mut trainer = Trainer::new(&config, &Device::flex()).unwrap();
        let reals = Batch { images: vec![0.25; config.batch * 3 * 32 * 32], labels: Vec::new() };
        // On this thread, whose operations are counted.
        let taken = tally(|| trainer.iterate(&reals, Progress::default(), Phases { g: true, d: true }).unwrap());
        let flops = taken.flops as f64 / (training_flops(&config, 32) * config.batch as f64);
        let kept = taken.most_kept as f64 / graph_values(&config) as f64;
        println!("{} {:?}: {flops:.3} of the arithmetic, {kept:.3} of the values", preset.name(), config.loss);
        assert!((0.97..1.03).contains(&flops), "{}: {flops} of the arithmetic", preset.name());
        assert!((0.9..1.15).contains(&kept), "{}: {kept} of the values", preset.name());
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
    // However the images are divided, the arithmetic is the same.
    let parts = [0, 1, 130, 131, 400, 999, 1000].windows(2).map(|at| flops_between(&grows, at[0], at[1])).sum::<f64>();
    assert!((parts / total_flops(&grows) - 1.0).abs() < 1e-9);
    assert!(flops_between(&grows, 0, 100) < 0.5 * flops_between(&grows, 900, 1000));
}

#[test]
fn the_text_is_short() {
    let config = config(Preset::StyleGan2E, |o| (o.resolution, o.width, o.channel_max) = (256, Width::Paper, None));
    let text = Preflight::of(&config).unwrap().to_string();
    assert!(text.contains("M parameters") && text.contains("GFLOP") && text.contains("GB"), "{text}");
}
