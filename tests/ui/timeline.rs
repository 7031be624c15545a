//! Travelling through a training in the window: a real one, small, made by the library.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use burn::tensor::Device;
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use stylescope::{
    checkpoint::run_snapshots,
    engine::{PairView, Snapshot},
    session::{PoseEdit, png::read_pose_file, pose::SeedPosition},
    training::{
        TrainConfig,
        config::{DatasetSource, DatasetSpec},
        preset::{Preset, PresetOptions, Width},
        session::{Start as TrainStart, TrainEvent, TrainingSession},
    },
    ui::{app::Start, command::Command, timeline::TimelineCommand, toast::ToastKind},
};

use crate::window::Window;

/// Images of a tick; every tick has a snapshot.
const TICK: u64 = 64;

fn config(images: u64) -> TrainConfig {
    let options = PresetOptions {
        resolution: 8,
        width: Width::Tiny,
        channel_max: Some(8),
        batch: 16,
        kimg: images as f64 / 1000.0,
        seed: 7,
        dataset: DatasetSpec { source: DatasetSource::Portraits { seed: 1 }, mirror: false },
        ..PresetOptions::default()
    };
    let mut config = Preset::StyleGan2E.build(&options).expect("a preset");
    config.intervals.tick_kimg = TICK as f64 / 1000.0;
    config.intervals.snapshot_ticks = 1;
    config
}

fn train(folder: &Path, images: u64) -> TrainingSession {
    train_as(folder, config(images))
}

fn train_as(folder: &Path, config: TrainConfig) -> TrainingSession {
    let start = TrainStart::New { config: Box::new(config), init: None };
    TrainingSession::start(folder.to_owned(), start, Device::flex()).expect("a thread")
}

fn until_ended(session: &TrainingSession) {
    loop {
        let event = session.events().recv_timeout(Duration::from_secs(120)).expect("an event");
        assert!(!matches!(event, TrainEvent::Failed { .. }), "{event:?}");
        if matches!(event, TrainEvent::Ended { .. }) {
            return;
        }
    }
}

/// A run of five ticks.
fn finished_run(folder: &Path) -> PathBuf {
    let run = folder.join("portraits-8");
    until_ended(&train(&run, 5 * TICK));
    assert_eq!(run_snapshots(&run).unwrap().len(), 5);
    run
}

fn send(window: &mut Window, command: TimelineCommand) {
    window.harness.state().commands().send(Command::Timeline(command));
    window.settle();
}

fn nimg(window: &Window) -> Option<u64> {
    window.state().model.as_ref().and_then(|model| model.nimg)
}

/// The window on a run, with a pose that is none of the default.
fn open(run: &Path) -> Window {
    let mut window = Window::open(Start::Path(run.to_owned()));
    for edit in [
        PoseEdit::Seed(SeedPosition { x: 3.4, y: 1.0 }),
        PoseEdit::Psi(1.5),
        PoseEdit::StyleOffset { layer: 0, channel: 1, offset: Some(2.0) },
    ] {
        window.harness.state().commands().edit(edit);
    }
    window.settle();
    window.wait_until("the run is looked at", |app| !app.state().timeline.snapshots.is_empty());
    window.settle();
    window
}

#[test]
fn the_scrubber_shows_the_pinned_pose_at_any_snapshot() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = finished_run(folder.path());
    let mut window = open(&run);
    assert_eq!(nimg(&window), Some(5 * TICK), "the newest comes first");
    assert_eq!(window.state().model.as_ref().unwrap().name, "portraits-8");
    let newest = window.seen();
    window.set("Snapshot", 0.001 * TICK as f64);
    assert_eq!(nimg(&window), Some(TICK));
    let oldest = window.seen();
    assert_eq!(oldest.pose, newest.pose, "the pose stays");
    assert_ne!(oldest.image, newest.image);
    // Every control keeps working: it acts, and undo takes it back.
    window.set("Truncation psi", 0.2);
    assert_ne!(window.seen().image, oldest.image);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.seen(), oldest);
    // By keys, and by hand.
    window.press(Modifiers::NONE, Key::Period);
    assert_eq!(nimg(&window), Some(2 * TICK));
    window.press(Modifiers::NONE, Key::Comma);
    assert_eq!(window.seen(), oldest, "the same snapshot is the same image");
    window.drag("Snapshot", vec2(2000.0, 0.0));
    assert_eq!(nimg(&window), Some(5 * TICK));
    assert_eq!(window.seen(), newest);
    assert_eq!(window.state().pose(), &newest.pose);
    // A model of no run closes the strip.
    window.harness.state().commands().send(Command::OpenBundled);
    window.settle();
    assert!(window.state().timeline.run.is_none());
    assert!(window.harness.query_by_label("Snapshot").is_none());
}

#[test]
fn two_snapshots_are_compared_in_both_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = finished_run(folder.path());
    let mut window = open(&run);
    let one = window.seen();
    window.click("Snapshots: Side by side");
    let timeline = &window.state().timeline;
    assert_eq!(timeline.against.as_ref().map(|file| file.nimg), Some(TICK), "the first beside the newest");
    let size = window.state().picture.get().unwrap().1;
    assert_eq!(size, PairView::SideBySide.size([8, 8]));
    assert!(window.harness.query_by_label_contains("0.064 kimg  |").is_some());
    window.click("Snapshots: Difference");
    assert_eq!(window.state().picture.get().unwrap().1, [8, 8]);
    let difference = window.seen();
    assert_ne!(difference.image, one.image);
    window.click("Gain: \u{d7}16");
    assert_ne!(window.seen().image, difference.image);
    // Another one to compare with, chosen from the list.
    window.harness.get_by_label("Compared snapshot").click();
    window.settle();
    window.harness.get_by_label("0.192 kimg").click();
    window.settle();
    assert_eq!(window.state().timeline.against.as_ref().map(|file| file.nimg), Some(3 * TICK));
    // A snapshot against itself is black, whatever the gain.
    send(&mut window, TimelineCommand::Pin);
    let black = window.seen();
    send(&mut window, TimelineCommand::View(Some(PairView::Difference { gain: 1 })));
    assert_eq!(window.seen().image, black.image);
    window.set("Truncation psi", 0.3);
    assert_eq!(window.seen().image, black.image);
    window.press(Modifiers::COMMAND, Key::Z);
    window.set("Snapshot", 0.128);
    assert_ne!(window.seen().image, black.image, "the pinned one stays while the other moves");
    window.click("Snapshots: One");
    window.set("Snapshot", 0.32);
    assert_eq!(window.seen(), one);
}

#[test]
fn a_network_that_grew_is_compared_with_what_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("grows");
    let mut config = config(4 * TICK);
    let options = PresetOptions {
        resolution: 16,
        width: Width::Tiny,
        channel_max: Some(8),
        kimg: config.kimg,
        dataset: config.dataset.clone(),
        ..PresetOptions::default()
    };
    config = TrainConfig { intervals: config.intervals, ..Preset::StyleGan2D.build(&options).expect("a preset") };
    until_ended(&train_as(&run, config));
    let mut window = open(&run);
    let size = |window: &Window| window.state().picture.get().unwrap().1;
    assert_eq!(size(&window), [16, 16]);
    window.set("Snapshot", 0.001 * TICK as f64);
    assert_eq!(size(&window), [8, 8], "it had grown less");
    for view in [PairView::SideBySide, PairView::Difference { gain: 4 }] {
        for nimg in [4 * TICK, TICK] {
            window.set("Snapshot", 0.001 * nimg as f64);
            send(&mut window, TimelineCommand::Against(5 * TICK - nimg));
            send(&mut window, TimelineCommand::View(Some(view)));
            assert_eq!((size(&window), &window.state().error), (view.size([16, 16]), &None), "{view:?}");
        }
    }
}

#[test]
fn a_training_of_another_process_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = finished_run(folder.path());
    let mut window = open(&run);
    let before = window.seen();
    window.set("Snapshot", 0.064);
    window.harness.get_by_label("Follow the training").click();
    window.settle();
    assert!(window.state().timeline.follow);
    assert_eq!(window.seen(), before, "the newest is shown");
    // The run goes on elsewhere.
    let changes = stylescope::training::config::Changes { kimg: Some(0.008 * TICK as f64), ..Default::default() };
    let session =
        TrainingSession::start(run.clone(), TrainStart::Resume { changes }, Device::flex()).expect("a thread");
    until_ended(&session);
    window.wait_until("the newest is followed", |app| {
        app.state().model.as_ref().is_some_and(|model| model.nimg == Some(8 * TICK))
    });
    window.settle();
    let after = window.seen();
    assert_eq!(after.pose, before.pose);
    assert_ne!(after.image, before.image);
    // Who looks at the past is not carried away from there.
    window.set("Snapshot", 0.064);
    assert!(!window.state().timeline.follow);
    assert_eq!(nimg(&window), Some(TICK));
    window.press(Modifiers::NONE, Key::L);
    assert_eq!(window.seen(), after);
}

#[test]
fn the_run_is_exported_as_an_animation() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = finished_run(folder.path());
    let mut window = open(&run);
    let path = folder.path().join("sweep.png");
    assert!(!window.harness.get_by_label("Export run as animation\u{2026}").accesskit_node().is_disabled());
    send(&mut window, TimelineCommand::ExportTo(path.clone()));
    let said = window.state().toasts.shown().last().expect("a message").clone();
    assert_eq!((said.kind, said.text), (ToastKind::Success, format!("Exported {}", path.display())));
    let control = |path: &Path| {
        let reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
        (reader.info().size(), reader.info().animation_control().unwrap().num_frames)
    };
    assert_eq!(control(&path), ((8, 8), 5));
    assert_eq!(read_pose_file(&path).unwrap().pose, *window.state().pose());
    window.harness.get_by_label("Smooth animation").click();
    window.settle();
    send(&mut window, TimelineCommand::ExportTo(path.clone()));
    assert_eq!(control(&path), ((8, 8), 17));
    // Dropped on the window, it brings its pose back as any saved picture.
    let pose = window.state().pose().clone();
    window.harness.state().commands().edit(PoseEdit::Replace(Box::default()));
    window.settle();
    window.drop_file(&path);
    window.wait_until("the pose is read", move |app| *app.state().pose() == pose);
}

#[test]
fn a_training_in_the_window_is_followed_as_it_learns() {
    use stylescope::ui::training::TrainingCommand;
    let folder = tempfile::tempdir().expect("a folder");
    let mut window = Window::open(Start::Bundled);
    let mut form = window.state().training.form.clone();
    (form.resolution, form.batch, form.kimg, form.runs) = (8, 4, 1.0, Some(folder.path().to_owned()));
    let commands = window.harness.state().commands().clone();
    commands.send(Command::Training(TrainingCommand::Form(Box::new(form))));
    commands.send(Command::Training(TrainingCommand::Start));
    window.wait_until("the first weights are there", |app| app.state().live().is_some());
    commands.edit(PoseEdit::Seed(SeedPosition { x: 3.0, y: 0.0 }));
    window.press(Modifiers::NONE, Key::L);
    assert!(window.state().timeline.follow);
    window.wait_until("they are shown", |app| {
        let live = matches!(app.state().timeline.shown, Some(Snapshot::Live { .. }));
        live && app.state().model.as_ref().is_some_and(|model| model.nimg.is_some())
    });
    let (first, pose) = (nimg(&window), window.state().pose().clone());
    let resolution = window.state().model.as_ref().map(|model| model.config.resolution());
    assert_eq!((resolution, pose.seed.x), (Some(8), 3.0));
    let begun = Instant::now();
    window.wait_until("the next weights are shown", move |app| {
        app.state().model.as_ref().is_some_and(|model| model.nimg > first)
    });
    eprintln!("the next weights after {:?}", begun.elapsed());
    // Controls work meanwhile, and what was chosen stays when the next weights come.
    window.set("Truncation psi", 0.5);
    let then = nimg(&window);
    window.wait_until("they come again", move |app| app.state().model.as_ref().is_some_and(|model| model.nimg > then));
    assert_eq!((window.state().pose().truncation.psi, window.state().pose().seed), (0.5, pose.seed));
    commands.send(Command::Training(TrainingCommand::Stop));
    window.wait_until("it ended", |app| !app.state().training.is_active());
    window.settle();
}
