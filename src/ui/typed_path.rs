//! A path, typed: for when the system has no file dialog to offer.

use std::path::{Path, PathBuf};

use egui::{
    Id, Key, Modifiers, RichText, Role, TextEdit, Ui, WidgetInfo, text_edit::TextEditState,
    text_selection::CCursorRange,
};

use super::{
    command::{Command, CommandSender},
    state::{AppState, Dialog},
    theme,
    timeline::TimelineCommand,
    training::{TrainingCommand, question::Picks},
};

/// Draws the dialog's contents. What was typed belongs to the view and stays until the program ends.
pub fn typed_path_ui(ui: &mut Ui, dialog: Dialog, state: &AppState, commands: &CommandSender) {
    let wanted = wanted(dialog);
    let id = Id::unique(("typed path", dialog));
    let first = ui.data(|data| data.get_temp::<String>(id));
    let mut text = first.unwrap_or_else(|| proposal(dialog, state));

    let (heading, words, verb) = match dialog {
        Dialog::SaveTyped => ("Save image", "Where the PNG goes; it carries the whole pose.", "Save"),
        Dialog::ExportTyped(kind) => ("Export model", kind.tooltip(), "Export"),
        Dialog::TrainingTyped(question) => {
            let verb = if wanted == Wanted::NewFile { "Export" } else { "Choose" };
            (question.title(), question.words(), verb)
        }
        Dialog::SweepTyped => ("Export animation", TimelineCommand::Export.tooltip(), "Export"),
        _ => ("Open", "A model (.pkl, .pt, .safetensors), a run's folder, or a PNG saved here.", "Open"),
    };
    ui.heading(heading);
    ui.weak(words);
    ui.add_space(theme::UNIT);
    let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
    let field = TextEdit::singleline(&mut text).font(egui::TextStyle::Monospace).desired_width(f32::INFINITY);
    let field = ui.add(field);
    field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Path"));
    field.request_focus();

    if field.gained_focus() {
        select_all(ui, field.id, &text);
    }
    if field.changed() {
        ui.ctx().request_repaint();
    }
    let path = expanded(&text);
    let problem = problem(&path, wanted);
    let palette = theme::Palette::of(ui.visuals());
    let hint = if text.trim().is_empty() { None } else { problem };
    ui.label(RichText::new(hint.unwrap_or(" ")).small().color(palette.warning));
    ui.horizontal(|ui| {
        let act = ui.add_enabled(problem.is_none(), egui::Button::new(verb)).clicked();
        if ui.button("Cancel").clicked() {
            commands.send(Command::CloseDialog);
        }
        if (act || enter) && problem.is_none() {
            commands.send(Command::CloseDialog);
            commands.send(match dialog {
                Dialog::SaveTyped => Command::SaveImageTo(with_png(path)),
                Dialog::ExportTyped(kind) => Command::ExportTo(kind, kind.with_extension(path)),
                Dialog::TrainingTyped(question) => {
                    Command::Training(TrainingCommand::Chosen(question, question.finished(path)))
                }
                Dialog::SweepTyped => Command::Timeline(TimelineCommand::ExportTo(with_png(path))),
                _ => Command::OpenPath(path),
            });
        }
    });
    ui.data_mut(|data| data.insert_temp(id, text));
}

/// What stands in the field at first: the folder that was used last.
fn proposal(dialog: Dialog, state: &AppState) -> String {
    match dialog {
        Dialog::SaveTyped => return state.capture_folder().join(state.image_name()).display().to_string(),
        Dialog::ExportTyped(kind) => {
            return state.export_folder().join(kind.file_name(&state.image_stem())).display().to_string();
        }
        Dialog::TrainingTyped(question) => {
            let folder = state.training.folder_for(question).unwrap_or_else(|| state.export_folder());
            return folder.join(question.file_name()).display().to_string();
        }
        Dialog::SweepTyped => return state.capture_folder().join(state.sweep_name()).display().to_string(),
        _ => {}
    }
    let folder = state.open_dir.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR)
}

/// The proposal is there to be replaced by typing.
fn select_all(ui: &Ui, id: Id, text: &str) {
    if let Some(mut field) = TextEditState::load(ui.ctx(), id) {
        field.cursor.set_char_range(Some(CCursorRange::select_all_str(text)));
        field.store(ui.ctx(), id);
    }
}

/// `~` stands for the home folder, as in a shell.
fn expanded(text: &str) -> PathBuf {
    let text = text.trim();
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

/// What a typed path has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A folder may be that of a run; opening it says if it is none.
    Any,
    File,
    Folder,
    NewFolder,
    NewFile,
}

fn wanted(dialog: Dialog) -> Wanted {
    match dialog {
        Dialog::OpenTyped => Wanted::Any,
        Dialog::TrainingTyped(question) => match question.picks() {
            Picks::File(_) => Wanted::File,
            Picks::Folder => Wanted::Folder,
            Picks::NewFolder => Wanted::NewFolder,
            Picks::Save(_) => Wanted::NewFile,
        },
        _ => Wanted::NewFile,
    }
}

fn problem(path: &Path, wanted: Wanted) -> Option<&'static str> {
    if path.as_os_str().is_empty() {
        return Some("Type a path");
    }
    match wanted {
        Wanted::Any => (!path.exists()).then_some("There is no such file"),
        Wanted::File if path.is_dir() => Some("This is a folder: add a file name"),
        Wanted::File => (!path.is_file()).then_some("There is no such file"),
        Wanted::Folder => (!path.is_dir()).then_some("There is no such folder"),
        Wanted::NewFolder => path.is_file().then_some("This is a file"),
        Wanted::NewFile if path.is_dir() => Some("This is a folder: add a file name"),
        Wanted::NewFile => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            (!folder.is_dir()).then_some("There is no such folder")
        }
    }
}

/// The image is a PNG whatever the name says.
pub fn with_png(path: PathBuf) -> PathBuf {
    let is_png = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"));
    if is_png {
        return path;
    }
    let mut name = path.into_os_string();
    name.push(".png");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_in_png() {
        assert_eq!(with_png("a/b".into()), PathBuf::from("a/b.png"));
        assert_eq!(with_png("a/b.PNG".into()), PathBuf::from("a/b.PNG"));
        assert_eq!(with_png("a/b.v2".into()), PathBuf::from("a/b.v2.png"));
    }

    #[test]
    fn problems_are_named_before_anything_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.pkl");
        std::fs::write(&file, b"x").unwrap();
        assert_eq!((problem(&file, Wanted::File), problem(&file, Wanted::Any)), (None, None));
        assert_eq!(problem(folder.path(), Wanted::Any), None, "it may be a run");
        assert!(problem(&folder.path().join("none"), Wanted::Any).is_some());
        assert!(problem(folder.path(), Wanted::File).is_some());
        assert!(problem(&folder.path().join("none.pkl"), Wanted::File).is_some());
        assert_eq!(problem(&folder.path().join("new.png"), Wanted::NewFile), None);
        assert!(problem(&folder.path().join("none/new.png"), Wanted::NewFile).is_some());
        assert!(problem(Path::new(""), Wanted::NewFile).is_some());
        assert_eq!(problem(folder.path(), Wanted::Folder), None);
        assert!(problem(&file, Wanted::Folder).is_some());
        assert_eq!(problem(&folder.path().join("new"), Wanted::NewFolder), None);
        assert!(problem(&file, Wanted::NewFolder).is_some());
    }
}
