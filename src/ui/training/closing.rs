//! The question that a window asks when it is closed while a training is under way.

use egui::{Frame, Id, Label, Margin, Modal, RichText};

use super::{Closing, Phase, TrainingCommand};
use crate::ui::{
    command::{Command, CommandSender},
    state::AppState,
    theme,
};

/// Width of the question, in points.
const WIDTH: f32 = 400.0;

/// Draws the question, or how far the saving is.
pub fn closing_ui(ctx: &egui::Context, state: &AppState, commands: &CommandSender) {
    let Some(closing) = state.training.closing else { return };
    let palette = theme::Palette::of(&ctx.global_style().visuals);
    let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(theme::DIALOG_MARGIN));
    let modal = Modal::new(Id::unique("closing while training")).backdrop_color(palette.backdrop).frame(frame);
    let shown = modal.show(ctx, |ui| {
        ui.set_width(WIDTH.min(ctx.content_rect().width() - 48.0));
        let button = |ui: &mut egui::Ui, command: TrainingCommand| {
            if ui.button(command.label()).on_hover_text(command.tooltip()).clicked() {
                commands.send(Command::Training(command));
            }
        };
        match closing {
            Closing::Asking => {
                ui.heading("A training is under way");
                ui.add_space(theme::UNIT);
                ui.add(Label::new("It can be saved and resumed later from where it is.").wrap());
                ui.add_space(theme::SECTION_GAP);
                ui.horizontal(|ui| {
                    button(ui, TrainingCommand::SaveAndClose);
                    button(ui, TrainingCommand::KeepOpen);
                });
            }
            Closing::Saving | Closing::Done => {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.heading("Saving the training");
                });
                let trouble = match state.training.view.as_ref().map(|view| &view.phase) {
                    Some(Phase::Stopping(Some(trouble))) => trouble,
                    _ => return,
                };
                ui.add_space(theme::UNIT);
                ui.add(Label::new(RichText::new(trouble).color(palette.error)).wrap().selectable(true));
                ui.add(Label::new("It is tried again every half minute. Make room, or close without saving.").wrap());
                ui.add_space(theme::SECTION_GAP);
                ui.horizontal(|ui| {
                    button(ui, TrainingCommand::CloseUnsaved);
                    button(ui, TrainingCommand::KeepOpen);
                });
            }
        }
    });
    if shown.should_close() && closing == Closing::Asking {
        commands.send(Command::Training(TrainingCommand::KeepOpen));
    }
}
