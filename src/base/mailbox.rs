//! A slot that holds the newest value: a sender never waits and a receiver never sees a stale one.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The lock's contents, whether or not a thread panicked while it held the lock.
///
/// Everything behind a lock in this program is replaced as a whole, so a panic cannot leave it half changed.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    closed: bool,
}

#[derive(Debug)]
struct Shared<T> {
    slot: Mutex<Slot<T>>,
    changed: Condvar,
}

/// What a wait for the next value came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received<T> {
    /// The newest value; the slot is empty now.
    Value(T),
    /// Nothing came in the time given.
    TimedOut,
    /// The mailbox was closed; nothing will come any more.
    Closed,
}

/// A handle to the slot. Clones share it.
#[derive(Debug)]
pub struct Mailbox<T>(Arc<Shared<T>>);

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Arc::new(Shared { slot: Mutex::new(Slot { value: None, closed: false }), changed: Condvar::new() }))
    }
}

impl<T> Mailbox<T> {
    /// Puts a value in and gives back the one that nobody took. A closed mailbox gives back `value` itself.
    pub fn put(&self, value: T) -> Option<T> {
        let mut slot = lock(&self.0.slot);
        if slot.closed {
            return Some(value);
        }
        let stale = slot.value.replace(value);
        drop(slot);
        self.0.changed.notify_one();
        stale
    }

    /// Takes the newest value without waiting.
    pub fn take(&self) -> Option<T> {
        lock(&self.0.slot).value.take()
    }

    /// Whether a value waits to be taken.
    pub fn has_value(&self) -> bool {
        lock(&self.0.slot).value.is_some()
    }

    /// Waits for a value, at most `timeout`. A value that was put in before the mailbox was closed still comes out.
    pub fn receive(&self, timeout: Duration) -> Received<T> {
        let slot = lock(&self.0.slot);
        let (mut slot, _) = self
            .0
            .changed
            .wait_timeout_while(slot, timeout, |slot| slot.value.is_none() && !slot.closed)
            .unwrap_or_else(PoisonError::into_inner);
        match slot.value.take() {
            Some(value) => Received::Value(value),
            None if slot.closed => Received::Closed,
            None => Received::TimedOut,
        }
    }

    /// Waits until there is a value, at most `timeout`, and leaves it there.
    pub fn wait(&self, timeout: Duration) -> bool {
        let slot = lock(&self.0.slot);
        let waited = self.0.changed.wait_timeout_while(slot, timeout, |slot| slot.value.is_none() && !slot.closed);
        let (slot, _) = waited.unwrap_or_else(PoisonError::into_inner);
        slot.value.is_some()
    }

    /// Wakes all who wait; later values are refused.
    pub fn close(&self) {
        lock(&self.0.slot).closed = true;
        self.0.changed.notify_all();
    }

    /// Whether [`Mailbox::close`] was called.
    pub fn is_closed(&self) -> bool {
        lock(&self.0.slot).closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_replaces_a_stale_one() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.put(1), None);
        assert_eq!(mailbox.put(2), Some(1));
        assert!(mailbox.has_value());
        assert_eq!(mailbox.take(), Some(2));
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn waiting_ends_by_value_by_time_and_by_closing() {
        let mailbox = Mailbox::default();
        assert_eq!(mailbox.receive(Duration::from_millis(1)), Received::TimedOut);
        assert!(!mailbox.wait(Duration::from_millis(1)));
        let sender = mailbox.clone();
        let thread = std::thread::spawn(move || {
            sender.put(7);
            sender.close();
            sender.put(8)
        });
        assert!(mailbox.wait(Duration::from_secs(10)), "a value that was waited for is still there");
        assert_eq!(mailbox.receive(Duration::from_secs(10)), Received::Value(7));
        assert_eq!(mailbox.receive(Duration::from_secs(10)), Received::Closed);
        assert_eq!(thread.join().ok(), Some(Some(8)));
        assert!(mailbox.is_closed());
    }

    #[test]
    fn a_panic_of_a_holder_does_not_poison_the_slot() {
        let mailbox = Mailbox::default();
        let holder = mailbox.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = lock(&holder.0.slot);
            panic!("while the lock is held");
        });
        assert!(panicked.join().is_err());
        mailbox.put(3);
        assert_eq!(mailbox.receive(Duration::ZERO), Received::Value(3));
    }
}
