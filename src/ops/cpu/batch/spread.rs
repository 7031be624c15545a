//! Work over the threads of a runtime. The pieces are the caller's, so they never depend on how many threads there are.

use rayon::prelude::*;

use crate::ops::cpu::Runtime;

/// Operations below which the calling thread does everything itself: about what waking another costs.
const SMALL: usize = 1 << 18;

/// Calls `f` for every task; `work` is about the number of floating-point operations of all of them together.
pub(super) fn tasks<T: Send>(rt: &Runtime, work: usize, tasks: Vec<T>, f: impl Fn(T) + Sync + Send) {
    let pool = rt.threads().current();
    if work < SMALL || tasks.len() < 2 || pool.current_num_threads() == 1 {
        tasks.into_iter().for_each(f);
    } else {
        pool.install(|| tasks.into_par_iter().with_max_len(1).for_each(f));
    }
}

/// Calls `f(index, chunk)` for each `len` values of `data`; the last chunk may be shorter.
pub(super) fn chunks<T: Send>(
    rt: &Runtime,
    work: usize,
    data: &mut [T],
    len: usize,
    f: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    let pool = rt.threads().current();
    let len = len.max(1);
    if work < SMALL || data.len() <= len || pool.current_num_threads() == 1 {
        data.chunks_mut(len).enumerate().for_each(|(index, chunk)| f(index, chunk));
    } else {
        pool.install(|| {
            data.par_chunks_mut(len).with_max_len(1).enumerate().for_each(|(index, chunk)| f(index, chunk));
        });
    }
}
