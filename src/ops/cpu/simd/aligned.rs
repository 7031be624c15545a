//! Buffers that start on a cache line, so that no vector of 16 lanes straddles two.

use std::ops::{Deref, DerefMut};

const LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

// SAFETY: 16 floats of 4 bytes fill the 64 bytes exactly, and all-zero bits are a valid value of each.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above: no padding, every bit pattern valid, `repr(C)`, `Copy`.
unsafe impl bytemuck::Pod for Line {}

/// Growable `f32` storage aligned to 64 bytes.
#[derive(Clone, Default)]
pub struct AlignedBuffer {
    lines: Vec<Line>,
    len: usize,
}

impl AlignedBuffer {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        Self { lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)], len }
    }

    /// Makes the length `len`, keeping old values where there are any: what they are is of no meaning. Allocates only
    /// when it never was as long before.
    pub fn set_len(&mut self, len: usize) {
        let lines = len.div_ceil(LINE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; LINE]));
        }
        self.len = len;
    }

    /// Values that fit without an allocation.
    pub fn capacity(&self) -> usize {
        self.lines.len() * LINE
    }
}

impl Deref for AlignedBuffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}
