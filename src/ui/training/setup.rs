//! The choices for the next training, a row each.

use std::path::Path;

use egui::{Align, ComboBox, Label, Layout, Response, RichText, Ui, vec2};

use super::{
    TrainingCommand, TrainingForm, TrainingState,
    data_panel::data_ui,
    form::{BATCHES, Begin, Control, DataChoice, KIMGS, WIDTHS},
    game_rows::game_rows,
    preflight_panel::preflight_ui,
    question::TrainingQuestion,
};
use crate::{
    model::config::resolutions,
    training::preset::{Preset, Width},
    ui::{
        command::{Command, CommandSender},
        panels::rows::{command_button, hint},
        state::AppState,
        theme::ROW_HEIGHT,
        widgets::{
            Change, Number, Row,
            segmented::{Segment, focus, segmented_ui},
        },
    },
};

const DATA: &str = "The images to learn from. The built-in portraits are drawn from known factors, and never end.";
const BEGIN: &str = "Fresh weights, the weights of the open model (transfer), or the newest checkpoint of a run.";
const PRESET: &str = "A row of the papers' tables: what the networks are and how they are trained.";
const SIZE: &str = "Side of the images in pixels.";
const WIDTH: &str = "Feature maps of the networks. Twice as many take about four times as long.";
const BATCH: &str =
    "Images of one step. More are steadier and take more memory; a multiple of 4 suits the discriminator's groups.";
const LENGTH: &str =
    "Thousands of real images shown to the discriminator. Small images begin to look right after some hundred.";
const GAMMA: &str = "Weight of R1, the penalty on D's gradient. Too small and D becomes sure of itself, too large and it learns \
                     nothing. The suggestion is 0.0002 * size\u{b2} / batch; try 2 to 4 times as much, or as little.";
const RATE: &str = "Learning rate of both networks. Half of it steadies a training whose losses run away.";
const SEED: &str = "Of every draw: the first weights, the order of images, latents and noise.";
const RUNS: &str = "Each training gets a numbered folder in here.";

/// Width of the buttons that ask for a path, in points.
const CHOOSE_WIDTH: f32 = 74.0;

/// Draws the form; whatever is changed is sent as a new one.
pub fn setup_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let training = &state.training;
    let mut form = training.form.clone();
    if training.is_active() {
        hint(ui, "These are for the next training.");
    }
    data_rows(ui, state, commands, &mut form);
    begin_rows(ui, state, commands, &mut form);
    // A run that goes on keeps its networks; only some numbers may change.
    let fixed = (form.begin == Begin::Resume).then_some("A run that goes on keeps this.");
    preset_rows(ui, training, &mut form, fixed);
    number_rows(ui, training, &mut form, fixed);
    game_rows(ui, training, &mut form, fixed);
    runs_row(ui, state, commands, &form, fixed);
    preflight_ui(ui, training);
    if form != training.form {
        commands.send(Command::Training(TrainingCommand::Form(Box::new(form))));
    }
}

/// Shows the row if somebody was sent to it: scrolls there and gives its control the focus.
pub(super) fn arrive(ui: &Ui, training: &TrainingState, control: Control, response: &Response) {
    let Some(sent) = training.go_to.filter(|sent| sent.control == control) else { return };
    let memory = egui::Id::unique("last arrival in the training form");
    if ui.data(|data| data.get_temp::<u64>(memory)) != Some(sent.number) {
        ui.data_mut(|data| data.insert_temp(memory, sent.number));
        ui.scroll_to_rect(response.rect, Some(Align::Center));
        focus(ui, response);
    }
}

fn data_rows(ui: &mut Ui, state: &AppState, commands: &CommandSender, form: &mut TrainingForm) {
    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        Portraits,
        Folder,
        Zip,
    }
    let training = &state.training;
    let kind = match &form.data {
        DataChoice::Portraits => Kind::Portraits,
        DataChoice::Path(path) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) => Kind::Zip,
        DataChoice::Path(_) => Kind::Folder,
    };
    let kinds = [
        Segment::new(Kind::Portraits, "Portraits", "The built-in set: drawn cartoons, endless"),
        Segment::new(Kind::Folder, "Folder\u{2026}", "A folder of images, also nested"),
        Segment::new(Kind::Zip, "Zip\u{2026}", "A zip archive of images"),
    ];
    let lacking = (form.begin == Begin::Resume).then_some("A run that goes on keeps its images.");
    let row = Row::new("Images", "Images to train on", DATA).changed(kind != Kind::Portraits).lacking(lacking);
    let output = row.show(ui, |ui| segmented_ui(ui, "Images", &kinds, kind));
    let ask = |question| commands.send(Command::Training(TrainingCommand::Ask(question)));
    match output.change.map(|change: Change<Kind>| change.value) {
        Some(Kind::Folder) => ask(TrainingQuestion::DataFolder),
        Some(Kind::Zip) => ask(TrainingQuestion::DataZip),
        Some(Kind::Portraits) => form.data = DataChoice::Portraits,
        None => {}
    }
    if output.reset {
        form.data = DataChoice::Portraits;
    }
    arrive(ui, training, Control::Data, &output.response);
    if let DataChoice::Path(path) = &form.data {
        let question = if kind == Kind::Zip { TrainingQuestion::DataZip } else { TrainingQuestion::DataFolder };
        path_row(ui, state, commands, ("", DATA), path, question);
    }
    data_ui(ui, &training.look);
}

fn begin_rows(ui: &mut Ui, state: &AppState, commands: &CommandSender, form: &mut TrainingForm) {
    let training = &state.training;
    let mut open =
        Segment::new(Begin::OpenModel, "Model", "The weights of the open model, where they fit: transfer learning");
    open.lacking = state.model.is_none().then_some("Open a model first.");
    let begins = [
        Segment::new(Begin::Scratch, "Scratch", "Fresh weights"),
        open,
        Segment::new(Begin::Resume, "Resume", "Go on with a run, from its newest checkpoint"),
    ];
    let row = Row::new("Begin", "What the training begins with", BEGIN).changed(form.begin != Begin::Scratch);
    let output = row.show(ui, |ui| segmented_ui(ui, "Begin", &begins, form.begin));
    if let Some(begin) = output.change.map(|change| change.value).or(output.reset.then_some(Begin::Scratch)) {
        form.begin = begin;
        if begin == Begin::Resume && form.last_run.is_none() {
            commands.send(Command::Training(TrainingCommand::Ask(TrainingQuestion::Run)));
        }
    }
    arrive(ui, training, Control::Begin, &output.response);
    if form.begin == Begin::Resume {
        let run = form.last_run.as_deref().unwrap_or(Path::new("no run chosen"));
        path_row(ui, state, commands, ("Run", BEGIN), run, TrainingQuestion::Run);
    }
}

/// A path, and a button that asks for another.
fn path_row(
    ui: &mut Ui,
    state: &AppState,
    commands: &CommandSender,
    (label, tooltip): (&str, &str),
    path: &Path,
    ask: TrainingQuestion,
) -> Response {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let row = Row::new(label, ask.title(), tooltip).show::<()>(ui, |ui| {
        let button = vec2(CHOOSE_WIDTH, ROW_HEIGHT);
        let space = vec2((ui.available_width() - button.x - ui.spacing().item_spacing.x).max(24.0), button.y);
        let left = Layout::left_to_right(Align::Center);
        let place = ui.allocate_ui_with_layout(space, left, |ui| {
            ui.set_min_width(space.x);
            ui.add(Label::new(RichText::new(name).weak()).truncate().selectable(false))
        });
        place.inner.on_hover_text(path.display().to_string());
        let command = Command::Training(TrainingCommand::Ask(ask));
        (command_button(ui, state, commands, command, "Choose\u{2026}", button), None)
    });
    row.response
}

fn preset_rows(ui: &mut Ui, training: &TrainingState, form: &mut TrainingForm, fixed: Option<&str>) {
    let row = Row::new("Preset", "Training preset", PRESET).changed(form.preset != Preset::StyleGan2E).lacking(fixed);
    let output = row.show(ui, |ui| {
        let entries = Preset::ALL.map(|preset| (preset, preset.name().to_owned(), preset.sentence()));
        combo_ui(ui, "Training preset", &entries, form.preset)
    });
    if let Some(preset) = output.change.or(output.reset.then_some(Preset::StyleGan2E)) {
        form.preset = preset;
    }
    arrive(ui, training, Control::Preset, &output.response);
    hint(ui, form.preset.sentence());

    let lacking = fixed.or((form.begin == Begin::OpenModel).then_some("The open model decides it."));
    let row = Row::new("Size", "Size of the images", SIZE).changed(form.resolution != 32).lacking(lacking);
    let output = row.show(ui, |ui| {
        let sizes: Vec<_> =
            resolutions(1024).filter(|side| *side >= 8).map(|side| (side, format!("{side}\u{d7}{side}"), "")).collect();
        combo_ui(ui, "Size of the images", &sizes, form.resolution)
    });
    if let Some(side) = output.change.or(output.reset.then_some(32)) {
        form.resolution = side;
    }
    arrive(ui, training, Control::Resolution, &output.response);

    let tips = [
        "For a processor and an hour: at most 64 feature maps",
        "For a processor and days, or a small graphics card: at most 256",
        "As in the papers: at most 512",
    ];
    let widths: Vec<_> = WIDTHS.iter().zip(tips).map(|((width, name), tip)| Segment::new(*width, name, tip)).collect();
    let row = Row::new("Width", "Width of the networks", WIDTH).changed(form.width != Width::Tiny).lacking(lacking);
    let output = row.show(ui, |ui| segmented_ui(ui, "Width", &widths, form.width));
    if let Some(width) = output.change.map(|change| change.value).or(output.reset.then_some(Width::Tiny)) {
        form.width = width;
    }
    arrive(ui, training, Control::Width, &output.response);
}

fn number_rows(ui: &mut Ui, training: &TrainingState, form: &mut TrainingForm, fixed: Option<&str>) {
    let default = TrainingForm::default();
    let row = Row::new("Batch", "Batch size", BATCH).changed(form.batch != default.batch).lacking(fixed);
    let range = *BATCHES.start() as f64..=*BATCHES.end() as f64;
    let output = row.show(ui, |ui| value(Number::new("Batch size", form.batch as f64, range).integer().show(ui)));
    if let Some(batch) = output.change.map(|batch| batch as usize).or(output.reset.then_some(default.batch)) {
        form.batch = batch;
    }
    arrive(ui, training, Control::Batch, &output.response);

    let row = Row::new("Length", "Training length", LENGTH).changed(form.kimg != default.kimg);
    let output = row.show(ui, |ui| {
        let decimals = if form.kimg < 10.0 { 2 } else { 0 };
        let speed = (0.01 * form.kimg).max(0.01);
        value(Number::new("Training length", form.kimg, KIMGS).decimals(decimals).speed(speed).suffix(" kimg").show(ui))
    });
    if let Some(kimg) = output.change.or(output.reset.then_some(default.kimg)) {
        form.kimg = kimg;
    }
    arrive(ui, training, Control::Kimg, &output.response);

    let suggested = training.suggestions().gamma;
    let lacking = (suggested == 0.0).then_some("WGAN-GP has a penalty of its own.");
    let row = Row::new("Gamma", "R1 gamma", GAMMA).changed(form.gamma.is_some()).lacking(lacking);
    let output = row.show(ui, |ui| {
        let gamma = form.gamma.unwrap_or(suggested);
        value(Number::new("R1 gamma", gamma, 0.0..=1000.0).decimals(4).speed((0.01 * gamma).max(0.0005)).show(ui))
    });
    if output.change.is_some() || output.reset {
        form.gamma = output.change;
    }
    arrive(ui, training, Control::Gamma, &output.response);

    let suggested = training.suggestions().learning_rate;
    let row = Row::new("Rate", "Learning rate", RATE).changed(form.learning_rate.is_some());
    let output = row.show(ui, |ui| {
        let rate = form.learning_rate.unwrap_or(suggested);
        value(Number::new("Learning rate", rate, 1e-5..=0.1).decimals(5).speed((0.01 * rate).max(1e-5)).show(ui))
    });
    if output.change.is_some() || output.reset {
        form.learning_rate = output.change;
    }
    arrive(ui, training, Control::LearningRate, &output.response);

    let row = Row::new("Seed", "Seed of the training", SEED).changed(form.seed != 0).lacking(fixed);
    let range = 0.0..=f64::from(u32::MAX);
    let output =
        row.show(ui, |ui| value(Number::new("Seed of the training", form.seed.into(), range).integer().show(ui)));
    if let Some(seed) = output.change.map(|seed| seed as u32).or(output.reset.then_some(0)) {
        form.seed = seed;
    }
}

fn runs_row(ui: &mut Ui, state: &AppState, commands: &CommandSender, form: &TrainingForm, fixed: Option<&str>) {
    if fixed.is_some() {
        return;
    }
    let response = path_row(ui, state, commands, ("Runs", RUNS), &form.runs_folder(), TrainingQuestion::Runs);
    arrive(ui, &state.training, Control::Runs, &response);
}

/// The value without its gesture: there is no undo here.
pub(super) fn value((response, change): (Response, Option<Change<f64>>)) -> (Response, Option<f64>) {
    (response, change.map(|change| change.value))
}

/// One of many: value, name, tooltip.
fn combo_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    entries: &[(T, String, &str)],
    current: T,
) -> (Response, Option<T>) {
    let mut chosen = None;
    let text = entries.iter().find(|(value, ..)| *value == current).map_or("", |(_, text, _)| text.as_str());
    let combo = ComboBox::from_id_salt(name).width(ui.available_width()).selected_text(text).height(320.0);
    let inner = combo.show_ui(ui, |ui| {
        for (value, text, tooltip) in entries {
            let entry = ui.selectable_label(*value == current, text);
            let entry = if tooltip.is_empty() { entry } else { entry.on_hover_text(*tooltip) };
            if entry.clicked() && *value != current {
                chosen = Some(*value);
            }
        }
    });
    (inner.response.accessible_name(name), chosen)
}
