//! The command palette: all commands, found by some of their letters.

use egui::{Button, Id, Key, Modifiers, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo};

use super::{
    command::{Command, CommandSender, Group, keys_text},
    fuzzy,
    state::AppState,
    theme,
};
use crate::session::{MixPreset, PoseEdit};

/// What was typed, and which hit is chosen. Belongs to the view: it goes when the palette closes.
#[derive(Debug, Clone, Default)]
struct Search {
    query: String,
    chosen: usize,
}

/// Draws the palette; the dialog's frame is drawn by the caller.
pub fn palette_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let id = Id::unique("command palette");
    let mut search: Search = ui.data(|data| data.get_temp(id)).unwrap_or_default();

    let step = ui.input_mut(|input| {
        let down = input.count_and_consume_key(Modifiers::NONE, Key::ArrowDown) as i64;
        down - input.count_and_consume_key(Modifiers::NONE, Key::ArrowUp) as i64
    });
    let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));

    let field = TextEdit::singleline(&mut search.query).hint_text("Type a command").desired_width(f32::INFINITY);
    let field = ui.add(field);
    field.widget_info(|| WidgetInfo::labeled(Role::SearchInput, true, "Search commands"));
    field.request_focus();
    if field.changed() {
        search.chosen = 0;
        // The field was laid out before it took the letters.
        ui.ctx().request_repaint();
    }

    let hits = hits(&search.query, state);
    let last = hits.len().saturating_sub(1) as i64;
    search.chosen = (search.chosen as i64 + step).clamp(0, last) as usize;
    ui.add_space(theme::UNIT);
    let mut done = hits.get(search.chosen).filter(|_| enter).cloned();
    ScrollArea::vertical().max_height(theme::PALETTE_HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (index, command) in hits.iter().enumerate() {
            let response = hit_ui(ui, command, index == search.chosen);
            if index == search.chosen && step != 0 {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                done = Some(command.clone());
            }
        }
        if hits.is_empty() {
            ui.weak("No such command");
        }
    });

    if let Some(command) = done {
        ui.data_mut(|data| data.remove::<Search>(id));
        commands.send(Command::CloseDialog);
        commands.send(command);
    } else {
        ui.data_mut(|data| data.insert_temp(id, search));
    }
}

/// Forgets what was typed.
pub fn forget(ctx: &egui::Context) {
    ctx.data_mut(|data| data.remove::<Search>(Id::unique("command palette")));
}

fn hit_ui(ui: &mut Ui, command: &Command, chosen: bool) -> egui::Response {
    let mut button = Button::selectable(chosen, command.label()).min_size(egui::vec2(ui.available_width(), 0.0));
    if let Some(shortcut) = command.shortcuts().first() {
        button = button.shortcut_text(RichText::new(keys_text(ui.ctx(), shortcut)).font(theme::small_figures()));
    }
    ui.add(button)
}

/// The commands that fit and can act now, best first.
fn hits(query: &str, state: &AppState) -> Vec<Command> {
    let mut hits: Vec<(i32, Command)> = all(state)
        .into_iter()
        .filter(|command| command.enabled(state))
        .filter_map(|command| Some((fuzzy::score(query, &command.label())?, command)))
        .collect();
    if !query.trim().is_empty() {
        hits.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    }
    hits.into_iter().map(|(_, command)| command).collect()
}

fn all(state: &AppState) -> Vec<Command> {
    let edit = |edit| Command::Edit(edit, None);
    let presets = MixPreset::ALL.map(|preset| edit(PoseEdit::MixPreset(preset, state.num_ws())));
    let recent = state.recent.iter().cloned().map(Command::OpenPath);
    let menus = Group::ALL.into_iter().flat_map(Group::commands).flatten();
    menus.filter(|command| *command != Command::Palette).chain(presets).chain(recent).collect()
}
