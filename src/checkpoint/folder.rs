//! Folders of training runs, and names for files that are no models.

use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
};

use super::{
    error::{CheckpointError, shown},
    pickle::{Pickle, Value},
};

/// The newest snapshot in the folder of a training run: ours in `snapshots/`, else an official `network-snapshot-*.pkl`.
///
/// # Errors
/// The folder cannot be read or holds no snapshot.
pub(super) fn newest_snapshot(folder: &Path) -> Result<PathBuf, CheckpointError> {
    let read = |folder: &Path, fits: &dyn Fn(&str) -> bool| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.flatten().map(|entry| entry.path());
        let is_snapshot =
            |path: &PathBuf| path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(fits);
        paths.filter(is_snapshot).collect()
    };
    std::fs::read_dir(folder).map_err(|source| CheckpointError::Read { path: folder.to_owned(), source })?;
    let mut candidates = read(&folder.join("snapshots"), &|name| name.ends_with(".safetensors"));
    candidates.extend(read(folder, &|name| name.starts_with("network-snapshot-") && name.ends_with(".pkl")));
    // The number of training images is in the name; where clocks tell nothing, it decides.
    let newest = candidates.into_iter().max_by_key(|path| {
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        (number_in(path), modified, Reverse(path.clone()))
    });
    newest.ok_or_else(|| CheckpointError::NotAModelFile {
        path: folder.to_owned(),
        what: "is a folder without snapshots (snapshots/*.safetensors or network-snapshot-*.pkl)".into(),
    })
}

/// The last number in a file's name.
fn number_in(path: &Path) -> Option<u64> {
    let name = path.file_stem()?.to_str()?;
    name.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
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
    "no model file that is known".to_owned()
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
