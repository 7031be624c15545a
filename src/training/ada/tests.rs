//! The pipe and its control, apart from the comparison with the reference (`tests/parity/ada.rs`).

use burn::tensor::Device;

use super::*;
use crate::{
    grad::tests::check,
    ops::testing::{assert_same, noise, values},
    training::{
        config::Ada,
        random::{Draws, Stream},
    },
};

fn augment(config: AugmentConfig, images: &Var, p: f32, step: u64) -> Var {
    AugmentPipe { config }.apply(images, p, &mut Draws::new(3, Stream::RealAugment, step))
}

fn images(channels: usize) -> Var {
    Var::parameter(noise([3, channels, 12, 16], 1, &Device::flex()))
}

#[test]
fn gradients_go_through_everything() {
    check("bgc", images(3), |x| augment(AugmentConfig::bgc(), x, 1.0, 1));
    check("bgc at 0.5", images(3), |x| augment(AugmentConfig::bgc(), x, 0.5, 2));
    check("bgcfnc", images(3), |x| augment(AugmentConfig::bgcfnc(), x, 0.8, 3));
    check("bgcfnc, gray", images(1), |x| augment(AugmentConfig::bgcfnc(), x, 0.8, 4));
}

#[test]
fn nothing_happens_at_zero_and_something_else_at_every_step() {
    let x = images(3);
    let all = AugmentConfig::bgcfnc();
    assert_same(augment(all, &x, 0.0, 1).value().clone(), x.value().clone(), 0.0);
    assert_same(augment(AugmentConfig::none(), &x, 1.0, 1).value().clone(), x.value().clone(), 0.0);
    let at = |step| values(augment(all, &x, 0.9, step).value().clone());
    assert_eq!(at(1), at(1));
    assert_ne!(at(1), at(2));
}

#[test]
fn executing_no_move_changes_nothing() {
    // The filters alone, next to a sample that does move.
    let x = images(2);
    let maps = [affine::Affine::identity(), affine::Affine::translation([0.3, -2.0]), affine::Affine::identity()];
    let y = geometry::execute(&x, &maps).narrow(0, 2, 1);
    assert_same(y.value().clone(), x.narrow(0, 2, 1).value().clone(), 1e-5);
    // Whole pixels move without a change: here by 3 to the left, mirrored at the edge.
    let moved = geometry::execute(&x, &[affine::Affine::translation([3.0, 0.0]); 3]);
    let expected = x.reflect_pad([0, 3, 0, 0]).narrow(3, 3, 16);
    assert_same(moved.value().clone(), expected.value().clone(), 1e-4);
}

#[test]
fn other_channels_keep_their_colours() {
    let colours = AugmentConfig { brightness: 1.0, hue: 1.0, ..AugmentConfig::none() };
    let x = images(4);
    assert_same(augment(colours, &x, 1.0, 1).value().clone(), x.value().clone(), 0.0);
}

#[test]
fn the_filter_bank_sums_to_no_change() {
    let bank = filter_bank();
    for tap in 0..43 {
        let sum: f64 = bank.iter().map(|filter| filter[tap]).sum();
        assert!((sum - if tap == 21 { 1.0 } else { 0.0 }).abs() < 1e-11, "tap {tap}: {sum}");
    }
}

#[test]
fn p_follows_the_signs() {
    let ada = Ada::ADAPTIVE;
    let mut controller = AdaController::new(&ada);
    let step = 8.0 * 4.0 / 500_000.0;
    let run = |controller: &mut AdaController, logits: &[f32]| {
        (1..=4)
            .map(|iteration| {
                controller.observe(logits);
                controller.after_iteration(&ada, iteration, 8)
            })
            .collect::<Vec<_>>()
    };
    // Never below 0.
    assert_eq!(run(&mut controller, &[1.0, -2.0]), [None, None, None, Some(0.0)]);
    assert_eq!(controller, AdaController { p: 0.0, sign_sum: 0.0, sign_count: 0 });
    run(&mut controller, &[0.1; 3]);
    run(&mut controller, &[5.0]);
    assert!((controller.p - 2.0 * step).abs() < 1e-12, "{}", controller.p);
    // 4 of 5: a mean sign of 0.6 is the target itself.
    assert_eq!(run(&mut controller, &[1.0, 1.0, 1.0, 1.0, -1.0])[3], Some(0.6));
    assert!((controller.p - 2.0 * step).abs() < 1e-12, "{}", controller.p);
    run(&mut controller, &[0.0, f32::NAN]);
    assert!((controller.p - step).abs() < 1e-12, "{}", controller.p);
    // Nothing observed, nothing done; and what is saved comes back.
    assert_eq!(controller.after_iteration(&ada, 4, 8), None);
    controller.observe(&[1.0, -1.0, -1.0]);
    let saved = serde_json::to_string(&controller).expect("JSON");
    assert_eq!(serde_json::from_str::<AdaController>(&saved).expect("JSON"), controller);
    // A constant strength stays.
    let fixed = Ada::Fixed { p: 0.3 };
    let mut controller = AdaController::new(&fixed);
    controller.observe(&[1.0]);
    assert_eq!((controller.after_iteration(&fixed, 4, 8), controller.p), (None, 0.3));
}
