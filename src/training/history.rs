//! `history.jsonl`: one line a tick, appended and synced. The last line may be torn by a kill; it is then left out.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use crate::base::atomic_file::write_atomic;

/// What was measured in one tick.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HistoryLine {
    /// Images shown at its end.
    pub nimg: u64,
    /// Iterations at its end.
    pub iteration: u64,
    /// Seconds since the run began, pauses and other processes' times left out.
    pub seconds: f64,
    /// Means over the tick by name (`loss_g`, `r1`, ...). Values that are no numbers are left out.
    pub values: BTreeMap<String, f64>,
}

/// Adds a line. A torn end of an earlier process is closed first, so that it costs no line but its own.
///
/// # Errors
/// If the file cannot be written.
pub fn append(path: &Path, line: &HistoryLine) -> Result<(), TrainError> {
    let mut line = line.clone();
    line.values.retain(|_, value| value.is_finite());
    let write = || -> io::Result<()> {
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        if !fs::read(path).map_or(true, |bytes| bytes.is_empty() || bytes.ends_with(b"\n")) {
            text.insert(0, '\n');
        }
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    };
    write().map_err(|source| TrainError::Folder {
        path: path.to_owned(),
        what: format!("cannot be added to ({source}); is the disk full, or the folder read-only?"),
    })
}

/// All lines that can be read, oldest first; none where there is no file.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn read(path: &Path) -> Result<Vec<HistoryLine>, TrainError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(TrainError::Read { path: path.to_owned(), source }),
    };
    Ok(bytes.split(|&b| b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// Drops the lines past `nimg`: a training that goes on from a checkpoint measures them again.
///
/// # Errors
/// If the file cannot be read or replaced.
pub fn rewind(path: &Path, nimg: u64) -> Result<Vec<HistoryLine>, TrainError> {
    let mut lines = read(path)?;
    lines.retain(|line| line.nimg <= nimg);
    write_atomic(path, |out| {
        lines.iter().try_for_each(|line| {
            let text = serde_json::to_string(line)?;
            writeln!(out, "{text}")
        })
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(nimg: u64) -> HistoryLine {
        HistoryLine { nimg, iteration: nimg / 8, seconds: 0.5, values: [("loss_g".to_owned(), 0.25)].into() }
    }

    #[test]
    fn lines_survive_a_torn_end_and_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        assert_eq!(read(&path).unwrap(), []);
        (1..4).for_each(|i| append(&path, &line(8 * i)).unwrap());
        // Torn in the middle of the last line, and of a character.
        let bytes = fs::read(&path).unwrap();
        for cut in [1, 2, 10] {
            fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            let whole = if cut == 1 { 3 } else { 2 };
            assert_eq!(read(&path).unwrap().len(), whole, "cut by {cut}");
            append(&path, &line(100)).unwrap();
            assert_eq!(read(&path).unwrap().last(), Some(&line(100)));
            assert_eq!(read(&path).unwrap().len(), whole + 1);
        }
        assert_eq!(rewind(&path, 16).unwrap(), [line(8), line(16)]);
        assert_eq!(read(&path).unwrap(), [line(8), line(16)]);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut bad = line(8);
        bad.values.insert("loss_d".to_owned(), f64::NAN);
        append(&path, &bad).unwrap();
        assert_eq!(read(&path).unwrap(), [line(8)]);
        assert!(append(&folder.path().join("missing/history.jsonl"), &bad).is_err());
    }
}
