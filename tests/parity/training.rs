//! Losses, every gradient of every parameter, and whole iterations.

use std::collections::BTreeMap;

use burn::tensor::Device;
use stylescope::{
    grad::{Var, gradients},
    model::{
        config::GeneratorConfig,
        discriminator_config::DiscriminatorConfig,
        trainable::{Images, Params, TrainNoise, TrainableDiscriminator, TrainableGenerator, Weights},
    },
    training::{
        config::Loss,
        losses::{Latents, Networks},
        optimizer::{Adam, AdamConfig},
        phases::{Augments, Phase, Reals, discriminator_main, discriminator_penalty, generator_main, generator_path},
        trainer::follow,
    },
};

use crate::{
    Worst,
    common::{Fixture, assert_values_close, group, values},
    discriminators::{self, var},
    stylegan2,
};

/// Suggested bound for gradients, relative to the largest of a tensor.
const GRADIENTS: f64 = 1e-3;
const LOSSES: f64 = 1e-4;

/// Both networks of a fixture.
struct Pair {
    generator: TrainableGenerator,
    discriminator: TrainableDiscriminator,
    g: Params,
    d: Params,
}

impl Pair {
    fn new(fixture: &Fixture, device: &Device) -> Self {
        let config = GeneratorConfig::StyleGan2(stylegan2::config(&fixture.meta["G_kwargs"]));
        let generator = TrainableGenerator::new(config, false, device).expect("a generator");
        let config = DiscriminatorConfig::StyleGan2(discriminators::config(&fixture.meta["D_kwargs"]));
        let discriminator = TrainableDiscriminator::new(config, device).expect("a discriminator");
        let g = Params::from_state_dict(&fixture.weights("params.G."), device).expect("weights");
        let d = discriminator.load(&fixture.weights("params.D."), device).expect("weights");
        Self { generator, discriminator, g, d }
    }

    fn networks(&self) -> Networks<'_> {
        Networks { generator: &self.generator, discriminator: &self.discriminator, lod: None }
    }
}

fn noise(fixture: &Fixture) -> TrainNoise<'static> {
    match fixture.meta["noise_mode"].as_str().unwrap_or("const") {
        "const" => TrainNoise::Const,
        "none" => TrainNoise::None,
        other => panic!("nobody knows the noise {other}"),
    }
}

fn weight_gradients(loss: &Var, weights: &Weights) -> BTreeMap<String, Var> {
    let (names, leaves): (Vec<&String>, Vec<&Var>) = weights.tracked().unzip();
    let found = gradients(loss, &Var::scalar(1.0, &loss.device()), &leaves, false);
    names.into_iter().zip(found).filter_map(|(name, gradient)| Some((name.clone(), gradient?))).collect()
}

/// Every gradient of a phase, and that no other one is missing.
fn compare_gradients(fixture: &Fixture, phase: &str, gradients: &BTreeMap<String, Var>, worst: &mut Worst) {
    for name in fixture.names(&format!("out.{phase}.grad.")) {
        let expected = fixture.get(&format!("out.{phase}.grad.{name}"));
        let scale = expected.values.iter().fold(0.0f64, |max, value| max.max(value.abs()));
        let Some(gradient) = gradients.get(&name) else {
            assert!(scale == 0.0, "{phase}: no gradient of {name}");
            continue;
        };
        // Relative to the largest value, whatever its size.
        let unit = if scale > 0.0 { scale } else { 1.0 };
        let got: Vec<f32> = values(gradient.value().clone()).iter().map(|v| (f64::from(*v) / unit) as f32).collect();
        let want: Vec<f64> = expected.values.iter().map(|v| v / unit).collect();
        worst.add(assert_values_close(&format!("{} {phase} {name}", fixture.name()), &got, &want, GRADIENTS));
    }
}

fn report(fixture: &Fixture, name: &str, got: &Var, worst: &mut Worst) {
    let expected = fixture.get(name);
    worst.add(assert_values_close(name, &values(got.value().clone()), &expected.values, LOSSES));
}

fn reported(phase: &Phase, name: &str) -> Var {
    phase.reports.iter().find(|(found, _)| *found == name).map(|(_, var)| var.clone()).expect("a report")
}

fn losses(fixture: &Fixture, device: &Device) {
    let pair = Pair::new(fixture, device);
    let networks = pair.networks();
    let mut worst = Worst::default();
    let label = fixture.try_get("in.c").map(|label| var(label, device));
    let real = Images { image: var(fixture.get("in.real"), device), smaller: Vec::new() };
    let reals = Reals { images: &real, label: label.as_ref() };
    let z = var(fixture.get("in.z"), device);
    let number = |field: &str| fixture.meta[field].as_f64().expect("a number");
    let gain = |phase: &str| fixture.meta["phases"][phase]["gain"].as_f64().expect("a gain") as f32;
    // The draws of a phase in order: the second latents where it mixes, then the path's image.
    let latents = |phase: &str, batch: usize| {
        let cutoff = fixture.meta["phases"][phase]["mix_cutoff"].as_u64();
        let mix = cutoff.map(|cutoff| (var(fixture.get(&format!("in.{phase}.randn_like.0")), device), cutoff as usize));
        Latents { z: z.narrow(0, 0, batch), label: label.as_ref().map(|l| l.narrow(0, 0, batch)), mix }
    };
    let batch = z.dims()[0];
    let w_avg = |phase: &str, w: Option<&Var>, worst: &mut Worst| {
        let name = pair.generator.w_avg_name();
        let average = &pair.g.0[name].value;
        let beta = pair.generator.config().mapping().w_avg_beta;
        let after = w.map_or(average.clone(), |w| follow(average, w.value(), beta));
        report(fixture, &format!("out.{phase}.w_avg_after"), &Var::constant(after), worst);
    };

    let (g, d) = (pair.g.weights(true), pair.d.weights(false));
    let phase = generator_main(
        &networks,
        [&g, &d],
        &latents("Gmain", batch),
        noise(fixture),
        Loss::Logistic,
        reals,
        Augments::default(),
    )
    .expect("Gmain");
    report(fixture, "out.Gmain.report.Loss/G/loss.0", &reported(&phase, "loss_g"), &mut worst);
    w_avg("Gmain", phase.w.as_ref(), &mut worst);
    let found = weight_gradients(&phase.loss.scale(gain("Gmain")), &g);
    compare_gradients(fixture, "Gmain", &found, &mut worst);

    let shrunk = batch / fixture.meta["pl_batch_shrink"].as_u64().expect("a number") as usize;
    let mixed = latents("Greg", shrunk);
    let y = var(fixture.get(&format!("in.Greg.randn_like.{}", usize::from(mixed.mix.is_some()))), device);
    let constants = [number("pl_weight"), number("pl_decay")];
    let (phase, mean) =
        generator_path(&networks, &g, &mixed, noise(fixture), &y, number("pl_mean0") as f32, constants).expect("Greg");
    report(fixture, "out.Greg.report.Loss/pl_penalty.0", &reported(&phase, "pl_penalty"), &mut worst);
    let weighted = reported(&phase, "pl_penalty").scale(constants[0] as f32);
    report(fixture, "out.Greg.report.Loss/G/reg.0", &weighted, &mut worst);
    report(fixture, "out.Greg.pl_mean_after", &mean, &mut worst);
    w_avg("Greg", phase.w.as_ref(), &mut worst);
    let found = weight_gradients(&phase.loss.scale(gain("Greg")), &g);
    compare_gradients(fixture, "Greg", &found, &mut worst);

    let (g, d) = (pair.g.weights(false), pair.d.weights(true));
    let phase = discriminator_main(
        &networks,
        [&g, &d],
        &latents("Dmain", batch),
        noise(fixture),
        Loss::Logistic,
        reals,
        Augments::default(),
        None,
    )
    .expect("Dmain");
    report(fixture, "out.Dmain.report.Loss/D/loss.0", &reported(&phase, "loss_d"), &mut worst);
    for (name, ours) in [
        ("Loss/scores/fake", "score_fake"),
        ("Loss/scores/real", "score_real"),
        ("Loss/signs/fake", "sign_fake"),
        ("Loss/signs/real", "sign_real"),
    ] {
        report(fixture, &format!("out.Dmain.report.{name}.0"), &reported(&phase, ours), &mut worst);
    }
    w_avg("Dmain", phase.w.as_ref(), &mut worst);
    let found = weight_gradients(&phase.loss.scale(gain("Dmain")), &d);
    compare_gradients(fixture, "Dmain", &found, &mut worst);

    let gamma = number("r1_gamma");
    let phase = discriminator_penalty(&networks, &d, &real, label.as_ref(), None, gamma, "r1").expect("Dreg");
    report(fixture, "out.Dreg.report.Loss/r1_penalty.0", &reported(&phase, "r1"), &mut worst);
    let weighted = reported(&phase, "r1").scale((gamma / 2.0) as f32);
    report(fixture, "out.Dreg.report.Loss/D/reg.0", &weighted, &mut worst);
    w_avg("Dreg", None, &mut worst);
    let found = weight_gradients(&phase.loss.scale(gain("Dreg")), &d);
    compare_gradients(fixture, "Dreg", &found, &mut worst);
    // The scores of the generator's phase and those of R1 are the same numbers as the discriminator's.
    fixture.assert_all_used("out.", |name| name.contains("Loss/scores") || name.contains("Loss/signs"));
    worst.report(&fixture.name());
}

/// As many entries may differ by two steps as have a gradient of almost zero, whose sign Adam without momentum amplifies.
const SMALL_SHARE: f64 = 0.02;

fn steps(fixture: &Fixture, device: &Device) {
    let mut pair = Pair::new(fixture, device);
    let number = |field: &str| fixture.meta[field].as_f64().expect("a number");
    let every = |field: &str| fixture.meta[field].as_u64().expect("a number");
    let lr = number("lr");
    let base = AdamConfig { lr, beta1: 0.0, beta2: 0.99, epsilon: 1e-8 };
    let adams = ["G_reg_interval", "D_reg_interval"].map(|field| base.lazy(Some(every(field) as u32)));
    for (adam, name) in adams.iter().zip(["G", "D"]) {
        let expected = &fixture.meta["adam"][name];
        assert!((adam.lr - expected["lr"].as_f64().expect("lr")).abs() < 1e-12, "{name}: corrected learning rate");
        assert!((adam.beta2 - expected["betas"][1].as_f64().expect("beta2")).abs() < 1e-12, "{name}: corrected beta2");
    }
    let (mut adam_g, mut adam_d) = (Adam::default(), Adam::default());
    let mut ema = pair.g.clone();
    let mut pl_mean = 0.0f32;
    for iteration in 0..every("iters") {
        let z = |phase: &str| var(fixture.get(&format!("in.z.{iteration}.{phase}")), device);
        let latents = |phase: &str, batch: usize| Latents { z: z(phase).narrow(0, 0, batch), label: None, mix: None };
        let batch = every("batch") as usize;
        let real = Images { image: var(fixture.get(&format!("in.real.{iteration}")), device), smaller: Vec::new() };
        let reals = Reals { images: &real, label: None };
        let follow_w = |g: &mut Params, name: &str, phase: &Phase, beta: f64| {
            if let (Some(w), Some(param)) = (&phase.w, g.0.get_mut(name)) {
                param.value = follow(&param.value, w.value(), beta);
            }
        };
        let (w_avg, beta) = (pair.generator.w_avg_name(), pair.generator.config().mapping().w_avg_beta);

        let (g, d) = (pair.g.weights(true), pair.d.weights(false));
        let phase = generator_main(
            &pair.networks(),
            [&g, &d],
            &latents("Gmain", batch),
            TrainNoise::Const,
            Loss::Logistic,
            reals,
            Augments::default(),
        )
        .expect("Gmain");
        follow_w(&mut pair.g, w_avg, &phase, beta);
        adam_g.step(&adams[0], &mut pair.g, &weight_gradients(&phase.loss, &g));
        if iteration.is_multiple_of(every("G_reg_interval")) {
            let g = pair.g.weights(true);
            let y = var(fixture.get(&format!("in.pl_noise_raw.{iteration}.Greg")), device);
            let constants = [number("pl_weight"), number("pl_decay")];
            let half = latents("Greg", y.dims()[0]);
            let (phase, mean) =
                generator_path(&pair.networks(), &g, &half, TrainNoise::Const, &y, pl_mean, constants).expect("Greg");
            pl_mean = values(mean.value().clone())[0];
            follow_w(&mut pair.g, w_avg, &phase, beta);
            let loss = phase.loss.scale(every("G_reg_interval") as f32);
            adam_g.step(&adams[0], &mut pair.g, &weight_gradients(&loss, &g));
        }
        let (g, d) = (pair.g.weights(false), pair.d.weights(true));
        let phase = discriminator_main(
            &pair.networks(),
            [&g, &d],
            &latents("Dmain", batch),
            TrainNoise::Const,
            Loss::Logistic,
            reals,
            Augments::default(),
            None,
        )
        .expect("Dmain");
        follow_w(&mut pair.g, w_avg, &phase, beta);
        adam_d.step(&adams[1], &mut pair.d, &weight_gradients(&phase.loss, &d));
        if iteration.is_multiple_of(every("D_reg_interval")) {
            let d = pair.d.weights(true);
            let phase =
                discriminator_penalty(&pair.networks(), &d, &real, None, None, number("r1_gamma"), "r1").expect("Dreg");
            let loss = phase.loss.scale(every("D_reg_interval") as f32);
            adam_d.step(&adams[1], &mut pair.d, &weight_gradients(&loss, &d));
        }
        let beta = number("ema_beta");
        for (name, param) in &pair.g.0 {
            let kept = ema.0.get_mut(name).expect("the same names");
            kept.value = if param.learns {
                param.value.clone().add(kept.value.clone().sub(param.value.clone()).mul_scalar(beta))
            } else {
                param.value.clone()
            };
        }
    }
    let mut compared = 0;
    for (prefix, params) in [("out.G.", &pair.g), ("out.D.", &pair.d), ("out.G_ema.", &ema)] {
        for name in fixture.names(prefix).into_iter().filter(|name| !name.ends_with("resample_filter")) {
            let expected = fixture.get(&format!("{prefix}{name}"));
            let got = values(params.0[&name].value.clone());
            let far = got.iter().zip(&expected.values).filter(|(a, b)| (f64::from(**a) - **b).abs() > 1e-4).count();
            let limit = (got.len() as f64 * SMALL_SHARE).ceil() as usize;
            let worst = got.iter().zip(&expected.values).fold(0.0f64, |m, (a, b)| m.max((f64::from(*a) - b).abs()));
            assert!(far <= limit && worst <= 8.0 * lr, "{prefix}{name}: {far} of {} differ, by {worst}", got.len());
            compared += 1;
        }
    }
    assert!(compared > 0, "nothing was compared");
    println!("{}: {compared} arrays after {} iterations", fixture.name(), every("iters"));
}

#[test]
fn parity_training() {
    let device = Device::flex();
    for path in group("train", "safetensors") {
        let fixture = Fixture::load(&path);
        match fixture.kind() {
            "stylegan2_loss" => losses(&fixture, &device),
            "train_steps" => steps(&fixture, &device),
            other => panic!("{}: nobody knows the kind {other}", fixture.name()),
        }
    }
}
