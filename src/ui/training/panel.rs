//! The training tab of the dock: choices on the left, charts in the middle, the live grid on the right.

use egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui, vec2};

use super::{
    Phase, Side, TrainingCommand, charts, grid, progress,
    question::TrainingQuestion,
    run_panel::{self, run_ui},
    setup::setup_ui,
};
use crate::ui::{
    command::{Command, CommandSender},
    panels::rows::{command_button, hint},
    state::AppState,
    theme::{self, ROW_HEIGHT},
    timeline::TimelineCommand,
    widgets::segmented::{Segment, segmented_ui},
};

/// Width of the choices, in points.
const CHOICES_WIDTH: f32 = 310.0;
/// A dock that is narrower has no room for the grid.
const GRID_FROM: f32 = 760.0;
/// Width of a button of the header.
const BUTTON_WIDTH: f32 = 66.0;

/// The line beside the tabs: what can be done now, and how far the training is.
pub fn header_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let phase = state.training.view.as_ref().map(|view| &view.phase);
    let pause = if matches!(phase, Some(Phase::Paused(_))) { "Go on" } else { "Pause" };
    let active = state.training.is_active();
    let button = |ui: &mut Ui, command: TrainingCommand, text: &str| {
        command_button(ui, state, commands, Command::Training(command), text, vec2(BUTTON_WIDTH, ROW_HEIGHT));
    };
    if active {
        button(ui, TrainingCommand::TogglePause, pause);
        button(ui, TrainingCommand::Stop, "Stop");
    } else {
        button(ui, TrainingCommand::Start, "Start");
        // The others keep their places.
        ui.add_space(BUTTON_WIDTH + ui.spacing().item_spacing.x);
    }
    button(ui, TrainingCommand::Snapshot, "Snapshot");
    button(ui, TrainingCommand::StepG, "Step G");
    button(ui, TrainingCommand::StepD, "Step D");
    let follow = Command::Timeline(TimelineCommand::ToggleFollow);
    let text = if state.timeline.follow { "\u{2714} Follow" } else { "Follow" };
    command_button(ui, state, commands, follow, text, vec2(BUTTON_WIDTH, ROW_HEIGHT));
    ui.separator();
    if let Some(view) = &state.training.view {
        progress::summary_ui(ui, view);
    }
}

/// What is below the tabs.
pub fn panel_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    if let Some(view) = state.training.view.as_ref().filter(|view| view.total > 0) {
        progress::progress_ui(ui, view);
        ui.add_space(theme::UNIT);
    }
    let wide = ui.available_width() > GRID_FROM;
    let side = |right: i8, left: i8| Frame::new().inner_margin(Margin { left, right, top: 0, bottom: 0 });
    let gap = theme::SECTION_GAP as i8;
    let choices = Panel::left("training choices").resizable(false).exact_size(CHOICES_WIDTH);
    choices.frame(side(gap, 0)).show(ui, |ui| choices_ui(ui, state, commands));
    if wide {
        let width = (ui.available_height() + theme::SECTION_GAP).min(0.4 * ui.available_width());
        let samples = Panel::right("training samples").resizable(false).exact_size(width).show_separator_line(false);
        samples.frame(side(0, gap)).show(ui, |ui| grid::grid_ui(ui, &state.training, commands));
    }
    CentralPanel::default().frame(side(0, gap)).show(ui, |ui| match &state.training.view {
        Some(view) => charts::charts_ui(ui, view),
        None => hint(ui, "Losses and what else is measured appear here once a training runs."),
    });
}

fn choices_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let training = &state.training;
    let run = run_panel::tab_text(Side::Run, training.view.as_ref());
    let sides = [
        Segment::new(Side::Setup, "Setup", "What the next training will be"),
        Segment::new(Side::Run, run.as_str(), "What is known of the training, and what to do about it"),
    ];
    let (_, change) = segmented_ui(ui, "Training", &sides, training.side);
    if let Some(change) = change {
        commands.send(Command::Training(TrainingCommand::Show(change.value)));
    }
    ui.add_space(theme::UNIT);
    let scrolled = ScrollArea::vertical().id_salt(("training choices", training.side)).auto_shrink(false);
    scrolled.show(ui, |ui| {
        // The reset marks must not lie under the scroll bar.
        ui.set_max_width(ui.available_width() - theme::SCROLL_BAR_WIDTH);
        match training.side {
            Side::Setup => setup_ui(ui, state, commands),
            Side::Run => {
                run_ui(ui, state, commands);
                exports_ui(ui, state, commands);
            }
        }
    });
}

fn exports_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    ui.add_space(theme::UNIT);
    ui.horizontal(|ui| {
        for (question, text) in
            [(TrainingQuestion::Csv, "Export CSV\u{2026}"), (TrainingQuestion::Png, "Export charts\u{2026}")]
        {
            let command = Command::Training(TrainingCommand::Ask(question));
            command_button(ui, state, commands, command, text, vec2(0.0, ROW_HEIGHT));
        }
    });
}
