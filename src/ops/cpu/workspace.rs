//! Memory that layers reuse from frame to frame.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::epilogue::EpilogueMemory;
use super::simd::AlignedBuffer;
use super::upsample::EdgeMemory;

/// What one thread needs to work through a block of tiles on its own.
#[derive(Default)]
pub(super) struct Scratch {
    /// Transformed input.
    pub activations: AlignedBuffer,
    /// Products, still transformed.
    pub products: AlignedBuffer,
    /// Rows between an up-convolution and its filter.
    pub rows: AlignedBuffer,
}

/// Everything that running a layer needs apart from its input and output. Grows to what the largest layer needs and stays.
#[derive(Default)]
pub struct Workspace {
    /// For blocks that all threads work on together.
    pub(super) shared: Scratch,
    pub(super) private: PrivateScratch,
    pub(super) style: AlignedBuffer,
    pub(super) demodulation: AlignedBuffer,
    pub(super) epilogue: EpilogueMemory,
    pub(super) edges: EdgeMemory,
    /// Sums over rows, and what follows from them for each channel.
    pub(super) statistics: AlignedBuffer,
    pub(super) normalization: AlignedBuffer,
}

/// One [`Scratch`] a worker thread.
#[derive(Default)]
pub(super) struct PrivateScratch(Vec<Mutex<Scratch>>);

impl PrivateScratch {
    pub fn prepare(&mut self, threads: usize) {
        if self.0.len() < threads {
            self.0.resize_with(threads, Mutex::default);
        }
    }

    /// The calling worker's own; never contended.
    pub fn mine(&self) -> MutexGuard<'_, Scratch> {
        let index = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
