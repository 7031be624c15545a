//! Memory of results, used again.
//!
//! A training makes arrays of the same few sizes in every iteration, hundreds of megabytes of them. Fresh from the system each
//! page costs a fault when it is first written, which takes many times longer than the operation that writes it. So whoever
//! drops a result [gives it back](recycle), and [`fresh`] hands it out again. Arrays that came from elsewhere, such as images,
//! are only kept where they stand in for one that was handed out: else each iteration would leave a few more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Values below which the allocator serves as well.
const SMALL: usize = 1 << 10;
/// Values that are kept at most, 4 GiB.
const LIMIT: usize = 1 << 30;

#[derive(Default)]
struct Kept {
    by_len: BTreeMap<usize, Class>,
    values: usize,
    clock: u64,
}

/// Arrays of one length.
#[derive(Default)]
struct Class {
    free: Vec<Vec<f32>>,
    /// Arrays that were asked for and did not come back.
    out: usize,
    used: u64,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { by_len: BTreeMap::new(), values: 0, clock: 0 });

/// A vector of `len` values of any content, to be overwritten.
pub(super) fn fresh(len: usize) -> Vec<f32> {
    let kept = if len < SMALL { None } else { with_kept(|kept| kept.take(len)) };
    kept.unwrap_or_else(|| vec![0.0; len])
}

/// A vector of `len` zeros.
pub(super) fn zeroed(len: usize) -> Vec<f32> {
    let mut values = fresh(len);
    values.fill(0.0);
    values
}

/// Takes back the memory of a result that nobody needs any more.
pub fn recycle(values: Vec<f32>) {
    // Some spare capacity would hide from the count of what is kept.
    if values.len() >= SMALL && values.len() == values.capacity() {
        with_kept(|kept| kept.give(values));
    }
}

/// Gives all memory that is kept back to the system, when a training ends.
pub fn release() {
    drop(with_kept(std::mem::take));
}

fn with_kept<T>(f: impl FnOnce(&mut Kept) -> T) -> T {
    // Nothing in there can be half done: a vector is kept or it is not.
    f(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Kept {
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        self.clock += 1;
        let class = self.by_len.entry(len).or_default();
        class.used = self.clock;
        class.out += 1;
        let values = class.free.pop()?;
        self.values -= len;
        Some(values)
    }

    fn give(&mut self, values: Vec<f32>) {
        let len = values.len();
        let Some(class) = self.by_len.get_mut(&len).filter(|class| class.out > 0) else { return };
        class.out -= 1;
        // Lengths that are no longer asked for leave first, when images have grown for instance.
        while self.values + len > LIMIT {
            let oldest = self.by_len.iter().filter(|(other, _)| **other != len).min_by_key(|(_, class)| class.used);
            let Some(oldest) = oldest.map(|(len, _)| *len) else { return };
            let class = self.by_len.remove(&oldest).unwrap_or_default();
            self.values -= class.free.len() * oldest;
        }
        self.clock += 1;
        let class = self.by_len.entry(len).or_default();
        class.used = self.clock;
        class.free.push(values);
        self.values += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_handed_out_again() {
        let mut kept = Kept::default();
        assert!(kept.take(5000).is_none() && kept.take(6000).is_none());
        kept.give(vec![1.0; 5000]);
        kept.give(vec![2.0; 6000]);
        assert_eq!(kept.values, 11_000);
        assert_eq!(kept.take(5000), Some(vec![1.0; 5000]));
        assert!(kept.take(5000).is_none());
        assert_eq!(kept.values, 6000);
    }

    #[test]
    fn no_more_is_kept_than_was_handed_out() {
        let mut kept = Kept::default();
        kept.give(vec![0.0; 5000]);
        assert_eq!(kept.values, 0, "nobody asks for this length");
        for _ in 0..3 {
            assert!(kept.take(5000).is_none_or(|values| values.len() == 5000));
            kept.give(vec![1.0; 5000]);
            kept.give(vec![2.0; 5000]);
            assert_eq!(kept.values, 5000);
        }
    }

    #[test]
    fn lengths_out_of_use_leave_when_there_is_too_much() {
        // Untouched zeros take no memory.
        let part = LIMIT / 4;
        let mut kept = Kept::default();
        let use_once = |kept: &mut Kept, len: usize| {
            let values = kept.take(len);
            let found = values.is_some();
            kept.give(values.unwrap_or_else(|| vec![0.0; len]));
            found
        };
        for len in [part, part + 1, part + 2] {
            assert!(!use_once(&mut kept, len));
        }
        assert!(use_once(&mut kept, part));
        assert!(!use_once(&mut kept, part + 3));
        assert!(kept.take(part + 1).is_none(), "the one that was used longest ago");
        assert!(kept.take(part).is_some() && kept.take(part + 2).is_some() && kept.take(part + 3).is_some());
        assert_eq!(kept.values, 0);
        assert!(!use_once(&mut kept, LIMIT + 1));
        assert_eq!(kept.values, 0, "more than the limit is not kept");
    }
}
