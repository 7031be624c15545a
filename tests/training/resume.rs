//! Kills.

use std::{fs, path::Path, time::Duration};

use stylescope::training::history;

use super::{files, train};

/// Kills a training at twenty moments and lets it end: the last checkpoint is that of an undisturbed one, byte for byte.
#[test]
fn a_killed_training_ends_as_an_undisturbed_one() {
    let begin =
        ["--preset", "stylegan2-e", "--width", "tiny", "--channel-max", "8", "--resolution", "8", "--batch", "4"];
    let begin = [&begin[..], &["--kimg", "0.4", "--tick", "0.02", "--seed", "3", "--ada", "fixed:0.3"]].concat();
    let root = tempfile::tempdir().expect("a folder");
    let (calm, rough) = (root.path().join("calm"), root.path().join("rough"));
    assert!(train(&calm, &begin).status().expect("a process").success());
    let mut moment = 0x2545_f491u32;
    for kill in 0..20 {
        let arguments = if rough.join("run.json").is_file() { &["--resume"][..] } else { &begin };
        let mut process = train(&rough, arguments).spawn().expect("a process");
        moment ^= moment << 13;
        moment ^= moment >> 17;
        moment ^= moment << 5;
        std::thread::sleep(Duration::from_millis(20 + u64::from(moment % 300)));
        process.kill().expect("a living or dead process");
        process.wait().expect("an end");
        // A run whose folder was not made yet begins anew; `run.json` is the last thing that making it writes.
        if kill == 0 && !rough.join("run.json").is_file() {
            let _ = fs::remove_dir_all(&rough);
        }
    }
    let arguments = if rough.join("run.json").is_file() { &["--resume"][..] } else { &begin };
    assert!(train(&rough, arguments).status().expect("a process").success());
    let last = |folder: &Path| files(&folder.join("checkpoints")).pop().expect("a checkpoint");
    assert_eq!(last(&calm).file_name(), last(&rough).file_name());
    assert!(fs::read(last(&calm)).expect("bytes") == fs::read(last(&rough)).expect("bytes"), "the networks differ");
    let images = |folder: &Path| -> Vec<u64> {
        history::read(&folder.join("history.jsonl")).expect("a history").iter().map(|line| line.nimg).collect()
    };
    assert_eq!(images(&calm), images(&rough), "no line of the history is missing or double");
}
