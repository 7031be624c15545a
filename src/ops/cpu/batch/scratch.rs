//! Working memory that each thread keeps from call to call.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::ops::cpu::simd::AlignedBuffer;

// A call holds at most five at a time.
const KEPT: usize = 6;

thread_local! {
    static BUFFERS: RefCell<Vec<AlignedBuffer>> = const { RefCell::new(Vec::new()) };
}

/// Working memory that goes back to the thread that drops it. What it holds at first is of no meaning.
pub(super) struct Scratch(AlignedBuffer);

impl Scratch {
    /// `len` values of any content.
    pub fn new(len: usize) -> Self {
        let mut buffer = BUFFERS.with_borrow_mut(|kept| take(kept, len)).unwrap_or_default();
        buffer.set_len(len);
        Self(buffer)
    }
}

/// The smallest that is large enough, else the largest.
fn take(kept: &mut Vec<AlignedBuffer>, len: usize) -> Option<AlignedBuffer> {
    let rank = |buffer: &AlignedBuffer| {
        let capacity = buffer.capacity();
        if capacity >= len { (0, capacity) } else { (1, usize::MAX - capacity) }
    };
    let index = kept.iter().enumerate().min_by_key(|(_, buffer)| rank(buffer)).map(|(index, _)| index)?;
    Some(kept.swap_remove(index))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.0);
        // While a thread ends, its memory is no longer there to be given back to.
        let _ = BUFFERS.try_with(|kept| {
            if let Ok(mut kept) = kept.try_borrow_mut()
                && kept.len() < KEPT
            {
                kept.push(buffer);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}
