//! Trainings from beginning to end: every preset, commands and events, kills, classes, failed writes, losses that are no numbers.

mod classes;
mod resume;
mod separate;
mod transfer;
mod writes;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use burn::tensor::Device;
use stylescope::{
    checkpoint,
    model::{Generator, Placement},
    training::{
        TrainConfig, checkpoint_store,
        config::{Changes, DatasetSource, DatasetSpec},
        history,
        preset::{Preset, PresetOptions, Width},
        session::{Start, TrainCommand, TrainEvent, TrainingSession},
    },
};

/// A training of a few iterations, with ticks of two.
fn config(preset: Preset, resolution: usize, images: u64) -> TrainConfig {
    let options = PresetOptions {
        resolution,
        img_channels: 3,
        label_dim: 0,
        width: Width::Tiny,
        channel_base: None,
        channel_max: Some(8),
        batch: 4,
        kimg: images as f64 / 1000.0,
        seed: 7,
        gamma: None,
        dataset: DatasetSpec { source: DatasetSource::Portraits { seed: 1 }, mirror: false },
    };
    let mut config = preset.build(&options).expect("a preset");
    config.intervals.tick_kimg = 0.008;
    config.intervals.checkpoint_ticks = 1;
    config
}

fn start(folder: &Path, config: TrainConfig) -> TrainingSession {
    let start = Start::New { config: Box::new(config), init: None };
    TrainingSession::start(folder.to_owned(), start, Device::flex()).expect("a thread")
}

/// The next event that `wanted` picks; panics at a failure or after a long silence.
fn wait<T>(session: &TrainingSession, mut wanted: impl FnMut(&TrainEvent) -> Option<T>) -> T {
    loop {
        let event = session.events().recv_timeout(Duration::from_secs(120)).expect("an event");
        if let Some(found) = wanted(&event) {
            return found;
        }
        assert!(!matches!(event, TrainEvent::Failed { .. }), "{event:?}");
    }
}

fn ended(event: &TrainEvent) -> Option<bool> {
    if let TrainEvent::Ended { complete, .. } = event { Some(*complete) } else { None }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

fn train(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stylescope"));
    command.arg("train").args(more).args(["--device", "cpu", "--out"]).arg(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn every_preset_trains_and_its_snapshot_opens() {
    for preset in Preset::ALL {
        let name = preset.name();
        let folder = tempfile::tempdir().expect("a folder");
        let session = start(folder.path(), config(preset, 16, 32));
        assert!(wait(&session, ended), "{name}");
        drop(session);
        let lines = history::read(&folder.path().join("history.jsonl")).expect("a history");
        assert!(!lines.is_empty() && lines.iter().all(|line| line.values.contains_key("loss_d")), "{name}: {lines:?}");
        // The folder opens as its newest snapshot, with what the explorer needs.
        let opened = checkpoint::open(folder.path(), &()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let index = opened.generator_named(None).expect("a generator");
        let (found, weights) = opened.load_generator(index).expect("weights");
        let generator = Generator::from_state_dict(found, weights, &Placement::cpu()).expect("a generator");
        assert!(generator.w_avg().iter().any(|w| *w != 0.0), "{name}: the average of w never moved");
    }
}

#[test]
fn commands_pause_step_save_and_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = start(folder.path(), config(Preset::StyleGan2E, 8, 1_000_000));
    wait(&session, |event| matches!(event, TrainEvent::Tick { .. }).then_some(()));
    assert!(session.ema().take().is_some(), "a moving average after a tick");
    assert!(session.send(TrainCommand::Pause));
    wait(&session, |event| (*event == TrainEvent::Paused(None)).then_some(()));
    for step in [TrainCommand::StepG, TrainCommand::StepD] {
        assert!(session.send(step));
        wait(&session, |event| (*event == TrainEvent::Paused(None)).then_some(()));
    }
    assert!(session.send(TrainCommand::SnapshotNow));
    let path = wait(&session, |event| if let TrainEvent::Snapshot(path) = event { Some(path.clone()) } else { None });
    assert!(path.is_file());
    assert!(session.send(TrainCommand::Resume));
    wait(&session, |event| (*event == TrainEvent::Resumed).then_some(()));
    assert!(session.send(TrainCommand::Stop));
    assert!(!wait(&session, ended), "stopped before its end");
    assert!(!files(&folder.path().join("checkpoints")).is_empty());
    // A second training in the same folder is refused, also after the first one has ended.
    drop(session);
    let again = start(folder.path(), config(Preset::StyleGan2E, 8, 100));
    let event = again.events().recv_timeout(Duration::from_secs(60)).expect("an event");
    assert!(matches!(&event, TrainEvent::Failed { error, .. } if error.contains("--resume")), "{event:?}");
}

#[test]
fn the_time_left_is_told_after_a_few_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(Preset::StyleGan2E, 8, 1_000_000);
    config.intervals.tick_kimg = 100.0;
    let session = start(folder.path(), config);
    let (speed, left) = wait(&session, |event| match event {
        TrainEvent::Speed { sec_per_kimg, remaining } => Some((*sec_per_kimg, *remaining)),
        _ => None,
    });
    // 16 of a million images are done, and all take the same time.
    assert!(speed > 0.0 && (left / speed - 999.984).abs() < 1e-6, "{speed} seconds for a thousand images, {left} left");
    assert!(session.send(TrainCommand::Stop));
    assert!(!wait(&session, ended));
}

#[test]
fn losses_that_are_no_numbers_end_it_and_the_last_checkpoint_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = start(folder.path(), config(Preset::StyleGan2E, 8, 16));
    assert!(wait(&session, ended));
    drop(session);
    // Weights so large that scores overflow, as after a step that was far too long.
    let checkpoints = folder.path().join("checkpoints");
    let mut state = checkpoint_store::newest(&checkpoints).expect("readable").expect("a checkpoint").state;
    let weights = state.arrays.0.iter_mut().filter(|(name, _)| name.starts_with("D."));
    weights.for_each(|(_, array)| array.data.iter_mut().for_each(|value| *value *= 1e30));
    checkpoint_store::save(&checkpoints, &state).expect("written");
    // It is noticed at a tick, and also when the training is stopped before the next one.
    for stop in [false, true] {
        let changes = Changes { kimg: Some(1000.0), ..Changes::default() };
        let resume = Start::Resume { changes };
        let session = TrainingSession::start(folder.path().to_owned(), resume, Device::flex()).expect("a thread");
        if stop {
            assert!(session.send(TrainCommand::StepD));
            wait(&session, |event| (*event == TrainEvent::Paused(None)).then_some(()));
            assert!(session.send(TrainCommand::Stop));
        }
        let (error, proposal) = loop {
            let event = session.events().recv_timeout(Duration::from_secs(120)).expect("an event");
            assert!(!matches!(event, TrainEvent::Ended { .. }), "it ended as if nothing were wrong");
            if let TrainEvent::Failed { error, proposal } = event {
                break (error, proposal);
            }
        };
        assert!(error.contains("no numbers any more"), "{error}");
        assert!(proposal.contains("last checkpoint") && proposal.contains("smaller learning rate"), "{proposal}");
        drop(session);
        let kept = checkpoint_store::newest(&checkpoints).expect("readable").expect("a checkpoint");
        assert!(kept.passed_over.is_empty() && kept.state == state, "another checkpoint than the one from before");
    }
}
