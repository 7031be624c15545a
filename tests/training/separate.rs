//! A training on a device of its own, beside one that somebody else computes on.

use burn::tensor::Tensor;
use stylescope::gpu::{
    device::{DeviceChoice, select},
    readback,
    separate::SeparateDevice,
};

use super::*;

/// Run by `cargo test --test training -- --ignored`: a software driver takes minutes for an iteration.
#[test]
#[ignore = "minutes on a software driver"]
fn a_training_on_a_separate_device_leaves_the_first_one_alone() {
    let first = match select(DeviceChoice::Software) {
        Ok(compute) => compute,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let second = SeparateDevice::new(first.clone()).get().expect("a second device");
    assert_ne!(first.device, second.device);
    let sums = || readback::values(Tensor::<1>::ones([4], &first.device).mul_scalar(3.0)).expect("a computing device");
    let folder = tempfile::tempdir().expect("a folder");
    let start = Start::New { config: Box::new(config(Preset::StyleGan2E, 8, 8)), init: None };
    let lost = second.shared.clone().expect("handles").device;
    let session = TrainingSession::start(folder.path().to_owned(), start, second.device).expect("a thread");
    let until = std::time::Instant::now() + Duration::from_secs(3000);
    let complete = loop {
        assert_eq!(sums(), [3.0; 4]);
        match session.events().recv_timeout(Duration::from_millis(500)) {
            Ok(TrainEvent::Ended { complete, .. }) => break complete,
            Ok(event) => assert!(!matches!(event, TrainEvent::Failed { .. }), "{event:?}"),
            Err(_) => assert!(std::time::Instant::now() < until, "the training never ended"),
        }
    };
    assert!(complete);
    drop(session);
    lost.destroy();
    assert_eq!(sums(), [3.0; 4], "the first device goes on");
}
