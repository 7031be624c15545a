//! The dialogs over the window. None asks a question, so all close with Esc or a click beside them.

use egui::{Align2, Frame, Grid, Id, Label, Margin, Modal, RichText, ScrollArea, Ui, vec2};

use super::{
    command::{Command, CommandSender, Group, keys_text},
    palette,
    state::{AppState, Dialog},
    theme, typed_path,
};

/// Keys and mouse movements that are no commands of their own.
const GESTURES: [(&str, &str); 8] = [
    ("Drag on the image", "Walk through the plane of seeds"),
    ("Wheel, pinch", "Zoom at the pointer"),
    ("Middle drag, Space + drag", "Move the image"),
    ("Double click on the image", "Fit it again"),
    ("Hold C", "Compare with the unedited pose"),
    ("Double click on a number", "Type it"),
    ("Right click on a control", "Reset it"),
    ("Arrow keys", "Nudge the focused control"),
];

/// Draws the dialog that is open.
pub fn dialog_ui(ctx: &egui::Context, state: &AppState, commands: &CommandSender) {
    let Some(dialog) = state.dialog else { return };
    let palette = theme::Palette::of(&ctx.global_style().visuals);
    let width = (ctx.content_rect().width() - 48.0).min(theme::DIALOG_WIDTH);
    let modal = Modal::new(Id::unique(("dialog", dialog))).backdrop_color(palette.backdrop);
    // The top edge stays where it is while a list of hits grows and shrinks.
    let height = ctx.content_rect().height();
    let area = Modal::default_area(Id::unique(("dialog", dialog)))
        .anchor(Align2::CENTER_TOP, vec2(0.0, (0.12 * height).round()))
        .default_size(vec2(width, 0.8 * height));
    let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(theme::DIALOG_MARGIN));
    let modal = modal.area(area).frame(frame);
    let shown = modal.show(ctx, |ui| {
        ui.set_width(width);
        match dialog {
            Dialog::OpenTyped
            | Dialog::SaveTyped
            | Dialog::ExportTyped(_)
            | Dialog::SweepTyped
            | Dialog::TrainingTyped(_) => typed_path::typed_path_ui(ui, dialog, state, commands),
            Dialog::Palette => palette::palette_ui(ui, state, commands),
            Dialog::Shortcuts => shortcuts_ui(ui),
            Dialog::ModelDetails => details_ui(ui, state),
            Dialog::About => about_ui(ui),
        }
        if matches!(dialog, Dialog::Shortcuts | Dialog::ModelDetails | Dialog::About) {
            ui.add_space(theme::SECTION_GAP);
            if ui.button("Close").clicked() {
                commands.send(Command::CloseDialog);
            }
        }
    });
    if shown.should_close() {
        commands.send(Command::CloseDialog);
    }
}

fn shortcuts_ui(ui: &mut Ui) {
    ui.heading("Keyboard shortcuts");
    ui.add_space(theme::UNIT);
    let height = ui.ctx().content_rect().height() * 0.7 - 60.0;
    ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        for group in Group::ALL {
            let commands = group.commands().into_iter().flatten().filter(|command| !command.shortcuts().is_empty());
            let rows = commands.map(|command| (keys(ui.ctx(), &command), command.label()));
            group_ui(ui, group.label(), rows.collect());
        }
        group_ui(ui, "Mouse", GESTURES.map(|(keys, what)| (keys.to_owned(), what.to_owned())).into());
    });
}

fn group_ui(ui: &mut Ui, name: &str, rows: Vec<(String, String)>) {
    ui.add_space(theme::UNIT);
    ui.strong(name);
    Grid::new(("shortcuts", name)).num_columns(2).min_col_width(190.0).show(ui, |ui| {
        for (keys, what) in rows {
            ui.label(RichText::new(keys).font(theme::figures()));
            ui.label(what);
            ui.end_row();
        }
    });
}

fn keys(ctx: &egui::Context, command: &Command) -> String {
    let keys: Vec<_> = command.shortcuts().iter().map(|shortcut| keys_text(ctx, shortcut)).collect();
    keys.join(", ")
}

fn details_ui(ui: &mut Ui, state: &AppState) {
    ui.heading("Model details");
    ui.add_space(theme::UNIT);
    let Some(model) = &state.model else { return };
    let height = ui.ctx().content_rect().height() * 0.7 - 60.0;
    ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        if let Some(notice) = &model.notice {
            ui.add(Label::new(RichText::new(notice).color(theme::Palette::of(ui.visuals()).warning)).wrap());
        }
        for line in &model.details {
            ui.add(Label::new(RichText::new(line).font(theme::figures())).wrap().selectable(true));
        }
    });
}

fn about_ui(ui: &mut Ui) {
    ui.heading(format!("Stylescope {}", env!("CARGO_PKG_VERSION")));
    ui.add_space(theme::UNIT);
    ui.add(Label::new(env!("CARGO_PKG_DESCRIPTION")).wrap());
    ui.add_space(theme::UNIT);
    ui.weak(concat!("Licence: ", env!("CARGO_PKG_LICENSE")));
}
