//! The threads that kernels run on, and how many of them at most.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

/// A pool of worker threads whose size can change between frames.
pub struct Threads {
    pool: Mutex<Arc<rayon::ThreadPool>>,
}

impl Threads {
    /// One worker for each processor that this process may use.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new() -> Result<Self, rayon::ThreadPoolBuildError> {
        let limit = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { pool: Mutex::new(Arc::new(build(limit)?)) })
    }

    /// From the next layer on, at most `limit` threads (at least one) work.
    ///
    /// # Errors
    /// When the system refuses a thread; the old limit then stays.
    pub fn set_limit(&self, limit: usize) -> Result<(), rayon::ThreadPoolBuildError> {
        if self.limit() == limit.max(1) {
            return Ok(());
        }
        let pool = Arc::new(build(limit.max(1))?);
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = pool;
        Ok(())
    }

    /// Threads that work on a layer.
    pub fn limit(&self) -> usize {
        self.current().current_num_threads()
    }

    pub(super) fn current(&self) -> Arc<rayon::ThreadPool> {
        Arc::clone(&self.pool.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn build(limit: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(limit).thread_name(|i| format!("kernel-{i}")).build()
}

/// Whether the pieces of one step are spread over the pool or belong to the thread that already has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    Pool,
    Here,
}

impl Spread {
    /// Calls `f(index, chunk)` for each piece of `len` values of `data`; the last may be shorter.
    #[inline]
    pub(super) fn chunks(self, data: &mut [f32], len: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
        match self {
            Self::Pool => data.par_chunks_mut(len).with_max_len(1).enumerate().for_each(|(i, chunk)| f(i, chunk)),
            Self::Here => data.chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk)),
        }
    }
}
