//! Training in the window, through real trainings of a few images: started, watched, stepped, saved, stopped, resumed, refused,
//! failed, and closed over.

use std::{fs, path::Path};

use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use image::RgbImage;
use stylescope::{
    session::PoseEdit,
    training::{
        config::{Ada, Loss},
        preset::{Preset, PresetOptions},
        run_folder::RunFolder,
        session::Fault,
    },
    ui::{
        app::{App, Start},
        command::Command,
        dock::DockTab,
        state::Dialog,
        toast::ToastKind,
        training::{
            Closing, Phase, Side, TrainingCommand, TrainingForm, TrainingQuestion, TrainingView,
            form::{AdaChoice, Control, DataChoice},
            look::LookReport,
        },
    },
};

use crate::window::Window;

/// A window with the training tab open, that makes its runs in `folder`: a network of 8x8 pixels, `kimg` thousand images.
fn open(folder: &Path, kimg: f64) -> Window {
    let mut window = Window::sized(Start::Bundled, vec2(1280.0, 1000.0), 0.5);
    let form =
        TrainingForm { resolution: 8, batch: 4, kimg, runs: Some(folder.join("runs")), ..TrainingForm::default() };
    tell(&mut window, TrainingCommand::Form(Box::new(form)));
    window.press(Modifiers::NONE, Key::F4);
    assert!(window.state().dock.shows(DockTab::Training));
    window
}

fn tell(window: &mut Window, command: TrainingCommand) {
    window.harness.state().commands().send(Command::Training(command));
    window.settle();
}

fn view(app: &App) -> &TrainingView {
    app.state().training.view.as_ref().expect("a training")
}

fn until(window: &mut Window, what: &str, done: impl Fn(&TrainingView) -> bool) {
    window.wait_until(what, |app| {
        let view = view(app);
        let phase = &view.phase;
        done(view) || matches!(phase, Phase::Failed { .. } | Phase::Ended { .. })
    });
    assert!(done(view(window.harness.state())), "{what}: {:?}", view(window.harness.state()).phase);
}

fn is_paused(view: &TrainingView) -> bool {
    view.phase == Phase::Paused(None)
}

/// Scrolls to a control of the form.
fn reach(window: &mut Window, name: &str) {
    window.harness.get_by_label(name).scroll_to_me();
    window.settle();
}

fn click(window: &mut Window, name: &str) {
    reach(window, name);
    window.click(name);
}

fn set(window: &mut Window, name: &str, value: f64) {
    reach(window, name);
    window.set(name, value);
}

fn last_toast(window: &Window) -> (ToastKind, String) {
    let toast = window.state().toasts.shown().last().expect("a message");
    (toast.kind, toast.text.clone())
}

#[test]
fn a_training_is_started_watched_stepped_stopped_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path(), 1000.0);
    // What it will take is told before it starts.
    assert!(window.state().training.plan.as_ref().is_some_and(|plan| plan.outcome.is_ok()));
    window.click("Start training");
    until(&mut window, "it runs", |view| view.phase == Phase::Running && view.progress.nimg > 0);
    assert_eq!(window.state().training.side, Side::Run);
    window.wait_until("the first samples are shown", |app| app.state().training.sample.is_some());
    let before = view(window.harness.state()).progress.nimg;
    until(&mut window, "it goes on", |view| view.progress.nimg > before + 40);
    assert!(window.harness.query_by_label_contains("Training progress").is_some());

    window.press(Modifiers::NONE, Key::F6);
    until(&mut window, "it pauses", is_paused);
    for (key, name) in [(Key::F7, "Step G"), (Key::F8, "Step D")] {
        let before = view(window.harness.state()).progress.iteration;
        window.press(Modifiers::NONE, key);
        until(&mut window, name, |view| is_paused(view) && view.progress.iteration == before + 1);
    }
    window.press(Modifiers::NONE, Key::F3);
    until(&mut window, "a snapshot is written", |view| !view.snapshots.is_empty());
    let paused = view(window.harness.state()).clone();
    assert!(paused.snapshots.iter().any(|file| file.nimg == paused.progress.nimg && file.path.is_file()));

    window.click("Pause or go on training");
    until(&mut window, "it goes on", |view| view.phase == Phase::Running);
    window.press(Modifiers::SHIFT, Key::F5);
    window.wait_until("it stops", |app| view(app).phase == Phase::Ended { complete: false });
    let stopped = view(window.harness.state()).clone();
    assert!(fs::read_dir(stopped.folder.join("checkpoints")).unwrap().count() > 0);

    tell(&mut window, TrainingCommand::ResumeLast);
    window.wait_until("the run is read", |app| app.state().training.run.is_some());
    window.click("Start training");
    until(&mut window, "it goes on where it was", |view| view.progress.nimg > stopped.progress.nimg);
    let resumed = view(window.harness.state());
    assert_eq!(resumed.folder, stopped.folder);
    assert!(resumed.history.len() >= stopped.history.len(), "the charts begin where the run began");
    window.press(Modifiers::SHIFT, Key::F5);
    window.wait_until("it stops again", |app| view(app).phase == Phase::Ended { complete: false });
}

#[test]
fn a_finished_training_has_charts_a_table_and_samples_that_are_poses() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path(), 0.032);
    let form = window.state().training.form.clone();
    let (loss, ada) = (Some(Loss::Relativistic), AdaChoice::Fixed);
    let form = TrainingForm { loss, ada, ada_p: 0.3, classes: true, ..form };
    tell(&mut window, TrainingCommand::Form(Box::new(form)));
    window.click("Start training");
    window.wait_until("it is done", |app| view(app).phase == Phase::Ended { complete: true });
    let done = view(window.harness.state()).clone();
    let trained = done.config.as_ref().unwrap();
    assert_eq!((trained.loss, trained.ada), (Loss::Relativistic, Ada::Fixed { p: 0.3 }));
    assert_eq!((trained.r2_gamma, trained.generator.label_dim()), (trained.r1_gamma, 11));
    assert_eq!((done.progress.nimg, done.history.is_empty()), (32, false));
    assert!(done.charts[0].curves.iter().all(|curve| !curve.points.is_empty()), "both losses are drawn");
    for chart in ["Losses", "D's signs", "R1", "Path length", "ADA p", "Diversity"] {
        assert!(window.harness.query_by_label(chart).is_some(), "{chart}");
    }

    let table = folder.path().join("history.csv");
    tell(&mut window, TrainingCommand::Chosen(TrainingQuestion::Csv, table.clone()));
    window.wait_until("the table is written", |_| table.exists());
    let text = fs::read_to_string(&table).unwrap();
    assert!(text.starts_with("nimg,kimg,iteration,seconds,") && text.contains("loss_g"), "{text}");
    assert_eq!(text.lines().count(), 1 + done.history.len());

    // The newest sample is that of the end, and so is the newest snapshot.
    window.wait_until("the last samples are shown", |app| {
        app.state().training.sample.as_ref().is_some_and(|sample| sample.nimg == 32)
    });
    window.harness.state().commands().send(Command::OpenPath(done.folder.clone()));
    window.settle();
    window.harness.state().commands().edit(PoseEdit::Psi(0.5));
    window.settle();
    window.click("Sample of seed 13");
    let pose = window.state().pose();
    assert_eq!((pose.seed.x, pose.seed.y, pose.class, pose.truncation.psi), (13.0, 0.0, 5, 1.0));
    let image = folder.path().join("image.png");
    window.harness.state().commands().send(Command::SaveImageTo(image.clone()));
    window.settle();
    let grid = image::open(done.folder.join("samples/000000032.png")).unwrap().into_rgb8();
    let (row, column) = (13 / 8, 13 % 8);
    let cell = image::imageops::crop_imm(&grid, column * 8, row * 8, 8, 8).to_image();
    assert_eq!(image::open(&image).unwrap().into_rgb8(), cell, "the pose is the image of the cell");
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.state().pose().truncation.psi, 0.5, "one step of undo");
}

#[test]
fn a_second_training_is_refused_kindly() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path(), 1000.0);
    window.press(Modifiers::NONE, Key::F5);
    until(&mut window, "it runs", |view| view.phase == Phase::Running);
    let first = view(window.harness.state()).folder.clone();
    window.press(Modifiers::NONE, Key::F5);
    let (kind, text) = last_toast(&window);
    assert!(kind == ToastKind::Info && text.contains("under way"), "{text}");
    assert_eq!(view(window.harness.state()).folder, first);
    window.press(Modifiers::SHIFT, Key::F5);
    window.wait_until("it stops", |app| !view(app).phase.is_active());

    // A run that another process trains.
    let taken = folder.path().join("taken");
    let config = Preset::StyleGan2E.build(&PresetOptions { resolution: 8, ..PresetOptions::default() }).unwrap();
    let lock = RunFolder::create(&taken, config, String::new()).unwrap();
    tell(&mut window, TrainingCommand::Chosen(TrainingQuestion::Run, taken.clone()));
    window.wait_until("the run is read", |app| app.state().training.run.is_some());
    window.click("Start training");
    window.wait_until("it is refused", |app| matches!(view(app).phase, Phase::Failed { .. }));
    let Phase::Failed { error, .. } = view(window.harness.state()).phase.clone() else { unreachable!() };
    assert!(error.contains("another process"), "{error}");
    assert!(window.harness.query_by_label_contains("another process").is_some());
    drop(lock);
}

#[test]
fn closing_over_a_training_asks_and_saves() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path(), 1000.0);
    window.click("Start training");
    until(&mut window, "it has begun", |view| view.progress.nimg > 20);
    window.press(Modifiers::COMMAND, Key::Q);
    assert_eq!(window.state().training.closing, Some(Closing::Asking));
    window.click("Keep training");
    assert_eq!(window.state().training.closing, None);
    assert!(view(window.harness.state()).phase.is_active());
    window.press(Modifiers::COMMAND, Key::Q);
    window.harness.get_by_label("Save and close").click();
    window.wait_until("the window may go", |app| app.state().training.closing == Some(Closing::Done));
    let ended = view(window.harness.state());
    assert_eq!(ended.phase, Phase::Ended { complete: false });
    assert!(fs::read_dir(ended.folder.join("checkpoints")).unwrap().count() > 0);
}

#[test]
fn failures_become_messages_and_the_explorer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path(), 1000.0);
    for (fault, said) in [(Fault::Panic, "asked for"), (Fault::LostDevice, "lost"), (Fault::NotFinite, "no numbers")] {
        tell(&mut window, TrainingCommand::Start);
        until(&mut window, "it runs", |view| view.phase == Phase::Running && view.progress.nimg > 0);
        tell(&mut window, TrainingCommand::Inject(fault));
        window.wait_until("it fails", |app| matches!(view(app).phase, Phase::Failed { .. }));
        let Phase::Failed { error, proposal } = view(window.harness.state()).phase.clone() else { unreachable!() };
        assert!(error.contains(said) && !proposal.is_empty(), "{fault:?}: {error}; {proposal}");
        for text in [&error, &proposal] {
            assert!(window.harness.query_all_by_label(text).count() > 0, "{text}");
        }
        let before = window.seen();
        window.set("Truncation psi", 0.4);
        assert_ne!(window.seen().image, before.image, "{fault:?}: the image follows");
        window.press(Modifiers::COMMAND, Key::Z);
    }
    // A run that failed can go on.
    tell(&mut window, TrainingCommand::ResumeLast);
    window.wait_until("the run is read", |app| app.state().training.run.is_some());
    tell(&mut window, TrainingCommand::Start);
    until(&mut window, "it goes on", |view| view.phase == Phase::Running);
    window.press(Modifiers::SHIFT, Key::F5);
    window.wait_until("it stops", |app| !view(app).phase.is_active());
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut window = open(&file, 1.0);
    window.click("Start training");
    window.wait_until("it fails", |app| matches!(view(app).phase, Phase::Failed { .. }));
    let Phase::Failed { error, proposal } = view(window.harness.state()).phase.clone() else { unreachable!() };
    assert!(error.contains("cannot be made") && proposal.contains("folder"), "{error}; {proposal}");
    window.set("Truncation psi", 0.4);
    assert_eq!(window.state().pose().truncation.psi, 0.4);
}

#[test]
fn the_form_checks_suggests_and_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(folder.path(), 1.0);
    let suggested = window.state().training.suggestions().gamma;
    assert!(suggested > 0.0);
    set(&mut window, "Batch size", 16.0);
    assert_eq!(window.state().training.form.batch, 16);
    assert!((window.state().training.suggestions().gamma - suggested / 4.0).abs() < 1e-9, "gamma follows the batch");
    set(&mut window, "R1 gamma", 0.5);
    assert_eq!(window.state().training.form.gamma, Some(0.5));
    window.harness.get_by_label("R1 gamma").click_secondary();
    window.settle();
    assert_eq!(window.state().training.form.gamma, None);
    click(&mut window, "Training preset");
    window.click("stylegan-f");
    assert_eq!(window.state().training.form.preset, Preset::StyleGanF);
    click(&mut window, "Loss: Relativistic");
    click(&mut window, "ADA: Fixed");
    set(&mut window, "Augmentation probability", 0.4);
    click(&mut window, "Training by class");
    let form = &window.state().training.form;
    assert_eq!(
        (form.loss, form.ada, form.ada_p, form.classes),
        (Some(Loss::Relativistic), AdaChoice::Fixed, 0.4, true)
    );
    let outcome = window.state().training.plan.as_ref().map(|plan| plan.outcome.clone());
    assert!(outcome.is_some_and(|outcome| outcome.is_ok()));

    // What cannot be is told where it can be mended, and Start goes there.
    set(&mut window, "Batch size", 6.0);
    window.click("Start training");
    assert_eq!(window.state().training.go_to.map(|arrival| arrival.control), Some(Control::Batch));
    assert!(window.harness.get_by_label("Batch size").accesskit_node().is_focused());
    assert!(window.state().training.view.is_none());
    let kept = window.state().settings().training;
    assert_eq!(
        (kept.batch, kept.loss.as_deref(), kept.ada.as_str(), kept.ada_p),
        (6, Some("relativistic"), "fixed", 0.4)
    );
    assert!(kept.classes);
}

#[test]
fn images_are_looked_at_before_they_are_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for i in 0..3u8 {
        RgbImage::from_pixel(16, 16, image::Rgb([80 * i, 0, 0])).save(images.join(format!("{i}.png"))).unwrap();
    }
    fs::write(images.join("broken.png"), "no image").unwrap();
    let mut window = open(folder.path(), 1.0);
    window.wait_until("portraits are shown", |app| !app.state().training.look.thumbnails.is_empty());
    // The system's dialog may hang for good or not come at all: a path can be typed.
    window.harness.state().commands().send(Command::Training(TrainingCommand::Ask(TrainingQuestion::DataFolder)));
    window.wait_until("it asks", |app| app.state().dialog.is_some() || app.state().asking.is_some());
    if window.state().dialog.is_none() {
        window.harness.state().commands().send(Command::Training(TrainingCommand::Ask(TrainingQuestion::DataFolder)));
    }
    let typed = Dialog::TrainingTyped(TrainingQuestion::DataFolder);
    window.wait_until("it asks for a path", move |app| app.state().dialog == Some(typed));
    window.harness.get_by_label("Path").type_text(&images.display().to_string());
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(window.state().training.form.data, DataChoice::Path(images.clone()));
    window
        .wait_until("they were looked at", |app| matches!(app.state().training.look.report, Some(LookReport::Done(_))));
    let Some(LookReport::Done(report)) = &window.state().training.look.report else { unreachable!() };
    assert!(!report.usable && report.sentences.iter().any(|sentence| sentence.contains("broken.png")));
    assert!(window.harness.query_by_label_contains("broken.png").is_some());

    fs::remove_file(images.join("broken.png")).unwrap();
    let form = TrainingForm { mirror: true, ..window.state().training.form.clone() };
    tell(&mut window, TrainingCommand::Form(Box::new(form)));
    window.wait_until(
        "they were looked at again",
        |app| matches!(&app.state().training.look.report, Some(LookReport::Done(report)) if report.usable),
    );
    window.wait_until("they are shown", |app| app.state().training.look.thumbnails.len() == 3);

    // Without classes they cannot be trained by class, and the switch says why.
    let greyed = |window: &Window| window.harness.get_by_label("Training by class").accesskit_node().is_disabled();
    assert!(greyed(&window) && window.state().training.classes().is_err_and(|why| why.contains("dataset.json")));
    fs::write(images.join("dataset.json"), r#"{"labels": [["0.png", 0], ["1.png", 3], ["2.png", 1]]}"#).unwrap();
    let form = TrainingForm { mirror: false, ..window.state().training.form.clone() };
    tell(&mut window, TrainingCommand::Form(Box::new(form)));
    window.wait_until("the classes are found", |app| app.state().training.classes() == Ok(4));
    assert!(!greyed(&window));
    click(&mut window, "Training by class");
    let takes = window.state().training.plan.as_ref().map(|plan| plan.outcome.is_ok());
    assert_eq!((window.state().training.form.classes, takes), (true, Some(true)));
}
