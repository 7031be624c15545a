//! The menu bar: every entry is a command, with its shortcut.

use egui::{Button, MenuBar, RichText, Ui};

use super::{
    command::{Command, CommandSender, Group},
    state::AppState,
    theme,
};

/// Draws the menu bar.
pub fn menu_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    MenuBar::new().ui(ui, |ui| {
        for group in Group::ALL {
            ui.menu_button(group.label(), |ui| {
                ui.set_min_width(theme::MENU_WIDTH);
                group_ui(ui, group, state, commands);
            });
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| right_ui(ui, state, commands));
    });
}

fn group_ui(ui: &mut Ui, group: Group, state: &AppState, commands: &CommandSender) {
    for entry in group.commands() {
        match entry {
            None => {
                ui.separator();
            }
            Some(Command::ClearRecent) => recent_ui(ui, state, commands),
            Some(command) => entry_ui(ui, command, state, commands),
        }
    }
}

fn entry_ui(ui: &mut Ui, command: Command, state: &AppState, commands: &CommandSender) {
    let shortcut = command.shortcuts().first().map(|shortcut| ui.ctx().format_shortcut(shortcut));
    let mut button = Button::new(menu_label(&command, state)).selected(is_on(&command, state));
    if let Some(shortcut) = shortcut {
        button = button.shortcut_text(shortcut);
    }
    let tooltip = command.tooltip();
    let response = ui.add_enabled(command.enabled(state), button);
    let response = if tooltip.is_empty() { response } else { response.on_hover_text(tooltip) };
    if response.clicked() {
        commands.send(opposite_if_on(command, state));
        ui.close();
    }
}

fn recent_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    ui.add_enabled_ui(!state.recent.is_empty(), |ui| {
        ui.menu_button("Recent", |ui| {
            ui.set_max_width(2.0 * theme::MENU_WIDTH);
            for path in &state.recent {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                if ui.button(name).on_hover_text(path.display().to_string()).clicked() {
                    commands.send(Command::OpenPath(path.clone()));
                    ui.close();
                }
            }
            ui.separator();
            entry_ui(ui, Command::ClearRecent, state, commands);
        });
    });
}

fn right_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let command = Command::Palette;
    let keys = command.shortcuts().last().map(|shortcut| ui.ctx().format_shortcut(shortcut)).unwrap_or_default();
    let button = Button::new(RichText::new("Search commands").weak()).shortcut_text(keys);
    if ui.add(button).on_hover_text(command.tooltip()).clicked() {
        commands.send(command);
    }
    if let Some(model) = &state.model {
        ui.add_space(theme::SECTION_GAP);
        let title = format!("{} \u{b7} {}", model.name, state.device.name);
        ui.add(egui::Label::new(RichText::new(title).weak()).truncate());
    }
}

/// Undo and redo say what they would undo.
fn menu_label(command: &Command, state: &AppState) -> String {
    let what = match command {
        Command::Undo => state.document.undo_label(),
        Command::Redo => state.document.redo_label(),
        _ => None,
    };
    match what {
        Some(what) => format!("{}: {}", command.label(), what.to_lowercase()),
        None => command.label(),
    }
}

/// Whether the entry stands for something that is on now.
fn is_on(command: &Command, state: &AppState) -> bool {
    match command {
        Command::Zoom(zoom) => state.canvas.zoom == *zoom,
        Command::Theme(theme) => state.theme == *theme,
        Command::Compare(_) => state.comparing,
        Command::ToggleAnimateSeed => state.animation.seed,
        Command::ToggleAnimateNoise => state.animation.noise,
        Command::ToggleLeftPanel => state.left_panel,
        Command::ToggleRightPanel => state.right_panel,
        _ => false,
    }
}

/// A menu cannot be held down, so the entry for comparing stays on until it is chosen again.
fn opposite_if_on(command: Command, state: &AppState) -> Command {
    match command {
        Command::Compare(_) => Command::Compare(!state.comparing),
        other => other,
    }
}
