//! The checkpoints of a run: everything that a training needs to go on as if it had never stopped.
//!
//! `checkpoints/000123456.safetensors` holds the state after 123,456 images. A new one is written beside the older ones, read
//! back, and only then do older ones go; [`KEPT`] valid ones stay. Arrays are exact in 32 bits. Scalars are texts, because
//! the shortest text of an f64 that Rust prints is read back to the same bits.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::error::TrainError;
use crate::{
    checkpoint::{read_safetensors, save_arrays},
    model::state_dict::StateDict,
};

/// Checkpoints that stay in the folder.
pub const KEPT: usize = 2;

const SCALARS_KEY: &str = "scalars";
const CHECKSUM_KEY: &str = "checksum";
const FORMAT_KEY: &str = "format";
const FORMAT: &str = "stylescope training 1";
const IMAGES: &str = "nimg";
const ITERATION: &str = "iteration";

/// What a checkpoint holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SavedState {
    /// Images shown so far.
    pub nimg: u64,
    /// Iterations so far.
    pub iteration: u64,
    /// Weights and optimizers under prefixed names.
    pub arrays: StateDict,
    /// Single numbers, e.g. the mean path length.
    pub scalars: BTreeMap<String, f64>,
}

/// The newest checkpoint that is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// Its contents.
    pub state: SavedState,
    /// Its file.
    pub path: PathBuf,
    /// Newer files that could not be used, each with its reason.
    pub passed_over: Vec<String>,
}

/// Writes a checkpoint into `folder`, reads it back, and removes all but the newest [`KEPT`].
///
/// # Errors
/// A step of writing that failed, or a file that reads back otherwise; older checkpoints are then still there.
pub fn save(folder: &Path, state: &SavedState) -> Result<PathBuf, TrainError> {
    let path = folder.join(format!("{:09}.safetensors", state.nimg));
    let mut scalars: BTreeMap<String, String> =
        state.scalars.iter().map(|(name, value)| (name.clone(), format!("{value:?}"))).collect();
    scalars.insert(IMAGES.into(), state.nimg.to_string());
    scalars.insert(ITERATION.into(), state.iteration.to_string());
    let scalars = serde_json::to_string(&scalars).map_err(|error| TrainError::State(error.to_string()))?;
    let checksum = checksum(&state.arrays, &scalars);
    let metadata = [(FORMAT_KEY, FORMAT.to_owned()), (SCALARS_KEY, scalars), (CHECKSUM_KEY, checksum)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value)).into();
    save_arrays(&path, &metadata, &state.arrays)?;
    load(&path)?;
    remove_old(folder, &path);
    Ok(path)
}

/// Reads one checkpoint.
///
/// # Errors
/// If it cannot be read, is no checkpoint, or its checksum is another one.
pub fn load(path: &Path) -> Result<SavedState, TrainError> {
    let damaged = |cause: String| TrainError::Damaged { path: path.to_owned(), cause };
    let bytes = fs::read(path).map_err(|source| TrainError::Read { path: path.to_owned(), source })?;
    let (arrays, metadata) = read_safetensors(&bytes).map_err(|fault| damaged(fault.to_string()))?;
    if metadata.get(FORMAT_KEY).map(String::as_str) != Some(FORMAT) {
        return Err(damaged("it is no checkpoint of a training".into()));
    }
    let text = metadata.get(SCALARS_KEY).ok_or_else(|| damaged("its scalars are missing".into()))?;
    if metadata.get(CHECKSUM_KEY) != Some(&checksum(&arrays, text)) {
        return Err(damaged("its checksum does not agree with its contents".into()));
    }
    let mut scalars: BTreeMap<String, String> =
        serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    let mut whole = |name: &str| {
        let text = scalars.remove(name).ok_or_else(|| damaged(format!("the number {name} is missing")))?;
        text.parse::<u64>().map_err(|_| damaged(format!("the number {name} cannot be read")))
    };
    let (nimg, iteration) = (whole(IMAGES)?, whole(ITERATION)?);
    let scalar = |(name, text): (String, String)| match text.parse::<f64>() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(damaged(format!("the number {name} cannot be read"))),
    };
    let scalars = scalars.into_iter().map(scalar).collect::<Result<_, _>>()?;
    Ok(SavedState { nimg, iteration, arrays, scalars })
}

/// The newest checkpoint of `folder` that is whole; `None` where there is not even a file.
///
/// # Errors
/// If the folder cannot be read, or if it has files of which none can be used: the reason of the newest.
pub fn newest(folder: &Path) -> Result<Option<Restored>, TrainError> {
    let mut passed_over = Vec::new();
    let mut first = None;
    for (_, path) in files(folder)? {
        match load(&path) {
            Ok(state) => return Ok(Some(Restored { state, path, passed_over })),
            Err(error) => {
                passed_over.push(crate::base::error_chain::error_chain(&error));
                first.get_or_insert(error);
            }
        }
    }
    first.map_or(Ok(None), Err)
}

/// The checkpoints by their number of images, newest first.
fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let entries = fs::read_dir(folder).map_err(|source| TrainError::Read { path: folder.to_owned(), source })?;
    let number = |path: &Path| {
        let digits = path.file_name()?.to_str()?.strip_suffix(".safetensors")?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let mut found: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Removes what is older than the newest [`KEPT`] whole ones. `written` was just read back. Files that seem newer come from a
/// training that went on from an older state; they stay, since they may be all that is left of it.
fn remove_old(folder: &Path, written: &Path) {
    let Ok(files) = files(folder) else { return };
    let mut whole = 0;
    for (_, path) in files {
        if whole >= KEPT && path != written {
            if let Err(error) = fs::remove_file(&path) {
                log::warn!("the old checkpoint {} could not be removed: {error}", path.display());
            }
        } else if path == written || load(&path).is_ok() {
            whole += 1;
        }
    }
}

/// Over names, shapes, values and scalars.
fn checksum(arrays: &StateDict, scalars: &str) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(scalars.as_bytes());
    for (name, tensor) in &arrays.0 {
        hasher.update(name.as_bytes());
        tensor.shape.iter().for_each(|length| hasher.update(&(*length as u64).to_le_bytes()));
        for part in tensor.data.chunks(1 << 12) {
            let bytes: Vec<u8> = part.iter().flat_map(|value| value.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
    }
    format!("{:08x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state_dict::HostTensor;

    fn state(nimg: u64) -> SavedState {
        let weight = HostTensor { shape: vec![2, 2], data: vec![0.1, -0.0, f32::MIN_POSITIVE / 2.0, nimg as f32] };
        SavedState {
            nimg,
            iteration: nimg / 8,
            arrays: StateDict([("G.a".to_owned(), weight)].into()),
            scalars: [("pl_mean".to_owned(), 0.1 + 0.2), ("ada_p".to_owned(), 1e-300)].into(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_state_comes_back_bit_by_bit_and_two_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(folder.path()).unwrap(), None);
        for nimg in [8, 16, 1_000_000_000, 24] {
            save(folder.path(), &state(nimg)).unwrap();
        }
        assert_eq!(names(folder.path()), ["000000024.safetensors", "1000000000.safetensors"]);
        let restored = newest(folder.path()).unwrap().unwrap();
        assert_eq!(restored.state, state(1_000_000_000));
        assert!(restored.passed_over.is_empty());
        let bits = |s: &SavedState| s.arrays.0["G.a"].data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&restored.state), bits(&state(1_000_000_000)));
    }

    #[test]
    fn a_damaged_newest_falls_back_to_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (save(folder.path(), &state(8)).unwrap(), save(folder.path(), &state(16)).unwrap());
        let whole = fs::read(&new).unwrap();
        // A flipped bit in the data, and every kind of a short file.
        let mut flipped = whole.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let cuts = [0, 7, 100, whole.len() - 1].map(|length| whole[..length].to_vec());
        for bad in std::iter::once(flipped).chain(cuts) {
            fs::write(&new, &bad).unwrap();
            let restored = newest(folder.path()).unwrap().unwrap();
            assert_eq!((restored.state.nimg, &restored.path), (8, &old));
            assert!(restored.passed_over[0].contains("000000016"), "{:?}", restored.passed_over);
        }
        fs::write(&old, "").unwrap();
        assert!(newest(folder.path()).unwrap_err().to_string().contains("000000016"));
        // A damaged one does not count among those that are kept.
        save(folder.path(), &state(24)).unwrap();
        assert_eq!(newest(folder.path()).unwrap().unwrap().state.nimg, 24);
    }

    #[test]
    fn a_write_that_fails_leaves_the_older_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), &state(8)).unwrap();
        // A folder of the new one's name refuses the rename.
        fs::create_dir(folder.path().join("000000016.safetensors")).unwrap();
        save(folder.path(), &state(16)).unwrap_err();
        assert_eq!(newest(folder.path()).unwrap().unwrap().state, state(8));
    }
}
