//! The opcodes' bytes: straight from memory, or from a file through a small window.

use super::{error::PickleFault, machine::Step};
use crate::checkpoint::source::{Section, Unavailable};

/// Bytes of a file that are read ahead. Between two arrays there are a few hundred.
const WINDOW: usize = 4096;

pub(super) struct Reader<'a> {
    section: Section<'a>,
    window: Vec<u8>,
    /// Position of the window.
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(section: Section<'a>) -> Self {
        Self { section, window: Vec::new(), at: 0 }
    }

    /// Fills `into` with the bytes from `at` on.
    pub fn read(&mut self, at: usize, into: &mut [u8]) -> Step {
        if self.section.in_memory().is_some() || into.len() > WINDOW {
            return self.section.read(at, into).map_err(fault);
        }
        let ahead = self.ahead(at, into.len())?;
        into.copy_from_slice(ahead.get(..into.len()).ok_or(PickleFault::End)?);
        Ok(())
    }

    /// Number of bytes from `at` to the end of the line.
    pub fn line_length(&mut self, at: usize) -> Step<usize> {
        let end = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b'\n');
        if let Some(bytes) = self.section.in_memory() {
            return bytes.get(at..).and_then(end).ok_or(PickleFault::End);
        }
        let mut length = 0;
        loop {
            let ahead = self.ahead(at + length, 1)?;
            if let Some(rest) = end(ahead) {
                return Ok(length + rest);
            }
            length += ahead.len();
        }
    }

    /// At least `len` bytes from `at` on.
    fn ahead(&mut self, at: usize, len: usize) -> Step<&[u8]> {
        let inside = at.checked_sub(self.at).filter(|skip| skip + len <= self.window.len());
        if inside.is_none() {
            let available = self.section.len().saturating_sub(at).min(WINDOW);
            self.window.resize(available, 0);
            self.at = at;
            self.section.read(at, &mut self.window).map_err(fault)?;
        }
        self.window.get(at - self.at..).filter(|ahead| ahead.len() >= len && !ahead.is_empty()).ok_or(PickleFault::End)
    }
}

fn fault(cause: Unavailable) -> PickleFault {
    match cause {
        Unavailable::Outside => PickleFault::End,
        Unavailable::Io(error) => PickleFault::Unreadable(error.to_string()),
    }
}
