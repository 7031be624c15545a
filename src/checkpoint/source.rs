//! The bytes of a model file: in memory, or on the disk and read where they are wanted.
//!
//! A checkpoint of hundreds of megabytes is never held as a whole: readers look at its index, and the arrays of the
//! chosen network are read one by one.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::Mutex,
};

use super::error::Fault;
use crate::base::mailbox::lock;

/// Bytes that are read at a time where a long part is only looked through.
const CHUNK: usize = 1 << 20;

/// An open file.
#[derive(Debug)]
pub(super) enum Source {
    /// All of it in memory.
    Memory(Vec<u8>),
    /// On the disk. `len` is its length when it was opened.
    File { file: Mutex<File>, len: usize },
}

impl Source {
    pub fn section(&self) -> Section<'_> {
        match self {
            Self::Memory(bytes) => Section::from(bytes.as_slice()),
            Self::File { file, len } => Section { place: Place::File(file), start: 0, len: *len },
        }
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    place: Place<'a>,
    start: usize,
    len: usize,
}

#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Memory(&'a [u8]),
    File(&'a Mutex<File>),
}

/// Why a part of a file is not to be had.
#[derive(Debug)]
pub enum Unavailable {
    /// It reaches past the end.
    Outside,
    /// The system could not read it.
    Io(io::Error),
}

impl<'a> From<&'a [u8]> for Section<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { place: Place::Memory(bytes), start: 0, len: bytes.len() }
    }
}

impl<'a> Section<'a> {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Position in the file.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The part from `at` on; empty past the end.
    pub fn rest(&self, at: usize) -> Self {
        let at = at.min(self.len);
        Self { start: self.start + at, len: self.len - at, ..*self }
    }

    /// The part `range`, cut at the end.
    pub fn part(&self, range: Range<usize>) -> Self {
        let rest = self.rest(range.start);
        Self { len: rest.len.min(range.end.saturating_sub(range.start)), ..rest }
    }

    /// All of it, if it is in memory anyway.
    pub(super) fn in_memory(&self) -> Option<&'a [u8]> {
        match self.place {
            Place::Memory(bytes) => bytes.get(self.start..self.start + self.len),
            Place::File(_) => None,
        }
    }

    /// The `len` bytes from `at` on.
    ///
    /// # Errors
    /// They are not all there, or cannot be read.
    pub fn get(&self, at: usize, len: usize) -> Result<Cow<'a, [u8]>, Unavailable> {
        let end = at.checked_add(len).filter(|end| *end <= self.len).ok_or(Unavailable::Outside)?;
        match self.place {
            Place::Memory(bytes) => {
                bytes.get(self.start + at..self.start + end).map(Cow::Borrowed).ok_or(Unavailable::Outside)
            }
            Place::File(_) => {
                let mut bytes = vec![0; len];
                self.read(at, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// Fills `into` with the bytes from `at` on.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn read(&self, at: usize, into: &mut [u8]) -> Result<(), Unavailable> {
        let end = at.checked_add(into.len()).filter(|end| *end <= self.len).ok_or(Unavailable::Outside)?;
        match self.place {
            Place::Memory(bytes) => {
                let bytes = bytes.get(self.start + at..self.start + end).ok_or(Unavailable::Outside)?;
                into.copy_from_slice(bytes);
            }
            Place::File(file) => {
                let mut file = lock(file);
                file.seek(SeekFrom::Start((self.start + at) as u64)).map_err(Unavailable::Io)?;
                file.read_exact(into).map_err(|error| match error.kind() {
                    // It was longer when it was opened.
                    io::ErrorKind::UnexpectedEof => Unavailable::Outside,
                    _ => Unavailable::Io(error),
                })?;
            }
        }
        Ok(())
    }

    /// An array of the `N` bytes from `at` on; `None` past the end.
    pub(super) fn array<const N: usize>(&self, at: usize) -> Result<Option<[u8; N]>, Fault> {
        let mut bytes = [0; N];
        match self.read(at, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(Unavailable::Outside) => Ok(None),
            Err(Unavailable::Io(error)) => Err(Fault::unreadable(&error)),
        }
    }

    /// As [`Self::get`]; `None` past the end.
    pub(super) fn try_get(&self, at: usize, len: usize) -> Result<Option<Cow<'a, [u8]>>, Fault> {
        match self.get(at, len) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Unavailable::Outside) => Ok(None),
            Err(Unavailable::Io(error)) => Err(Fault::unreadable(&error)),
        }
    }

    /// Whether the bytes at `at` are `expected`.
    pub(super) fn has(&self, at: usize, expected: &[u8]) -> Result<bool, Fault> {
        Ok(self.try_get(at, expected.len())?.is_some_and(|bytes| *bytes == *expected))
    }

    /// Hands all bytes to `look`, a part at a time.
    pub(super) fn look_through(&self, mut look: impl FnMut(&[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        if let Some(bytes) = self.in_memory() {
            return bytes.chunks(CHUNK).try_for_each(look);
        }
        let mut buffer = vec![0; CHUNK.min(self.len)];
        let mut at = 0;
        while at < self.len {
            let len = buffer.len().min(self.len - at);
            let part = buffer.get_mut(..len).unwrap_or_default();
            self.read(at, part).map_err(|cause| cause.into_fault(self.start + at))?;
            look(part)?;
            at += len;
        }
        Ok(())
    }
}

impl Unavailable {
    /// The error for bytes at `place` in the file that must be there.
    pub(super) fn into_fault(self, place: usize) -> Fault {
        match self {
            Self::Outside => Fault::damaged(format!("byte {place}"), "the file ends before it"),
            Self::Io(error) => Fault::unreadable(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_reads_as_memory_does() {
        let bytes: Vec<u8> = (0..5000u32).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let sources = [Source::Memory(bytes.clone()), Source::File { file: Mutex::new(file), len: bytes.len() }];
        for source in &sources {
            let whole = source.section();
            let part = whole.part(100..4100).rest(50);
            assert_eq!((whole.len(), part.start(), part.len()), (5000, 150, 3950));
            assert_eq!(*part.get(7, 20).unwrap(), bytes[157..177]);
            assert!(matches!(part.get(3940, 11), Err(Unavailable::Outside)));
            assert!(matches!(part.get(usize::MAX, 2), Err(Unavailable::Outside)));
            assert_eq!(part.array::<4>(3946).unwrap().unwrap(), bytes[4096..4100]);
            assert!(part.array::<4>(3947).unwrap().is_none());
            assert!(part.has(0, &bytes[150..160]).unwrap() && !part.has(1, &bytes[150..160]).unwrap());
            let mut seen = Vec::new();
            part.look_through(|some| {
                seen.extend_from_slice(some);
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, bytes[150..4100]);
            assert!(whole.rest(6000).is_empty() && whole.part(4990..6000).len() == 10);
        }
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 100]).unwrap();
        file.set_len(50).unwrap();
        let source = Source::File { file: Mutex::new(file), len: 100 };
        assert!(source.section().get(0, 50).is_ok());
        assert!(matches!(source.section().get(40, 20), Err(Unavailable::Outside)));
    }
}
