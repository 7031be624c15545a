//! The training that runs or ran last: what it is, what is wrong with it, and what to do about that.

use egui::{Frame, Label, Margin, RichText, Ui};

use super::{Phase, Side, TrainingCommand, TrainingView, form::Control, progress};
use crate::{
    training::{diagnosis::Finding, preflight::quantity},
    ui::{
        command::{Command, CommandSender},
        panels::rows::{command_button, hint},
        state::AppState,
        theme::{self, Palette, ROW_HEIGHT},
    },
};

/// Draws what is known of the training.
pub fn run_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let Some(view) = &state.training.view else {
        hint(ui, "No training yet. Choose what to train under Setup, and start it.");
        return;
    };
    trouble_ui(ui, state, commands, view);
    for finding in &view.findings {
        finding_ui(ui, finding, commands);
    }
    for note in &view.notes {
        let text = RichText::new(note).color(Palette::of(ui.visuals()).warning);
        ui.add(Label::new(text).wrap().selectable(false));
    }
    facts_ui(ui, view);
}

/// What stopped the training, or keeps it from going on.
fn trouble_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, view: &TrainingView) {
    match &view.phase {
        Phase::Failed { error, proposal } => card_ui(ui, error, proposal, |ui| {
            let command = Command::Training(TrainingCommand::ResumeLast);
            command_button(ui, state, commands, command, "Resume it\u{2026}", egui::vec2(0.0, ROW_HEIGHT));
        }),
        Phase::Paused(Some(reason)) | Phase::Stopping(Some(reason)) => {
            let advice = "It is tried again every half minute. Free space or allow writing, then go on.";
            card_ui(ui, reason, advice, |_| {});
        }
        _ => {}
    }
}

fn finding_ui(ui: &mut Ui, finding: &Finding, commands: &CommandSender) {
    let control = Control::from(finding.control);
    card_ui(ui, &finding.sentence, &finding.advice, |ui| {
        let text = format!("Go to {}", control.label());
        if ui.button(text).on_hover_text("Show the setting, for when the run is resumed").clicked() {
            commands.send(Command::Training(TrainingCommand::GoTo(control)));
        }
    });
}

/// A sentence with what to do.
fn card_ui(ui: &mut Ui, sentence: &str, advice: &str, buttons: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui.visuals());
    let frame = Frame::new().fill(palette.raised).corner_radius(theme::RADIUS).inner_margin(Margin::symmetric(8, 6));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(Label::new(RichText::new(sentence).color(palette.strong)).wrap().selectable(true));
        ui.add(Label::new(RichText::new(advice).color(palette.weak)).wrap().selectable(true));
        buttons(ui);
    });
    ui.add_space(theme::UNIT);
}

fn facts_ui(ui: &mut Ui, view: &TrainingView) {
    let name = view.folder.file_name().unwrap_or(view.folder.as_os_str()).to_string_lossy().into_owned();
    let mut rows = vec![("Run", name)];
    if let Some(config) = &view.config {
        let (size, batch) = (config.resolution(), config.batch);
        rows.push(("Preset", format!("{} at {size}\u{d7}{size}, batch {batch}", config.preset)));
        rows.push(("Gamma", format!("{:.4}, rate {}", config.r1_gamma, config.generator_lr)));
    }
    if let Some([g, d]) = view.parameters {
        rows.push(("Parameters", format!("G {}, D {}", quantity(g as f64, ""), quantity(d as f64, ""))));
    }
    if view.total > 0 {
        rows.push(("Progress", progress::progress_text(view)));
    }
    if let Some(newest) = view.snapshots.last() {
        let kimg = newest.nimg as f64 / 1000.0;
        rows.push(("Snapshots", format!("{}, the newest at {kimg:.1} kimg", view.snapshots.len())));
    }
    egui::Grid::new("facts of the run").num_columns(2).min_col_width(theme::LABEL_WIDTH).show(ui, |ui| {
        for (name, value) in rows {
            ui.add(Label::new(RichText::new(name).weak()).selectable(false));
            let hover = if name == "Run" { view.folder.display().to_string() } else { value.clone() };
            ui.add(Label::new(RichText::new(value).font(theme::figures())).truncate().selectable(true))
                .on_hover_text(hover);
            ui.end_row();
        }
    });
}

/// The word on the switch to this side; the number of findings stands with it.
pub fn tab_text(side: Side, view: Option<&TrainingView>) -> String {
    let troubles = view.map_or(0, |view| {
        let failed = matches!(view.phase, Phase::Failed { .. } | Phase::Paused(Some(_)) | Phase::Stopping(Some(_)));
        view.findings.len() + usize::from(failed)
    });
    match (side, troubles) {
        (Side::Setup, _) => "Setup".into(),
        (Side::Run, 0) => "Run".into(),
        (Side::Run, count) => format!("Run ({count})"),
    }
}
