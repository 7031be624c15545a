//! Prepared pictures, so that each file is decoded once: in memory up to a limit, beyond it in a file.
//!
//! What is kept is what came first: an epoch walks over everything once, which a cache that gives up the oldest would
//! answer with nothing but misses. The file is only ever an aid: where it cannot be written, the picture is prepared anew.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Bytes behind each record: its checksum, so that a record half written or never written is known as such.
const TRAILER: usize = 4;

pub(super) struct Cache {
    record: usize,
    state: Mutex<State>,
}

struct State {
    memory: HashMap<u64, Box<[u8]>>,
    /// Pictures that still fit into memory.
    room: u64,
    disk: Option<Disk>,
}

struct Disk {
    file: File,
    path: PathBuf,
    /// Records that may be written, by their number.
    limit: u64,
}

impl Cache {
    /// - `record`: bytes of a picture
    /// - `memory`: bytes that may be held
    /// - `disk`: folder, name of the set of pictures, and bytes that the file may have
    pub fn new(record: usize, memory: u64, disk: Option<(&Path, &str, u64)>) -> Self {
        let disk = disk.and_then(|(folder, name, bytes)| {
            Disk::open(folder, name, bytes / (record + TRAILER) as u64)
                .inspect_err(|error| log::warn!("no pictures are cached in {}: {error}", folder.display()))
                .ok()
        });
        let state = State { memory: HashMap::new(), room: memory / record.max(1) as u64, disk };
        Self { record, state: Mutex::new(state) }
    }

    pub fn get(&self, index: u64) -> Option<Vec<u8>> {
        // A panic elsewhere leaves whole pictures behind: they are inserted in one step.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pixels) = state.memory.get(&index) {
            return Some(pixels.to_vec());
        }
        let pixels = state.disk.as_mut()?.read(index, self.record)?;
        if state.room > 0 {
            state.room -= 1;
            state.memory.insert(index, pixels.clone().into());
        }
        Some(pixels)
    }

    pub fn put(&self, index: u64, pixels: &[u8]) {
        if pixels.len() != self.record {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.room > 0 {
            state.room -= 1;
            state.memory.insert(index, pixels.into());
        } else if let Some(disk) = &mut state.disk
            && let Err(error) = disk.write(index, pixels)
        {
            log::warn!("{}: no more pictures are cached: {error}", disk.path.display());
            state.disk = None;
        }
    }

    #[cfg(test)]
    fn in_memory(&self) -> usize {
        self.state.lock().unwrap().memory.len()
    }
}

impl Disk {
    fn open(folder: &Path, name: &str, limit: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.pictures"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        Ok(Self { file, path, limit })
    }

    fn position(index: u64, record: usize) -> u64 {
        index * (record + TRAILER) as u64
    }

    fn read(&mut self, index: u64, record: usize) -> Option<Vec<u8>> {
        if index >= self.limit {
            return None;
        }
        let mut bytes = vec![0; record + TRAILER];
        self.file.seek(SeekFrom::Start(Self::position(index, record))).ok()?;
        self.file.read_exact(&mut bytes).ok()?;
        let checksum = bytes.split_off(record);
        (checksum == crc32fast::hash(&bytes).to_le_bytes()).then_some(bytes)
    }

    fn write(&mut self, index: u64, pixels: &[u8]) -> io::Result<()> {
        if index >= self.limit {
            return Ok(());
        }
        let mut bytes = pixels.to_vec();
        bytes.extend(crc32fast::hash(pixels).to_le_bytes());
        self.file.seek(SeekFrom::Start(Self::position(index, pixels.len())))?;
        self.file.write_all(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_the_rest_goes_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Some((folder.path(), "set", 10 * 20));
        let cache = Cache::new(16, 16 * 3, disk);
        for i in 0..20 {
            cache.put(i, &[i as u8; 16]);
        }
        assert_eq!(cache.in_memory(), 3);
        let hits: Vec<_> = (0..20).filter(|&i| cache.get(i).is_some_and(|p| p == [i as u8; 16])).collect();
        assert_eq!(hits, (0..10).collect::<Vec<_>>(), "ten records have room in the file");
        assert!(std::fs::metadata(folder.path().join("set.pictures")).unwrap().len() <= 200);
        // Another process finds what the file has: not the first three, which never went there.
        let again = Cache::new(16, 0, disk);
        assert!(again.get(2).is_none() && again.get(3).is_some());
    }

    #[test]
    fn damaged_records_are_misses() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(4, 0, Some((folder.path(), "set", 1000)));
        cache.put(1, &[1, 2, 3, 4]);
        assert!(cache.get(0).is_none(), "a hole is no picture");
        let path = folder.path().join("set.pictures");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[9] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(cache.get(1).is_none());
        cache.put(1, &[0; 3]);
        assert!(cache.get(1).is_none(), "pictures of another size are not kept");
    }

    #[test]
    fn no_folder_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let cache = Cache::new(4, 4, Some((&file, "set", 1000)));
        cache.put(0, &[1; 4]);
        cache.put(1, &[1; 4]);
        assert!(cache.get(0).is_some() && cache.get(1).is_none());
    }
}
