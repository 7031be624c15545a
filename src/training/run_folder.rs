//! The folder of a run: `run.json`, `history.jsonl`, `samples/`, `snapshots/`, `checkpoints/`, and the lock that keeps a
//! second training out. Numbered files carry the number of images shown, in nine digits: their order is that of time, and
//! opening the folder as a model finds the newest snapshot.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    config::{Changes, TrainConfig},
    error::TrainError,
};
use crate::base::atomic_file::write_atomic;

/// What `run.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// Version of this file's form.
    pub format: u32,
    /// Version of the program that began the run.
    pub program: String,
    /// What decides the result.
    pub config: TrainConfig,
    /// Of the images, to notice that a folder has others than before; empty where it is not known.
    #[serde(default)]
    pub dataset_fingerprint: String,
}

/// The version of `run.json` that is written and read.
const FORMAT: u32 = 1;

/// The folder of a run, locked for this process until it is dropped (also by a kill).
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    run: RunFile,
    _lock: File,
}

impl RunFolder {
    /// Makes a new run in `path`, which may exist but not hold a run.
    ///
    /// # Errors
    /// If it holds a run, is locked, or cannot be written.
    pub fn create(path: &Path, config: TrainConfig, dataset_fingerprint: String) -> Result<Self, TrainError> {
        config.validate()?;
        fs::create_dir_all(path).map_err(|error| folder_error(path, format!("cannot be made: {error}")))?;
        let lock = lock(path)?;
        if path.join("run.json").exists() {
            return Err(folder_error(path, "holds a run already: continue it with --resume, or choose another folder"));
        }
        for name in ["samples", "snapshots", "checkpoints"] {
            fs::create_dir_all(path.join(name))
                .map_err(|error| folder_error(&path.join(name), format!("cannot be made: {error}")))?;
        }
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let run = write_run(path, &RunFile { format: FORMAT, program, config, dataset_fingerprint })?;
        Ok(Self { path: path.to_owned(), run, _lock: lock })
    }

    /// Opens an existing run to continue it.
    ///
    /// # Errors
    /// If it is no run, is locked, or its `run.json` cannot be used.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        read_run(path)?;
        let lock = lock(path)?;
        let run = read_run(path)?;
        Ok(Self { path: path.to_owned(), run, _lock: lock })
    }

    /// Changes what the run is from now on.
    ///
    /// # Errors
    /// If a number is out of its range or `run.json` cannot be replaced; then nothing has changed.
    pub fn change(&mut self, changes: &Changes) -> Result<(), TrainError> {
        let config = changes.apply(&self.run.config)?;
        if config != self.run.config {
            self.run = write_run(&self.path, &RunFile { config, ..self.run.clone() })?;
        }
        Ok(())
    }

    /// What the run is.
    pub fn run(&self) -> &RunFile {
        &self.run
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The file of the history.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// The picture of the grid after `nimg` images.
    pub fn sample(&self, nimg: u64) -> PathBuf {
        self.path.join("samples").join(format!("{nimg:09}.png"))
    }

    /// The snapshot of the generator after `nimg` images.
    pub fn snapshot(&self, nimg: u64) -> PathBuf {
        self.path.join("snapshots").join(format!("{nimg:09}.safetensors"))
    }
}

/// Writes `run.json` and reads it back: its text may hold a number whose last bit is another one, and a resumed run must not differ
/// in it.
fn write_run(folder: &Path, run: &RunFile) -> Result<RunFile, TrainError> {
    let text = serde_json::to_vec_pretty(run).map_err(|error| TrainError::State(error.to_string()))?;
    write_atomic(&folder.join("run.json"), |out| out.write_all(&text))?;
    read_run(folder)
}

/// The newest picture of the grid, if there is one.
///
/// # Errors
/// If the folder is there and cannot be read.
pub fn newest_sample(run: &Path) -> Result<Option<PathBuf>, TrainError> {
    let folder = run.join("samples");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TrainError::Read { path: folder, source }),
    };
    let paths = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "png"));
    Ok(paths.filter(|path| images_of(path).is_some()).max_by_key(|path| images_of(path)))
}

/// Images that had been shown when a numbered file was written, by its name.
pub fn images_of(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// What `run.json` of a folder says. Needs no lock.
///
/// # Errors
/// If it cannot be read, or says what this program does not understand.
pub fn read_run(folder: &Path) -> Result<RunFile, TrainError> {
    let path = folder.join("run.json");
    if !path.is_file() {
        return Err(folder_error(folder, "is no run: it has no run.json"));
    }
    let bytes = fs::read(&path).map_err(|source| TrainError::Read { path: path.clone(), source })?;
    let run: RunFile = serde_json::from_slice(&bytes)
        .map_err(|error| TrainError::Damaged { path: path.clone(), cause: error.to_string() })?;
    if run.format != FORMAT {
        let cause = format!("it has format {}, and this program reads {FORMAT}", run.format);
        return Err(TrainError::Damaged { path, cause });
    }
    run.config.validate()?;
    Ok(run)
}

fn lock(folder: &Path) -> Result<File, TrainError> {
    let path = folder.join("run.lock");
    let open = |path: &Path| File::options().create(true).write(true).truncate(false).open(path);
    let file = open(&path).map_err(|error| folder_error(folder, format!("cannot be written to: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(folder_error(folder, "is being trained by another process; stop it first"))
        }
        // Some network file systems have no locks; a training there is still better than none.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            log::warn!("{} cannot be locked: start no second training in it", folder.display());
            Ok(file)
        }
        Err(TryLockError::Error(error)) => Err(folder_error(folder, format!("cannot be locked: {error}"))),
    }
}

fn folder_error(path: &Path, what: impl Into<String>) -> TrainError {
    TrainError::Folder { path: path.to_owned(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::run_snapshots;
    use crate::training::preset::{Preset, PresetOptions};

    #[test]
    fn a_run_is_made_once_opened_again_and_locked_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let config = Preset::StyleGan2E.build(&PresetOptions { kimg: 0.1 + 0.2, ..PresetOptions::default() }).unwrap();
        let says = |result: Result<RunFolder, TrainError>| result.unwrap_err().to_string();
        assert!(says(RunFolder::open(&path)).contains("run.json"));
        let run = RunFolder::create(&path, config.clone(), "abc".into()).unwrap();
        assert!(says(RunFolder::open(&path)).contains("another process"));
        assert!(says(RunFolder::create(&path, config.clone(), String::new())).contains("another process"));
        let first = run.run().clone();
        drop(run);
        let again = RunFolder::open(&path).unwrap();
        assert_eq!((again.run(), again.run().dataset_fingerprint.as_str()), (&first, "abc"));
        drop(again);
        let mut changed = RunFolder::open(&path).unwrap();
        changed.change(&Changes { gamma: Some(-1.0), ..Changes::default() }).unwrap_err();
        assert_eq!(changed.run(), &first);
        changed.change(&Changes { gamma: Some(0.1), kimg: Some(7.0), ..Changes::default() }).unwrap();
        drop(changed);
        let again = RunFolder::open(&path).unwrap();
        let found = &again.run().config;
        assert_eq!((found.r1_gamma, found.kimg, found.generator_lr), (0.1, 7.0, first.config.generator_lr));
        drop(again);
        assert!(says(RunFolder::create(&path, config, String::new())).contains("--resume"));
        fs::write(path.join("run.json"), "{").unwrap();
        assert!(says(RunFolder::open(&path)).contains("damaged"));
    }

    #[test]
    fn folders_that_cannot_be_made_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let config = Preset::Msg.build(&PresetOptions::default()).unwrap();
        let error = RunFolder::create(&file.join("run"), config, String::new()).unwrap_err();
        assert!(error.to_string().contains("cannot be made"), "{error}");
    }

    #[test]
    fn numbers_are_images() {
        let folder = tempfile::tempdir().unwrap();
        let config = Preset::Msg.build(&PresetOptions::default()).unwrap();
        let run = RunFolder::create(folder.path(), config, String::new()).unwrap();
        assert!(run.snapshot(123_456).ends_with("snapshots/000123456.safetensors"));
        assert!(run.sample(8).ends_with("samples/000000008.png"));
        for nimg in [1_000_000_000, 8, 123_456] {
            fs::write(run.snapshot(nimg), "").unwrap();
        }
        fs::write(run.path().join("snapshots/best.safetensors"), "").unwrap();
        fs::write(run.path().join("snapshots/000000009.tmp"), "").unwrap();
        let found: Vec<u64> = run_snapshots(run.path()).unwrap().into_iter().map(|file| file.nimg).collect();
        assert_eq!(found, [8, 123_456, 1_000_000_000]);
        assert_eq!(newest_sample(run.path()).unwrap(), None);
        // Checkpoints are no snapshots: opening the folder as a model looks into `snapshots` alone.
        assert!(!run.checkpoints().starts_with(run.path().join("snapshots")));
    }
}
