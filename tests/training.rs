//! Trainings from beginning to end: every preset, commands and events, kills, failed writes.

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
        TrainConfig,
        config::{DatasetSource, DatasetSpec},
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
    let session = start(folder.path(), config(Preset::from_name("stylegan2-e").expect("a preset"), 8, 1_000_000));
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
    let again = start(folder.path(), config(Preset::from_name("stylegan2-e").expect("a preset"), 8, 100));
    let event = again.events().recv_timeout(Duration::from_secs(60)).expect("an event");
    assert!(matches!(&event, TrainEvent::Failed { error, .. } if error.contains("--resume")), "{event:?}");
}

#[test]
fn a_refused_write_pauses_and_keeps_the_older_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = folder.path().join("checkpoints");
    // A folder where the second tick's checkpoint wants to go: renaming onto it is refused.
    let obstacle = checkpoints.join("000000016.safetensors");
    fs::create_dir_all(obstacle.join("full")).expect("a folder");
    let session = start(folder.path(), config(Preset::from_name("stylegan2-e").expect("a preset"), 8, 32));
    let reason = wait(&session, |event| if let TrainEvent::Paused(reason) = event { reason.clone() } else { None });
    assert!(reason.contains("000000016"), "{reason}");
    assert!(checkpoints.join("000000008.safetensors").is_file(), "the older checkpoint is still there");
    fs::remove_dir_all(&obstacle).expect("removable");
    assert!(session.send(TrainCommand::Resume));
    assert!(wait(&session, ended), "it went on to its end");
}

fn train(folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stylescope"));
    command.arg("train").args(more).args(["--device", "cpu", "--out"]).arg(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Kills a training at twenty moments and lets it end: the last checkpoint is that of an undisturbed one, byte for byte.
#[test]
fn a_killed_training_ends_as_an_undisturbed_one() {
    let begin =
        ["--preset", "stylegan2-e", "--width", "tiny", "--channel-max", "8", "--resolution", "8", "--batch", "4"];
    let begin = [&begin[..], &["--kimg", "0.4", "--tick", "0.02", "--seed", "3"]].concat();
    let root = tempfile::tempdir().expect("a folder");
    let (calm, rough) = (root.path().join("calm"), root.path().join("rough"));
    assert!(train(&calm, &begin).status().expect("a process").success());
    let mut moment = 0x2545_f491u32;
    for kill in 0..20 {
        let arguments = if rough.join("run.json").is_file() { &["--resume"][..] } else { &begin };
        let mut process = train(&rough, arguments).spawn().expect("a process");
        moment ^= moment << 13;
        moment ^= moment >> 17;
        moment ^= moment << 5;
        std::thread::sleep(Duration::from_millis(20 + u64::from(moment % 300)));
        process.kill().expect("a living or dead process");
        process.wait().expect("an end");
        // A run whose folder was not made yet begins anew; `run.json` is the last thing that making it writes.
        if kill == 0 && !rough.join("run.json").is_file() {
            let _ = fs::remove_dir_all(&rough);
        }
    }
    let arguments = if rough.join("run.json").is_file() { &["--resume"][..] } else { &begin };
    assert!(train(&rough, arguments).status().expect("a process").success());
    let last = |folder: &Path| files(&folder.join("checkpoints")).pop().expect("a checkpoint");
    assert_eq!(last(&calm).file_name(), last(&rough).file_name());
    assert!(fs::read(last(&calm)).expect("bytes") == fs::read(last(&rough)).expect("bytes"), "the networks differ");
    let images = |folder: &Path| -> Vec<u64> {
        history::read(&folder.join("history.jsonl")).expect("a history").iter().map(|line| line.nimg).collect()
    };
    assert_eq!(images(&calm), images(&rough), "no line of the history is missing or double");
}
