//! The threads that kernels run on, and how many of them at most.
//!
//! There are two pools: one for what somebody waits for, and one, of low priority, for what goes on beside it (a training beside
//! the window). Which of them works for a kernel follows from the thread that calls it.

use std::{
    cell::Cell,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rayon::prelude::*;

use crate::base::priority;

thread_local! {
    static IN_BACKGROUND: Cell<bool> = const { Cell::new(false) };
}

/// From now on kernels that the calling thread runs give way to those of others, and the thread itself does.
pub fn work_in_background() {
    IN_BACKGROUND.set(true);
    priority::give_way();
}

/// Pools of worker threads whose sizes can change between frames.
pub struct Threads {
    foreground: Pool,
    /// Made when somebody works in the background.
    background: OnceLock<Pool>,
}

impl Threads {
    /// One worker for each processor that this process may use.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn new() -> Result<Self, rayon::ThreadPoolBuildError> {
        Ok(Self { foreground: Pool::new(processors(), false)?, background: OnceLock::new() })
    }

    /// From the next layer on, at most `limit` threads (at least one) work.
    ///
    /// # Errors
    /// When the system refuses a thread; the old limit then stays.
    pub fn set_limit(&self, limit: usize) -> Result<(), rayon::ThreadPoolBuildError> {
        self.foreground.set_limit(limit)
    }

    /// The same for what works in the background; nothing happens as long as nothing does.
    ///
    /// # Errors
    /// When the system refuses a thread; the old limit then stays.
    pub fn set_background_limit(&self, limit: usize) -> Result<(), rayon::ThreadPoolBuildError> {
        self.background.get().map_or(Ok(()), |pool| pool.set_limit(limit))
    }

    /// Threads that work on a layer of the calling thread.
    pub fn limit(&self) -> usize {
        self.current().current_num_threads()
    }

    pub(super) fn current(&self) -> Arc<rayon::ThreadPool> {
        if !IN_BACKGROUND.get() {
            return self.foreground.current();
        }
        if let Some(pool) = self.background.get() {
            return pool.current();
        }
        match Pool::new(processors(), true) {
            Ok(pool) => self.background.get_or_init(|| pool).current(),
            Err(error) => {
                log::debug!("no threads of low priority: {error}");
                self.foreground.current()
            }
        }
    }
}

/// Processors that this process may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A pool that can be replaced by one of another size.
struct Pool {
    pool: Mutex<Arc<rayon::ThreadPool>>,
    in_background: bool,
}

impl Pool {
    fn new(limit: usize, in_background: bool) -> Result<Self, rayon::ThreadPoolBuildError> {
        Ok(Self { pool: Mutex::new(Arc::new(build(limit, in_background)?)), in_background })
    }

    fn set_limit(&self, limit: usize) -> Result<(), rayon::ThreadPoolBuildError> {
        if self.current().current_num_threads() == limit.max(1) {
            return Ok(());
        }
        let pool = Arc::new(build(limit.max(1), self.in_background)?);
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = pool;
        Ok(())
    }

    fn current(&self) -> Arc<rayon::ThreadPool> {
        Arc::clone(&self.pool.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn build(limit: usize, in_background: bool) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let name = if in_background { "background" } else { "kernel" };
    let builder = rayon::ThreadPoolBuilder::new().num_threads(limit).thread_name(move |i| format!("{name}-{i}"));
    let builder = if in_background { builder.start_handler(|_| work_in_background()) } else { builder };
    builder.build()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_in_the_background_has_threads_of_its_own() {
        let threads = Arc::new(Threads::new().unwrap());
        threads.set_background_limit(7).unwrap();
        let whole = threads.limit();
        let shared = Arc::clone(&threads);
        let in_background = std::thread::spawn(move || {
            work_in_background();
            let name = shared.current().install(|| std::thread::current().name().map(str::to_owned));
            let before = shared.limit();
            shared.set_background_limit(1).unwrap();
            (name.unwrap_or_default(), before, shared.limit())
        });
        let (name, before, after) = in_background.join().unwrap();
        assert!(name.starts_with("background-"), "{name}");
        // A limit for what was not there yet came to nothing.
        assert_eq!((before, after), (processors(), 1));
        assert_eq!(threads.limit(), whole);
        assert!(!threads.current().install(|| IN_BACKGROUND.get()));
    }
}
