//! What the engine's threads tell the window: a queue that the window empties whenever it draws.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use crate::{base::mailbox::lock, engine::message::EngineEvent};

/// Events beyond this number push out the oldest: a window that does not ask for so long will not miss it.
const MAX_EVENTS: usize = 1024;

/// Wakes the window.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// A queue of events. Clones share it.
#[derive(Clone)]
pub struct Events {
    queue: Arc<Mutex<VecDeque<EngineEvent>>>,
    wake: Wake,
}

impl Events {
    /// An empty queue; `wake` is called after each event.
    pub fn new(wake: Wake) -> Self {
        Self { queue: Arc::default(), wake }
    }

    /// Adds an event and wakes the window. News of a progress replaces older news that nobody took.
    pub fn push(&self, event: EngineEvent) {
        let mut queue = lock(&self.queue);
        let is_progress = |event: &EngineEvent| {
            use EngineEvent::{ExportProgress, OpenProgress, TuneProgress};
            matches!(event, OpenProgress { .. } | ExportProgress { .. } | TuneProgress { .. })
        };
        let same_kind = |last: &EngineEvent| std::mem::discriminant(last) == std::mem::discriminant(&event);
        if is_progress(&event) && queue.back().is_some_and(same_kind) {
            queue.pop_back();
        }
        if queue.len() == MAX_EVENTS {
            queue.pop_front();
        }
        queue.push_back(event);
        drop(queue);
        (self.wake)();
    }

    /// Takes all events, oldest first.
    pub fn take(&self) -> Vec<EngineEvent> {
        lock(&self.queue).drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::message::OpenTicket;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn progress(done: u64) -> EngineEvent {
        EngineEvent::OpenProgress { ticket: OpenTicket(1), done, total: 9 }
    }

    #[test]
    fn progress_is_replaced_by_newer_progress_and_nothing_else_is() {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let events = Events::new(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        for done in 0..5 {
            events.push(progress(done));
        }
        events.push(EngineEvent::Saved("a.png".into()));
        events.push(progress(9));
        let taken = events.take();
        assert!(matches!(
            taken.as_slice(),
            [
                EngineEvent::OpenProgress { done: 4, .. },
                EngineEvent::Saved(_),
                EngineEvent::OpenProgress { done: 9, .. }
            ]
        ));
        assert_eq!(woken.load(Ordering::Relaxed), 7);
        assert!(events.take().is_empty());
    }

    #[test]
    fn a_window_that_never_asks_does_not_fill_the_memory() {
        let events = Events::new(Arc::new(|| {}));
        for _ in 0..MAX_EVENTS + 10 {
            events.push(EngineEvent::Saved("a.png".into()));
        }
        assert_eq!(events.take().len(), MAX_EVENTS);
    }
}
