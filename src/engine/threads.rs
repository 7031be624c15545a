//! How many processors may work on an image at most.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::ops::cpu::Runtime;
pub use crate::ops::cpu::threads::processors;

/// A limit that one thread sets and the thread that computes takes up before its next image.
#[derive(Debug, Clone)]
pub(crate) struct ThreadLimit(Arc<AtomicUsize>);

impl Default for ThreadLimit {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(processors())))
    }
}

impl ThreadLimit {
    /// At most `limit` threads from the next image on: at least one, at most [`processors`].
    pub fn set(&self, limit: usize) {
        self.0.store(limit.clamp(1, processors()), Ordering::Relaxed);
    }

    /// Brings the kernels' threads to the limit. Nothing changes if the system refuses them.
    pub fn take_up(&self) {
        let Some(runtime) = Runtime::shared() else { return };
        if let Err(error) = runtime.threads().set_limit(self.0.load(Ordering::Relaxed)) {
            log::warn!("the number of threads stays {}: {error}", runtime.threads().limit());
        }
    }
}
