//! The real window on a virtual screen: it opens, hears the keyboard, and closing it ends the program in order.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(300);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual screen, and its name; `None` where the machine has no Xvfb.
fn screen() -> Option<(Process, String)> {
    let mut command = Command::new("Xvfb");
    command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let stdout = server.stdout.take().unwrap();
    let server = Process(server);
    let mut number = String::new();
    BufReader::new(stdout).read_line(&mut number).unwrap();
    assert!(!number.trim().is_empty(), "Xvfb did not start");
    Some((server, format!(":{}", number.trim())))
}

/// Runs xdotool; whether it succeeded.
fn xdotool(display: &str, words: &[&str]) -> bool {
    let run = Command::new("xdotool").args(words).env("DISPLAY", display).output();
    run.is_ok_and(|output| output.status.success())
}

fn start(display: &str, folder: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stylescope"));
    command.args(["--device", "cpu"]).current_dir(folder);
    command.env_remove("WAYLAND_DISPLAY").env("DISPLAY", display).env("XDG_RUNTIME_DIR", folder);
    Process(command.env("STYLESCOPE_CONFIG_DIR", folder.join("config")).spawn().unwrap())
}

/// Repeats `step` until the program ends.
fn until_it_ends(program: &mut Process, mut step: impl FnMut()) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = program.0.try_wait().unwrap() {
            return status;
        }
        assert!(begin.elapsed() < PATIENCE, "the program goes on");
        step();
        sleep(STEP);
    }
}

#[test]
fn the_window_opens_and_closes_in_order() {
    let has_xdotool = Command::new("xdotool").arg("version").output().is_ok();
    let Some((_server, display)) = screen().filter(|_| has_xdotool) else {
        eprintln!("passed over: Xvfb or xdotool is missing");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut program = start(&display, folder.path());

    let begin = Instant::now();
    while !xdotool(&display, &["search", "--onlyvisible", "--name", "Stylescope$", "windowfocus"]) {
        assert_eq!(program.0.try_wait().unwrap(), None, "the program ended before its window was there");
        assert!(begin.elapsed() < PATIENCE, "the window never came");
        sleep(STEP);
    }
    // The screen has no window manager; keys go to the window that has the focus.
    let status = until_it_ends(&mut program, || {
        xdotool(&display, &["key", "ctrl+q"]);
    });
    assert!(status.success(), "{status}");
    assert!(folder.path().join("config/settings.json").is_file(), "the settings were not kept");
}
