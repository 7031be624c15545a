//! Sessions against a hostile world: kills in the middle of a save, and files that somebody damaged.

#![allow(clippy::unwrap_used, reason = "a test may stop where it likes, its helpers too")]

mod processor_time;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use processor_time::ProcessorTime;
use stylescope::session::{
    Pose, PoseEdit, PoseRecord, Settings, SettingsStore,
    png::{encode_png, read_pose},
    pose::SeedPosition,
    record::{pose_from_text, pose_to_text},
    settings::{LastSession, SessionModel},
};

/// Set for a copy of this test that does nothing but save until it is killed.
const SAVE_FOREVER: &str = "STYLESCOPE_TEST_SAVE_FOREVER";

/// A linear congruential generator (Knuth's MMIX constants): the same damage in every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

fn posed(class: usize) -> Pose {
    let mut pose = Pose::default();
    PoseEdit::Class(class).apply(&mut pose);
    PoseEdit::Seed(SeedPosition { x: class as f64 * 0.37, y: -2.5 }).apply(&mut pose);
    PoseEdit::Psi(0.6).apply(&mut pose);
    PoseEdit::MixAmount { ws: 3, amount: 0.5 }.apply(&mut pose);
    for channel in 0..64 {
        PoseEdit::StyleOffset { layer: class % 20, channel, offset: Some(channel as f32 - 20.3) }.apply(&mut pose);
    }
    pose
}

/// Settings whose parts tell whether they belong together.
fn numbered(n: usize) -> Settings {
    let model = SessionModel::File(format!("/models/{n}.pkl").into());
    Settings {
        recent: vec![format!("/models/{n}.pkl").into()],
        last_session: Some(LastSession { model, pose: posed(n % 4096) }),
        ..Settings::default()
    }
}

#[test]
fn child_saves_forever() {
    let Some(folder) = std::env::var_os(SAVE_FOREVER) else { return };
    let store = SettingsStore::open(folder);
    let start = Instant::now();
    // Whoever started it may die without killing it.
    for n in (0..).take_while(|_| start.elapsed() < Duration::from_secs(60)) {
        store.save(&numbered(n)).unwrap();
    }
}

/// A copy of this test that saves; it ends with whoever started it, also when that one fails.
struct KilledOnDrop(Child);

impl KilledOnDrop {
    fn save_forever(folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_saves_forever", "--test-threads=1"])
            .env(SAVE_FOREVER, folder)
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn a_kill_in_the_middle_of_saves_leaves_valid_settings() {
    let folder = tempfile::tempdir().unwrap();
    let store = SettingsStore::open(folder.path());
    let mut rng = Rng(1);
    let mut seen = Vec::new();
    for round in 0..40 {
        let mut child = KilledOnDrop::save_forever(folder.path());
        let before = seen.last().copied();
        let start = Instant::now();
        // The first round waits for a file, the others for one of the new child: each kill shall hit a save.
        while read_number(&store).is_none_or(|n| Some(n) == before) && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(rng.below(6000) as u64));
        child.kill();
        let n = read_number(&store).unwrap_or_else(|| panic!("round {round}: no settings"));
        seen.push(n);
    }
    seen.dedup();
    assert!(seen.len() > 5, "the children hardly saved anything: {seen:?}");
    let leftovers = stylescope::base::atomic_file::remove_leftovers(&store.path(), Duration::ZERO);
    println!("{leftovers} of 40 kills came between the making of a temporary file and its rename");
    assert_eq!(files(folder.path()), ["settings.json"]);
}

/// The number of the settings in the file, all of whose parts must belong to it.
fn read_number(store: &SettingsStore) -> Option<usize> {
    if !store.path().exists() {
        return None;
    }
    let loaded = store.load();
    assert!(loaded.notice.is_none(), "{:?}", loaded.notice);
    let name = loaded.settings.recent[0].file_stem().unwrap().to_str().unwrap().to_owned();
    let n = name.parse().unwrap();
    assert_eq!(loaded.settings, numbered(n));
    Some(n)
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Changes a valid file the way that transmission, editors and attackers do.
fn damage(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    const TOKENS: [&[u8]; 16] = [
        b"1e999",
        b"-1",
        b"NaN",
        b"null",
        b"[[[[",
        b"{\"",
        b"18446744073709551616",
        b"\xff",
        b"\0",
        b"1e-400",
        b"}",
        b"\"",
        b"\\u0000",
        b"iTXt",
        b"IEND",
        b"\xff\xff\xff\xff",
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        let end = (at + rng.below(24)).min(bytes.len());
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..end, TOKENS[rng.below(TOKENS.len())].iter().copied())),
            4 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            _ => drop(bytes.splice(at..at, (0..rng.below(8)).map(|i| i as u8 * 37).collect::<Vec<_>>())),
        }
    }
    bytes
}

#[test]
fn damaged_pictures_give_an_error_or_a_pose_within_its_ranges() {
    let mut files = Vec::new();
    for pose in [posed(5), Pose::default()] {
        let mut png = Vec::new();
        encode_png(&mut png, &[9; 4 * 16], [4, 4], &PoseRecord::new(pose, "faces")).unwrap();
        files.push(png);
    }
    let mut rng = Rng(2);
    let (mut good, mut bad) = (0, 0);
    let start = ProcessorTime::start();
    for i in 0..20_000 {
        match read_pose(&damage(&files[i % files.len()], &mut rng)) {
            Ok(record) => {
                assert_eq!(record.pose, record.pose.sanitized());
                good += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                bad += 1;
            }
        }
    }
    // Damage behind the pose does not matter, damage before it and in it does.
    println!("{good} poses, {bad} errors");
    assert!(good > 100 && bad > 1000, "{good} {bad}");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn damaged_texts_give_an_error_or_a_pose_within_its_ranges() {
    let text = pose_to_text(&posed(5), "faces").unwrap();
    let mut rng = Rng(3);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let damaged = damage(text.as_bytes(), &mut rng);
        match pose_from_text(&String::from_utf8_lossy(&damaged)) {
            Ok(pose) => {
                assert_eq!(pose, pose.sanitized());
                // What was accepted can be kept: nothing in it is lost or refused on the way back.
                assert_eq!(pose_from_text(&pose_to_text(&pose, "").unwrap()).unwrap(), pose);
                good += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                bad += 1;
            }
        }
    }
    println!("{good} poses, {bad} errors");
    assert!(good > 100 && bad > 1000, "{good} {bad}");
}

#[test]
fn damaged_settings_load_as_something_and_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = SettingsStore::open(folder.path());
    let text = serde_json::to_vec_pretty(&numbered(5)).unwrap();
    let mut rng = Rng(4);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..3000 {
        let damaged = damage(&text, &mut rng);
        std::fs::write(store.path(), &damaged).unwrap();
        let loaded = store.load();
        assert_eq!(loaded.settings, loaded.settings.sanitized());
        if loaded.notice.is_some() {
            assert_eq!(loaded.settings, Settings::default());
            assert_eq!(std::fs::read(folder.path().join("settings.json.bad")).unwrap(), damaged);
            bad += 1;
        } else {
            good += 1;
        }
    }
    println!("{good} settings, {bad} moved aside");
    assert!(good > 30 && bad > 300, "{good} {bad}");
}

/// Settings from strangers, each by its name: they load as something sound or are moved aside, at once.
#[test]
fn hostile_settings() {
    let recent = |items: &str| format!(r#"{{"recent": [{items}]}}"#);
    let session = |pose: &str| format!(r#"{{"last_session": {{"model": "bundled", "pose": {pose}}}}}"#);
    let cases: [(&str, String, bool); 12] = [
        ("empty", String::new(), false),
        ("10^5 brackets", "[".repeat(100_000), false),
        ("10^5 brackets in a field", format!(r#"{{"panels": {}"#, "[".repeat(100_000)), false),
        ("10^5 objects in an unknown field", format!(r#"{{"x": {}"#, r#"{"a":"#.repeat(100_000)), false),
        ("NaN", r#"{"ui_scale": NaN}"#.into(), false),
        ("1e999", r#"{"ui_scale": 1e999}"#.into(), false),
        ("1e999 in the pose", session(r#"{"truncation": {"psi": 1e999}}"#), false),
        ("fields of a newer version", r#"{"format_version": 99, "panes": {"a": [1]}, "fps_limit": 30}"#.into(), true),
        ("absolute and climbing paths", recent(r#""/etc/passwd", "../../x", "C:\\x""#), true),
        ("a list of 10^6 paths", recent(&vec![r#""/a""#; 1_000_000].join(",")), true),
        (
            "an object of 10^5 panels",
            {
                let panels: Vec<String> = (0..100_000).map(|i| format!(r#""{i}": true"#)).collect();
                format!(r#"{{"panels": {{{}}}}}"#, panels.join(","))
            },
            true,
        ),
        ("more than 16 MiB", format!(r#"{{"x": "{}"}}"#, "a".repeat(17 << 20)), false),
    ];
    for (name, text, loads) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = SettingsStore::open(folder.path());
        std::fs::write(store.path(), &text).unwrap();
        let start = ProcessorTime::start();
        let loaded = store.load();
        assert!(start.elapsed() < Duration::from_secs(1), "{name}: {:?}", start.elapsed());
        assert_eq!(loaded.notice.is_none(), loads, "{name}: {:?}", loaded.notice);
        assert_eq!(loaded.settings, loaded.settings.sanitized(), "{name}");
        assert!(loaded.settings.recent.len() <= 10 && loaded.settings.panels.len() <= 64, "{name}");
        assert_eq!(files(folder.path()), [if loads { "settings.json" } else { "settings.json.bad" }], "{name}");
    }
}
