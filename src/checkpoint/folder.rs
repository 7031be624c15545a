//! Folders of training runs, and names for files that are no models.

use std::path::{Path, PathBuf};

use super::{
    error::{CheckpointError, shown},
    pickle::{Pickle, Value},
};

/// A generator as a training wrote it on its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotFile {
    /// Images that had been shown to the networks, by the file's name.
    pub nimg: u64,
    /// The file.
    pub path: PathBuf,
}

/// The folder of our snapshots in that of a run.
const SNAPSHOTS: &str = "snapshots";
/// What the names of official snapshots begin with; thousands of images follow.
const OFFICIAL: &str = "network-snapshot-";

impl SnapshotFile {
    /// The file as a snapshot, if its place and name say that it is one: ours is `snapshots/000123456.safetensors` in the
    /// run's folder, an official one `network-snapshot-000123.pkl`.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let official = name.strip_prefix(OFFICIAL).and_then(|rest| rest.strip_suffix(".pkl"));
        let ours = name.strip_suffix(".safetensors").filter(|_| is_snapshots(path.parent()));
        let nimg = match (official, ours) {
            (Some(kimg), _) => number(kimg)?.checked_mul(1000)?,
            (_, Some(stem)) => number(stem.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?)?,
            _ => return None,
        };
        Some(Self { nimg, path: path.to_owned() })
    }

    /// The folder of the run.
    pub fn run(&self) -> Option<&Path> {
        let folder = self.path.parent()?;
        if is_snapshots(Some(folder)) { folder.parent() } else { Some(folder) }
    }
}

fn is_snapshots(folder: Option<&Path>) -> bool {
    folder.and_then(Path::file_name).is_some_and(|name| name == SNAPSHOTS)
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The snapshots in the folder of a training run, in the order of the training: ours, else official ones. A run that has
/// written none yet has none.
///
/// # Errors
/// The folder cannot be read.
pub fn run_snapshots(folder: &Path) -> Result<Vec<SnapshotFile>, CheckpointError> {
    let files = |folder: &Path| -> std::io::Result<Vec<SnapshotFile>> {
        let paths = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path());
        Ok(paths.filter_map(|path| SnapshotFile::of(&path)).filter(|file| file.path.is_file()).collect())
    };
    let official = files(folder).map_err(|source| CheckpointError::Read { path: folder.to_owned(), source })?;
    let ours = files(&folder.join(SNAPSHOTS)).unwrap_or_default();
    let mut found = if ours.is_empty() { official } else { ours };
    found.sort();
    Ok(found)
}

/// The newest snapshot in the folder of a training run.
///
/// # Errors
/// The folder cannot be read or holds no snapshot.
pub(super) fn newest_snapshot(folder: &Path) -> Result<PathBuf, CheckpointError> {
    run_snapshots(folder)?.pop().map(|snapshot| snapshot.path).ok_or_else(|| CheckpointError::NotAModelFile {
        path: folder.to_owned(),
        what: "is a folder without snapshots (snapshots/*.safetensors or network-snapshot-*.pkl)".into(),
    })
}

/// What a file without a known beginning is.
pub(super) fn guess(bytes: &[u8]) -> String {
    let known: [(&[u8], &str); 12] = [
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"\x89HDF", "an HDF5 file (Keras?)"),
        (b"\x1f\x8b", "a gzip archive; unpack it first"),
        (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
        (b"Rar!", "a RAR archive; unpack it first"),
        (b"GGUF", "a GGUF language model"),
        (b"\x08\x07\x12", "an ONNX network"),
        (b"version https://git-lfs", "a pointer of Git LFS and not the file itself; fetch the file"),
        (b"<!DOCTYPE", "a web page; the download went wrong"),
        (b"<html", "a web page; the download went wrong"),
        (b"\x93NUMPY", "a numpy array"),
    ];
    if let Some((_, what)) = known.iter().find(|(start, _)| bytes.starts_with(start)) {
        return (*what).to_owned();
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return "a tar archive, as PyTorch before 0.1.10 wrote them".to_owned();
    }
    if is_text(bytes) {
        return "a text file".to_owned();
    }
    "no model file that is known".to_owned()
}

/// Whether the beginning of a file is text. A letter at the end may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_some() => return false,
        Err(error) => error.valid_up_to(),
        Ok(text) => text.len(),
    };
    let text = bytes.get(..valid).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace())
}

/// What a pickle without a known network holds.
pub(super) fn describe_pickle(pickle: &Pickle<'_>) -> String {
    let root = pickle.root();
    if let Some((module, name, _)) = pickle.call(root) {
        return format!("a pickle of a {}.{}", shown(module), shown(name));
    }
    match pickle.value(root) {
        Value::Dict(pairs) => {
            let keys: Vec<String> = pairs.iter().filter_map(|(key, _)| pickle.str(*key)).take(8).map(shown).collect();
            format!(
                "a pickle of a dictionary with {}",
                if keys.is_empty() { "no names".into() } else { keys.join(", ") }
            )
        }
        other => format!("a pickle of {}", other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_known_by_name_and_place_and_come_in_the_order_of_the_training() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        std::fs::create_dir(run.join(SNAPSHOTS)).unwrap();
        assert_eq!(run_snapshots(run).unwrap(), []);
        let write = |names: &[&str]| names.iter().for_each(|name| std::fs::write(run.join(name), "").unwrap());
        let numbers = || {
            let found = run_snapshots(run).unwrap();
            assert!(found.iter().all(|file| file.run() == Some(run)));
            found.into_iter().map(|file| file.nimg).collect::<Vec<_>>()
        };
        write(&[
            "network-snapshot-000200.pkl",
            "network-snapshot-000007.pkl",
            "network-snapshot-best.pkl",
            "9.safetensors",
        ]);
        assert_eq!(numbers(), [7000, 200_000]);
        write(&["snapshots/000012000.safetensors", "snapshots/000002500.safetensors", "snapshots/notes.safetensors"]);
        assert_eq!(numbers(), [2500, 12_000], "ours come first");
        assert!(newest_snapshot(run).unwrap().ends_with("snapshots/000012000.safetensors"));
        assert!(run_snapshots(&run.join("nowhere")).is_err());
    }
}
