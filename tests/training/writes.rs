//! Writes that fail: the older checkpoint stays valid, the reason is told, and the training goes on when the cause is gone.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use stylescope::training::{
    checkpoint_store,
    preset::Preset,
    session::{TrainCommand, TrainEvent, TrainingSession},
};

use super::{config, ended, files, start, train, wait};

const IMAGES: u64 = 48;

/// Something mounted, until this is dropped.
struct Mount(PathBuf);

impl Mount {
    /// `None`, with a word about it, where the system does not let us.
    fn new(arguments: &[&str], at: &Path) -> Option<Self> {
        let done = Command::new("mount").args(arguments).arg(at).stderr(Stdio::null()).status();
        if done.is_ok_and(|status| status.success()) {
            return Some(Self(at.to_owned()));
        }
        println!("passed over: mounting is refused here");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A training that waits after its first tick, with two checkpoints.
fn paused(folder: &Path) -> TrainingSession {
    let session = start(folder, config(Preset::StyleGan2E, 8, IMAGES));
    assert!(session.send(TrainCommand::Pause));
    wait(&session, |event| (*event == TrainEvent::Paused(None)).then_some(()));
    assert!(session.send(TrainCommand::StepG) && session.send(TrainCommand::StepD));
    for _ in 0..2 {
        wait(&session, |event| (*event == TrainEvent::Paused(None)).then_some(()));
    }
    session
}

/// Goes on until a write fails, and gives the reason.
fn fails(session: &TrainingSession) -> String {
    assert!(session.send(TrainCommand::Resume));
    wait(session, |event| if let TrainEvent::Paused(Some(reason)) = event { Some(reason.clone()) } else { None })
}

/// The images shown until the newest checkpoint, which is whole.
fn newest(checkpoints: &Path) -> u64 {
    let restored = checkpoint_store::newest(checkpoints).expect("readable").expect("a checkpoint");
    assert!(restored.passed_over.is_empty(), "{:?}", restored.passed_over);
    restored.state.nimg
}

/// Goes on to the end, where every file is there.
fn goes_on(session: TrainingSession, folder: &Path) {
    assert!(session.send(TrainCommand::Resume));
    assert!(wait(&session, ended), "it went on to its end");
    drop(session);
    assert_eq!(newest(&folder.join("checkpoints")), IMAGES);
    assert!(folder.join("snapshots/000000048.safetensors").is_file() && folder.join("samples/000000048.png").is_file());
}

#[test]
fn a_refused_write_pauses_and_keeps_the_older_checkpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = folder.path().join("checkpoints");
    // A folder where the second tick's checkpoint wants to go: renaming onto it is refused.
    let obstacle = checkpoints.join("000000016.safetensors");
    fs::create_dir_all(obstacle.join("full")).expect("a folder");
    let session = start(folder.path(), config(Preset::StyleGan2E, 8, 32));
    let reason = wait(&session, |event| if let TrainEvent::Paused(reason) = event { reason.clone() } else { None });
    assert!(reason.contains("000000016"), "{reason}");
    assert!(checkpoints.join("000000008.safetensors").is_file(), "the older checkpoint is still there");
    fs::remove_dir_all(&obstacle).expect("removable");
    assert!(session.send(TrainCommand::Resume));
    assert!(wait(&session, ended), "it went on to its end");
}

#[test]
fn a_folder_that_is_gone_pauses() {
    let root = tempfile::tempdir().expect("a folder");
    let (checkpoints, away) = (root.path().join("checkpoints"), root.path().join("away"));
    let session = paused(root.path());
    fs::rename(&checkpoints, &away).expect("a new name");
    fs::write(&checkpoints, "no folder").expect("a file");
    let reason = fails(&session);
    assert!(reason.contains("checkpoints"), "{reason}");
    assert_eq!(newest(&away), 8);
    fs::remove_file(&checkpoints).expect("removable");
    fs::rename(&away, &checkpoints).expect("the old name");
    goes_on(session, root.path());
}

#[test]
fn a_read_only_folder_pauses() {
    let root = tempfile::tempdir().expect("a folder");
    let checkpoints = root.path().join("checkpoints");
    let session = paused(root.path());
    // Permissions do not stop the superuser; a mount does.
    let path = checkpoints.to_str().expect("a name in UTF-8");
    let Some(mount) = Mount::new(&["--bind", path], &checkpoints) else { return };
    let Some(_read_only) = Mount::new(&["-o", "remount,bind,ro"], &checkpoints).map(std::mem::forget) else { return };
    let reason = fails(&session);
    assert!(reason.contains("checkpoints") && reason.to_lowercase().contains("read-only"), "{reason}");
    assert_eq!(newest(&checkpoints), 8);
    drop(mount);
    goes_on(session, root.path());
}

#[test]
fn a_full_disk_pauses() {
    let root = tempfile::tempdir().expect("a folder");
    let disk = root.path().join("disk");
    fs::create_dir(&disk).expect("a folder");
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=32m", "tmpfs"], &disk) else { return };
    let run = disk.join("run");
    let session = paused(&run);
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).expect("a file");
    let mut written = 0;
    // Larger pieces first, so that not a byte is left.
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0u8; size]).is_ok() {
            written += size;
        }
    }
    assert!(written > 1 << 20, "{written} bytes fitted");
    let reason = fails(&session);
    assert!(reason.contains("No space left"), "{reason}");
    assert_eq!(newest(&run.join("checkpoints")), 8);
    // Its bytes are free when nobody has it open any more.
    drop(file);
    fs::remove_file(&filler).expect("removable");
    goes_on(session, &run);
}

/// A limit on the size of files, which any user can set, in a process of its own.
#[test]
fn a_file_that_may_not_grow_pauses_and_nothing_is_lost() {
    let root = tempfile::tempdir().expect("a folder");
    let (calm, rough) = (root.path().join("calm"), root.path().join("rough"));
    let begin = [
        "--preset",
        "stylegan2-e",
        "--width",
        "tiny",
        "--channel-max",
        "8",
        "--resolution",
        "8",
        "--batch",
        "4",
        "--tick",
    ];
    let begin = |kimg: &'static str| [&begin[..], &["0.02", "--kimg", kimg]].concat();
    assert!(train(&calm, &begin("0.08")).status().expect("a process").success());
    assert!(train(&rough, &begin("0.04")).status().expect("a process").success());
    // Without the trap the signal of the limit would end the process. 64 blocks hold the history, but no checkpoint.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_stylescope")]);
    limited.args(["train", "--resume", "--kimg", "0.08", "--device", "cpu", "--out"]).arg(&rough);
    let mut process = limited.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a process");
    let stderr = BufReader::new(process.stderr.take().expect("its standard error"));
    let mut lines = stderr.lines().map(|line| line.expect("text"));
    let told = lines.find(|line| line.contains("paused"));
    process.kill().expect("a living process");
    process.wait().expect("an end");
    let told = told.expect("it pauses");
    assert!(told.contains("File too large"), "{told}");
    assert_eq!(newest(&rough.join("checkpoints")), 40);
    assert!(train(&rough, &["--resume"]).status().expect("a process").success());
    let last = |run: &Path| fs::read(files(&run.join("checkpoints")).pop().expect("a checkpoint")).expect("bytes");
    assert!(last(&calm) == last(&rough), "it ends as an undisturbed one");
}
