//! Files in the window: a choice among the networks of one, and the model written in other formats.

use std::path::{Path, PathBuf};

use stylescope::{
    checkpoint::{Checkpoint, open},
    ui::{
        app::Start,
        command::Command,
        export::ExportKind,
        state::{Dialog, FileQuestion},
        toast::ToastKind,
    },
};

use crate::window::Window;

fn snapshot() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pkl/sg3repo_t215.p4.nosrc.pkl")
}

fn network(window: &Window) -> String {
    window.state().model.as_ref().unwrap().network.clone()
}

fn send(window: &mut Window, command: Command) {
    window.harness.state().commands().send(command);
    window.settle();
}

#[test]
fn a_file_with_several_networks_asks_which() {
    let mut window = Window::open(Start::Path(snapshot()));
    window.settle();
    // The moving average is on the screen while it asks.
    assert_eq!((network(&window).as_str(), window.state().choosing), ("G_ema", true));
    let average = window.seen();
    window.click("G (as trained)");
    assert_eq!((network(&window).as_str(), window.state().choosing), ("G", false));
    let trained = window.seen();
    assert_ne!(trained.image, average.image);
    assert_eq!(trained.pose, average.pose, "the pose stays");
    // It can be asked again, and the answer may be to leave it.
    send(&mut window, Command::ChooseNetwork);
    assert!(window.state().choosing);
    send(&mut window, Command::DismissChoice);
    assert_eq!((network(&window).as_str(), window.state().choosing), ("G", false));
    send(&mut window, Command::SelectNetwork("G_ema".into()));
    assert_eq!(window.seen(), average);
    // A file with one network asks nothing.
    send(&mut window, Command::OpenBundled);
    assert!(!window.state().choosing && !Command::ChooseNetwork.enabled(window.state()));
    // One that was chosen from is opened as it was left.
    send(&mut window, Command::OpenPath(snapshot()));
    send(&mut window, Command::SelectNetwork("G".into()));
    send(&mut window, Command::OpenBundled);
    send(&mut window, Command::OpenPath(snapshot()));
    assert_eq!((network(&window).as_str(), window.state().choosing), ("G", false));
}

fn best(file: &Checkpoint) -> stylescope::model::state_dict::StateDict {
    file.load_generator(file.preferred_generator().unwrap()).unwrap().1
}

#[test]
fn the_model_is_exported_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = Window::open(Start::Path(snapshot()));
    window.settle();
    let before = window.seen();
    let original = best(&open(&snapshot(), &()).unwrap());
    for kind in ExportKind::ALL {
        let path = folder.path().join(kind.file_name("model"));
        send(&mut window, Command::ExportTo(kind, path.clone()));
        let said = window.state().toasts.shown().last().expect("a message").clone();
        assert_eq!((said.kind, said.text), (ToastKind::Success, format!("Exported {}", path.display())));
        match kind {
            ExportKind::Exact | ExportKind::StateDict => assert_eq!(best(&open(&path, &()).unwrap()), original),
            ExportKind::Half => assert!(open(&path, &()).unwrap().file_len() < 4 * original.num_values() * 6 / 10),
            ExportKind::Onnx => assert!(std::fs::metadata(&path).unwrap().len() > 100_000),
        }
    }
    send(&mut window, Command::ExportTo(ExportKind::Exact, folder.path().join("nowhere/a.safetensors")));
    let said = window.state().toasts.shown().last().expect("a message").clone();
    assert_eq!(said.kind, ToastKind::Error);
    assert!(said.text.contains("nowhere"), "{}", said.text);
    assert_eq!(window.state().exporting, None);
    // What was written as ours opens as the same picture.
    send(&mut window, Command::OpenPath(folder.path().join("model.safetensors")));
    assert_eq!(window.seen().image, before.image);
}

#[test]
fn a_cancelled_export_leaves_nothing() {
    let mut window = Window::open(Start::Bundled);
    let mut given_up = 0;
    // A small model may be written before it can be given up: then the window must not claim otherwise.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let commands = window.harness.state().commands().clone();
        commands.send(Command::ExportTo(ExportKind::Exact, path.clone()));
        commands.send(Command::CancelExport);
        window.settle();
        let said = window.state().toasts.shown().last().expect("a message").text.clone();
        let cancelled = said == "Export cancelled";
        assert!(cancelled || said == format!("Exported {}", path.display()), "{said}");
        // The thread may still be busy with its last part.
        let begun = std::time::Instant::now();
        while std::fs::read_dir(folder.path()).unwrap().count() != usize::from(!cancelled) {
            assert!(begun.elapsed().as_secs() < 10, "a temporary file is left, or the file is");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(path.exists(), !cancelled);
        given_up += usize::from(cancelled);
    }
    assert!(given_up > 0, "none of the exports could be cancelled");
}

#[test]
fn an_export_without_a_file_dialog_asks_for_a_typed_path() {
    let mut window = Window::open(Start::Bundled);
    window.harness.state().commands().send(Command::Export(ExportKind::Onnx));
    // Where no dialog of the system opens, it comes back without an answer.
    window.wait_until("it asks", |app| {
        let state = app.state();
        state.dialog == Some(Dialog::ExportTyped(ExportKind::Onnx))
            || state.asking == Some(FileQuestion::Export(ExportKind::Onnx))
    });
    if window.state().asking.is_some() {
        // Asking again goes on without the system's dialog, which may hang.
        window.harness.state().commands().send(Command::Export(ExportKind::Onnx));
        window.wait_until("it asks for a path", |app| app.state().dialog.is_some());
    }
    assert_eq!(window.state().dialog, Some(Dialog::ExportTyped(ExportKind::Onnx)));
}
