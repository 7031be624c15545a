//! Trainings that begin with a smaller model.

use std::path::Path;

use burn::tensor::Device;
use stylescope::{
    checkpoint,
    model::state_dict::StateDict,
    training::{
        history,
        preset::Preset,
        session::{Start, TrainingSession},
        transfer,
    },
};

use crate::{config, ended, files, start, wait};

const NEW: &str = "synthesis.b16.torgb.weight";
const OLD: &str = "synthesis.b8.torgb.weight";

fn weights(file: &Path) -> StateDict {
    let opened = checkpoint::open(file, &()).expect("a model");
    let index = opened.generator_named(None).expect("a generator");
    opened.load_generator(index).expect("weights").1
}

#[test]
fn a_larger_network_keeps_the_image_until_its_discriminator_has_learned() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = folder.path().join("small");
    let session = start(&small, config(Preset::StyleGan2E, 8, 16));
    assert!(wait(&session, ended));
    drop(session);

    let large = folder.path().join("large");
    let mut larger = config(Preset::StyleGan2E, 16, 32);
    larger.discriminator_first_kimg = Some(0.016);
    larger.intervals.snapshot_ticks = 1;
    let init = Some(transfer::initial_weights(&checkpoint::open(&small, &()).expect("a run"), None).expect("weights"));
    let start = Start::New { config: Box::new(larger), init };
    let session = TrainingSession::start(large.clone(), start, Device::flex()).expect("a thread");
    assert!(wait(&session, ended));
    drop(session);

    let source = weights(&small);
    let snapshots: Vec<StateDict> = files(&large.join("snapshots")).iter().map(|file| weights(file)).collect();
    let [first, .., last] = snapshots.as_slice() else { panic!("{} snapshots", snapshots.len()) };
    assert!(first.0[NEW].data.iter().all(|value| *value == 0.0));
    assert_eq!(first.0[OLD].data, source.0[OLD].data);
    assert!(last.0[NEW].data.iter().any(|value| *value != 0.0));
    assert_ne!(last.0[OLD].data, source.0[OLD].data);
    // Ticks are of 8 images.
    let lines = history::read(&large.join("history.jsonl")).expect("a history");
    let trained: Vec<bool> = lines.iter().map(|line| line.values.contains_key("loss_g")).collect();
    assert_eq!(trained, [false, false, true, true]);
}
