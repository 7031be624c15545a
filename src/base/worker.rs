//! Named threads that outlive a panic of what they do.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::JoinHandle,
    time::Duration,
};

/// What a panic said, as text.
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

/// Runs `work`; a panic becomes the text that it said.
///
/// The caller must not go on with state that `work` may have left half changed: caches are dropped, not repaired.
pub fn catch<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| panic_message(payload.as_ref()))
}

/// Whether a worker's body wants to be started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its work is done for good.
    Finished,
    /// Start the body again.
    Again,
}

/// A thread with a name.
#[derive(Debug)]
pub struct Worker {
    name: String,
    handle: JoinHandle<()>,
    finished: Receiver<()>,
}

impl Worker {
    /// Starts a thread that runs `body` until it is [`Outcome::Finished`]. When it panics, `on_panic` hears what was
    /// said and the body starts again.
    ///
    /// # Errors
    /// The operating system refused another thread.
    pub fn start(
        name: &str,
        mut body: impl FnMut() -> Outcome + Send + 'static,
        mut on_panic: impl FnMut(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (done, finished) = channel();
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped when the thread ends, however it ends: that is what `join` waits for.
            let _done = done;
            loop {
                match catch(&mut body) {
                    Ok(Outcome::Finished) => break,
                    Ok(Outcome::Again) => {}
                    Err(message) => on_panic(message),
                }
            }
        })?;
        Ok(Self { name: name.to_owned(), handle, finished })
    }

    /// Starts a thread for one piece of work.
    ///
    /// # Errors
    /// The operating system refused another thread.
    pub fn once(
        name: &str,
        work: impl FnOnce() + Send + 'static,
        on_panic: impl FnOnce(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (mut work, mut on_panic) = (Some(work), Some(on_panic));
        let body = move || {
            // Taken before it runs, so that a panic ends the thread instead of starting it again.
            if let Some(work) = work.take() {
                work();
            }
            Outcome::Finished
        };
        let said = move |message| {
            if let Some(on_panic) = on_panic.take() {
                on_panic(message);
            }
        };
        Self::start(name, body, said)
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for the end of the thread, at most `timeout`; a thread that is still busy is left to itself.
    /// Returns whether it ended.
    pub fn join(self, timeout: Duration) -> bool {
        match self.finished.recv_timeout(timeout) {
            Err(RecvTimeoutError::Timeout) => {
                log::warn!("the {} thread is still busy and was left behind", self.name);
                false
            }
            Ok(()) | Err(RecvTimeoutError::Disconnected) => self.handle.join().is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_panic_is_told_and_the_body_starts_again() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let mut runs = 0;
        let worker = Worker::start(
            "test-worker",
            move || {
                runs += 1;
                match runs {
                    1 => panic!("first run"),
                    2 => panic!("run {runs}"),
                    3 => Outcome::Again,
                    _ => Outcome::Finished,
                }
            },
            move |message| heard.lock().unwrap().push(message),
        )
        .unwrap();
        assert!(worker.join(Duration::from_secs(10)));
        assert_eq!(*said.lock().unwrap(), ["first run", "run 2"]);
    }

    #[test]
    fn a_busy_thread_is_left_behind() {
        let (release, wait) = channel::<()>();
        let worker = Worker::once(
            "test-busy",
            move || {
                let _ = wait.recv();
            },
            |_| {},
        )
        .unwrap();
        assert!(!worker.is_finished());
        assert!(!worker.join(Duration::from_millis(5)));
        drop(release);
    }

    #[test]
    fn work_that_panics_once_ends() {
        let (tell, told) = channel();
        let worker = Worker::once("test-once", || panic!("once"), move |message| drop(tell.send(message))).unwrap();
        assert!(worker.join(Duration::from_secs(10)));
        assert_eq!(told.try_recv().as_deref(), Ok("once"));
    }
}
