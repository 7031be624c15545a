//! Activations in the layout that the kernels like: channels innermost, a border of one zero pixel.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::simd::AlignedBuffer;

/// Channels are padded with zeros to a multiple of this: a vector of the widest instruction set.
pub const CHANNEL_ALIGNMENT: usize = 16;

/// One sample's activations `[height + 2, width + 2, padded channels]`, with a border of one zero pixel, so that a 3x3
/// convolution needs no edge cases. Channels past `channels` are finite but mean nothing.
pub struct NhwcBuffer {
    pub(super) data: AlignedBuffer,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

pub(super) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_ALIGNMENT)
}

impl NhwcBuffer {
    /// A buffer whose inside is yet to be written; the storage comes from an earlier buffer of about the size, if there was
    /// one. A fresh 128 MB allocation costs more in page faults than the convolution that fills it.
    pub(super) fn uninitialized(height: usize, width: usize, channels: usize) -> Self {
        let len = (height + 2) * (width + 2) * padded(channels);
        let mut data = take_storage(len);
        data.set_len(len);
        Self { data, height, width, channels }
    }

    /// From `[channels, height, width]`.
    ///
    /// # Panics
    /// If the length of `values` is not the product of the shape.
    pub fn from_nchw(values: &[f32], channels: usize, height: usize, width: usize) -> Self {
        assert_eq!(
            values.len(),
            channels * height * width,
            "values do not have the shape [{channels}, {height}, {width}]"
        );
        let mut buffer = Self::uninitialized(height, width, channels);
        buffer.data.fill(0.0);
        let (row, step) = (buffer.row_len(), padded(channels));
        for (c, plane) in values.chunks_exact(height * width).enumerate() {
            for (y, line) in plane.chunks_exact(width).enumerate() {
                for (x, &value) in line.iter().enumerate() {
                    buffer.data[(y + 1) * row + (x + 1) * step + c] = value;
                }
            }
        }
        buffer
    }

    /// `[channels, height, width]`.
    pub fn to_nchw(&self) -> Vec<f32> {
        let (row, step) = (self.row_len(), padded(self.channels));
        let mut values = Vec::with_capacity(self.channels * self.height * self.width);
        for c in 0..self.channels {
            for y in 0..self.height {
                let line = &self.data[(y + 1) * row + step..][..self.width * step];
                values.extend(line.chunks_exact(step).map(|pixel| pixel[c]));
            }
        }
        values
    }

    /// `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Values of one padded row.
    pub(super) fn row_len(&self) -> usize {
        (self.width + 2) * padded(self.channels)
    }

    /// The rows inside of the border, each `row_len` long with its border pixels at both ends, after the border itself
    /// is zeroed above and below.
    pub(super) fn rows_mut(&mut self) -> &mut [f32] {
        let row = self.row_len();
        let len = self.data.len();
        self.data[..row].fill(0.0);
        self.data[len - row..].fill(0.0);
        &mut self.data[row..len - row]
    }
}

impl fmt::Debug for NhwcBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NhwcBuffer({:?})", self.shape())
    }
}

impl Drop for NhwcBuffer {
    fn drop(&mut self) {
        give_storage(std::mem::take(&mut self.data));
    }
}

// A frame's layers differ in size, so storage for each must survive a frame; beyond it, it goes back to the allocator.
const KEPT: usize = 24;

static STORAGE: Mutex<Vec<AlignedBuffer>> = Mutex::new(Vec::new());

fn take_storage(len: usize) -> AlignedBuffer {
    let mut kept = STORAGE.lock().unwrap_or_else(PoisonError::into_inner);
    // Storage several times too large would be missed by the layer that needs it.
    let fits = |buffer: &AlignedBuffer| (len..=4 * len).contains(&buffer.capacity());
    let candidates = kept.iter().enumerate().filter(|(_, buffer)| fits(buffer));
    match candidates.min_by_key(|(_, buffer)| buffer.capacity()).map(|(index, _)| index) {
        Some(index) => kept.remove(index),
        None => {
            drop(kept);
            AlignedBuffer::zeroed(len)
        }
    }
}

fn give_storage(buffer: AlignedBuffer) {
    if buffer.capacity() == 0 {
        return;
    }
    let mut kept = STORAGE.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() == KEPT {
        kept.remove(0);
    }
    kept.push(buffer);
}
