//! Keeps the settings in a file, so that a kill at any moment loses a second at the most.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::settings::Settings;
use crate::base::{
    atomic_file::{AtomicFileError, remove_leftovers, write_atomic},
    mailbox::{Mailbox, Received},
    paths::{NoConfigDir, config_dir},
    regular_file::open_regular,
    worker::{Outcome, Worker},
};

const FILE_NAME: &str = "settings.json";
/// Where a file that cannot be read is moved.
const BAD_FILE_NAME: &str = "settings.json.bad";
/// Longest file that is read, in bytes: settings with the largest pose are shorter.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Temporary files older than this belong to nobody any more.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);
/// Least time between two saves.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the end of the program waits for the disk.
const LAST_SAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why settings are not kept.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no place for them.
    #[error(transparent)]
    NoFolder(#[from] NoConfigDir),
    /// Their folder could not be made.
    #[error("settings are not kept: cannot make the folder {}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Their file could not be saved.
    #[error("settings are not kept")]
    Save(#[from] AtomicFileError),
    /// They cannot be written as text.
    #[error("settings are not kept: they cannot be written as text")]
    Text(#[from] serde_json::Error),
}

/// Why the settings of the last time are not there.
#[derive(Debug, thiserror::Error)]
pub enum SettingsNotice {
    /// The file could not be read.
    #[error("the settings in {} cannot be read ({source}); the program starts with its defaults", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was damaged.
    #[error(
        "the settings were damaged ({cause}) and are now in {}; the program starts with its defaults",
        .kept.display()
    )]
    Damaged {
        /// What is wrong with it.
        cause: String,
        /// Where it was moved.
        kept: PathBuf,
    },
}

/// What was read at the start.
#[derive(Debug)]
pub struct Loaded {
    /// The settings; defaults where there were none.
    pub settings: Settings,
    /// A word for the user, if something was wrong.
    pub notice: Option<SettingsNotice>,
}

/// The folder with the settings.
#[derive(Debug, Clone)]
pub struct SettingsStore {
    folder: PathBuf,
}

impl SettingsStore {
    /// Settings in a folder; it is made when they are first saved.
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Settings in the [folder of the platform](config_dir).
    ///
    /// # Errors
    /// The environment names no home.
    pub fn open_default() -> Result<Self, SettingsError> {
        Ok(Self::open(config_dir()?))
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// Reads the settings. This always gives some: a missing file is a first start, a damaged one is moved aside for
    /// whoever wants to rescue it.
    pub fn load(&self) -> Loaded {
        let path = self.path();
        remove_leftovers(&path, LEFTOVER_AGE);
        let damaged = |cause: String| {
            let kept = self.folder.join(BAD_FILE_NAME);
            let notice = match fs::rename(&path, &kept) {
                Ok(()) => SettingsNotice::Damaged { cause, kept },
                Err(_) => SettingsNotice::Damaged { cause, kept: path.clone() },
            };
            Loaded { settings: Settings::default(), notice: Some(notice) }
        };
        match read_capped(&path) {
            Ok(Some(bytes)) => match serde_json::from_slice::<Settings>(&bytes) {
                Ok(settings) => Loaded { settings: settings.sanitized(), notice: None },
                Err(error) => damaged(error.to_string()),
            },
            Ok(None) => damaged(format!("larger than {} MiB", MAX_FILE_BYTES >> 20)),
            Err(source) => {
                let is_first_start = source.kind() == io::ErrorKind::NotFound;
                let notice = (!is_first_start).then_some(SettingsNotice::Unreadable { path, source });
                Loaded { settings: Settings::default(), notice }
            }
        }
    }

    /// Saves the settings in one step.
    ///
    /// # Errors
    /// The folder cannot be made or written to, or the disk is full.
    pub fn save(&self, settings: &Settings) -> Result<(), SettingsError> {
        let text = serde_json::to_vec_pretty(settings)?;
        fs::create_dir_all(&self.folder)
            .map_err(|source| SettingsError::Folder { path: self.folder.clone(), source })?;
        Ok(write_atomic(&self.path(), |out| out.write_all(&text))?)
    }
}

/// The contents of a file, or nothing when it is too large.
fn read_capped(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let (file, _) = open_regular(path)?.ok_or_else(|| io::Error::other("it is no regular file"))?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, MAX_FILE_BYTES + 1), &mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_FILE_BYTES).then_some(bytes))
}

/// Saves settings in a thread of its own, when they changed and at most once a second.
#[derive(Debug)]
pub struct SettingsSaver {
    store: SettingsStore,
    to_save: Mailbox<Settings>,
    results: Mailbox<Result<(), SettingsError>>,
    worker: Worker,
    /// What was last handed to the thread.
    sent: Settings,
    last_look: Option<Instant>,
    is_failing: bool,
}

impl SettingsSaver {
    /// Starts the thread; `saved` is what [`SettingsStore::load`] gave.
    ///
    /// # Errors
    /// The system refused another thread.
    pub fn start(store: SettingsStore, saved: Settings) -> io::Result<Self> {
        let (to_save, results) = (Mailbox::<Settings>::default(), Mailbox::default());
        let (inbox, outbox, target) = (to_save.clone(), results.clone(), store.clone());
        let body = move || match inbox.receive(Duration::from_secs(3600)) {
            Received::Value(settings) => {
                let result = target.save(&settings);
                // An error that nobody took yet is replaced: the newest result is the one that counts.
                outbox.put(result);
                Outcome::Again
            }
            Received::TimedOut => Outcome::Again,
            Received::Closed => Outcome::Finished,
        };
        let on_panic = |message| log::error!("saving the settings failed: {message}");
        let worker = Worker::start("settings", body, on_panic)?;
        Ok(Self { store, to_save, results, worker, sent: saved, last_look: None, is_failing: false })
    }

    /// To be called often, e.g. once a frame. Once a second it asks for the `settings` as they are and, if they
    /// changed, hands them to the thread. Never waits for the disk. Returns a failure of the thread, the first of a
    /// row of failures alone: a read-only folder is told once and not every second.
    pub fn tick(&mut self, now: Instant, settings: impl FnOnce() -> Settings) -> Option<SettingsError> {
        let is_due = self.last_look.is_none_or(|last| now.saturating_duration_since(last) >= SAVE_INTERVAL);
        if is_due {
            self.last_look = Some(now);
            let settings = settings();
            if settings != self.sent {
                self.sent = settings.clone();
                self.to_save.put(settings);
            }
        }
        match self.results.take()? {
            Ok(()) => {
                self.is_failing = false;
                None
            }
            Err(_) if self.is_failing => None,
            Err(error) => {
                self.is_failing = true;
                Some(error)
            }
        }
    }

    /// Ends the thread and sees to it that `settings` are on the disk, waiting a few seconds at the most for a save
    /// that is under way.
    ///
    /// # Errors
    /// They could not be saved.
    pub fn finish(self, settings: &Settings) -> Result<(), SettingsError> {
        self.to_save.close();
        let ended = self.worker.join(LAST_SAVE_TIMEOUT);
        let last = self.results.take();
        if ended && *settings == self.sent && !self.is_failing && !matches!(last, Some(Err(_))) {
            return Ok(());
        }
        self.store.save(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{
        pose::Pose,
        settings::{LastSession, SessionModel, ThemeChoice},
    };

    fn light() -> Settings {
        let session = LastSession { model: SessionModel::Bundled, pose: Pose { class: 3, ..Pose::default() } };
        Settings { theme: ThemeChoice::Light, last_session: Some(session), ..Settings::default() }
    }

    /// For ticks between two looks, which only take results.
    fn light_never() -> Settings {
        panic!("it is not time to look")
    }

    fn wait_for(mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < Duration::from_secs(20), "it never came");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn settings_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = SettingsStore::open(folder.path().join("not/yet/there"));
        let first = store.load();
        assert!(first.settings == Settings::default() && first.notice.is_none());
        store.save(&light()).unwrap();
        let second = store.load();
        assert!(second.settings == light() && second.notice.is_none());
    }

    #[test]
    fn damaged_settings_are_moved_aside_with_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let store = SettingsStore::open(folder.path());
        let deep = "[".repeat(100_000);
        let deep_unknown = format!(r#"{{"x": {deep}"#);
        let long_list = format!(r#"{{"recent": [{}"#, r#""","#.repeat(100_000));
        let huge = " ".repeat(MAX_FILE_BYTES as usize + 1);
        for bad in ["", "{", "nonsense", "\0\0\0", r#"{"ui_scale": NaN}"#, &deep, &deep_unknown, &long_list, &huge] {
            fs::write(store.path(), bad).unwrap();
            let loaded = store.load();
            assert_eq!(loaded.settings, Settings::default());
            let message = loaded.notice.unwrap().to_string();
            assert!(message.contains("settings.json.bad"), "{message}");
            assert_eq!(fs::read_to_string(folder.path().join("settings.json.bad")).unwrap(), bad);
            assert!(!store.path().exists());
        }
        store.save(&light()).unwrap();
        assert_eq!(store.load().settings, light());
    }

    #[test]
    fn places_that_cannot_hold_settings_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let store = SettingsStore::open(file.join("settings"));
        assert!(store.load().notice.is_some());
        assert!(matches!(store.save(&light()), Err(SettingsError::Folder { .. })));
        let occupied = SettingsStore::open(folder.path());
        fs::create_dir(occupied.path()).unwrap();
        assert!(matches!(occupied.load().notice, Some(SettingsNotice::Unreadable { .. })));
        assert!(matches!(occupied.save(&light()), Err(SettingsError::Save(_))));
    }

    #[test]
    fn saver_saves_changes_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let store = SettingsStore::open(folder.path());
        let mut saver = SettingsSaver::start(store.clone(), Settings::default()).unwrap();
        let start = Instant::now();
        assert!(saver.tick(start, Settings::default).is_none());
        let soon = start + Duration::from_millis(999);
        assert!(saver.tick(soon, light_never).is_none());
        assert!(saver.tick(start + SAVE_INTERVAL, light).is_none());
        wait_for(|| store.path().exists());
        assert_eq!(store.load().settings, light());
        fs::remove_file(store.path()).unwrap();
        saver.tick(start + 2 * SAVE_INTERVAL, light);
        saver.finish(&light()).unwrap();
        assert!(!store.path().exists(), "nothing changed, nothing was written");
    }

    #[test]
    fn the_end_saves_what_was_not_saved_yet() {
        let folder = tempfile::tempdir().unwrap();
        let store = SettingsStore::open(folder.path());
        let saver = SettingsSaver::start(store.clone(), Settings::default()).unwrap();
        saver.finish(&light()).unwrap();
        assert_eq!(store.load().settings, light());

        let mut saver = SettingsSaver::start(store.clone(), light()).unwrap();
        let newer = Settings { fps_limit: 30, ..light() };
        saver.tick(Instant::now(), || newer.clone());
        saver.finish(&newer).unwrap();
        assert_eq!(store.load().settings, newer);
    }

    #[test]
    fn a_failure_is_told_once_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("settings");
        fs::write(&blocked, "").unwrap();
        let store = SettingsStore::open(&blocked);
        let mut saver = SettingsSaver::start(store.clone(), Settings::default()).unwrap();
        // The thread's results are taken at the start of time, when no look is due.
        let start = Instant::now();
        let mut now = start;
        let mut change = |saver: &mut SettingsSaver, fps_limit| {
            now += SAVE_INTERVAL;
            saver.tick(now, || Settings { fps_limit, ..light() })
        };
        let mut told = change(&mut saver, 10);
        wait_for(|| {
            told = told.take().or_else(|| saver.tick(start, light_never));
            told.is_some()
        });
        assert!(matches!(told, Some(SettingsError::Folder { .. })));

        assert!(change(&mut saver, 11).is_none());
        let failed = Instant::now();
        while failed.elapsed() < Duration::from_millis(100) {
            assert!(saver.tick(start, light_never).is_none());
        }
        fs::remove_file(&blocked).unwrap();
        assert!(change(&mut saver, 12).is_none());
        wait_for(|| saver.tick(start, light_never).is_none() && !saver.is_failing);
        assert_eq!(store.load().settings.fps_limit, 12);

        fs::remove_dir_all(&blocked).unwrap();
        fs::write(&blocked, "").unwrap();
        let mut told = change(&mut saver, 13);
        wait_for(|| {
            told = told.take().or_else(|| saver.tick(start, light_never));
            told.is_some()
        });
        assert!(saver.finish(&light()).is_err());
    }
}
