//! From keys to commands.

use egui::{Context, Event, Key, KeyboardShortcut, Modifiers};

use super::{
    command::{Command, Group},
    state::AppState,
};

/// The commands that the keys of this frame ask for. Keys that a text field needs are left to it while it has the
/// focus, and letters do nothing while a dialog is open.
pub fn commands(ctx: &Context, state: &AppState) -> Vec<Command> {
    let typing = ctx.text_edit_focused();
    let asks = state.dialog.is_some() || state.training.closing.is_some();
    let mut found = Vec::new();
    for (shortcut, command) in bindings() {
        let letters = !shortcut.modifiers.command && !is_function_key(shortcut.logical_key);
        let blocked = (typing && (letters || belongs_to_text(shortcut.logical_key))) || (asks && letters);
        let held = matches!(command, Command::Compare(_));
        // A key whose command cannot act stays for others, e.g. Esc for an open menu.
        if !blocked && !held && command.enabled(state) && ctx.input_mut(|input| input.consume_shortcut(&shortcut)) {
            found.push(command);
        }
    }
    if !typing {
        ctx.input(|input| {
            for event in &input.events {
                match event {
                    Event::Copy => found.push(Command::CopyPose),
                    Event::Paste(text) => found.push(Command::PasteText(text.clone())),
                    _ => {}
                }
            }
        });
    }
    found
}

/// Whether the key for comparing is held.
pub fn compare_is_held(ctx: &Context, state: &AppState) -> bool {
    let free = state.dialog.is_none() && !ctx.text_edit_focused();
    free && ctx.input(|input| input.key_down(Key::C) && input.modifiers.is_none())
}

/// All shortcuts, those with more modifiers first: `Ctrl+Z` would match `Ctrl+Shift+Z` too.
fn bindings() -> Vec<(KeyboardShortcut, Command)> {
    let commands = Group::ALL.into_iter().flat_map(Group::commands).flatten().chain([Command::CloseDialog]);
    let mut bindings: Vec<_> = commands
        .flat_map(|command| command.shortcuts().iter().map(move |shortcut| (*shortcut, command.clone())))
        .collect();
    bindings.sort_by_key(|(shortcut, _)| std::cmp::Reverse(count(shortcut.modifiers)));
    bindings
}

fn count(modifiers: Modifiers) -> usize {
    [modifiers.alt, modifiers.shift, modifiers.command].into_iter().filter(|held| *held).count()
}

fn is_function_key(key: Key) -> bool {
    (Key::F1..=Key::F12).contains(&key) || key == Key::Escape
}

/// Keys that a text field uses together with Ctrl.
fn belongs_to_text(key: Key) -> bool {
    matches!(key, Key::Z | Key::Y | Key::C | Key::V | Key::A | Key::X)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key() {
        let bindings = bindings();
        for (i, (shortcut, command)) in bindings.iter().enumerate() {
            for (other, rival) in &bindings[i + 1..] {
                assert!(shortcut != other || command == rival, "{command:?} and {rival:?} share {shortcut:?}");
            }
        }
    }

    #[test]
    fn longer_combinations_come_first() {
        let counts: Vec<_> = bindings().iter().map(|(shortcut, _)| count(shortcut.modifiers)).collect();
        assert!(counts.is_sorted_by(|a, b| a >= b));
        assert_eq!(counts.first(), Some(&2));
    }

    #[test]
    fn function_keys_are_all_known() {
        for (shortcut, command) in bindings() {
            let name = shortcut.logical_key.name();
            let function = name.len() > 1 && name.starts_with('F');
            assert!(!function || is_function_key(shortcut.logical_key), "{command:?}: {name}");
        }
    }
}
