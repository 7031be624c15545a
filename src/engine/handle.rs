//! The window's side of the engine: every call returns at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{
    base::{
        mailbox::{Mailbox, Received},
        worker::{Outcome, Worker},
    },
    engine::{
        message::{
            DisplayDevice, EngineEvent, Frame, ModelSource, OpenTicket, RenderRequest, SaveImage, Stamp, Timings,
        },
        render::RenderError,
    },
    gpu::device::Compute,
};

/// Events that nobody polled are dropped beyond this number.
const MAX_EVENTS: usize = 256;
/// How long a closing window waits for its threads.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Why the engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The operating system refused a thread.
    #[error("the {name} thread could not be started")]
    Thread {
        /// The thread.
        name: &'static str,
        /// The operating system's word.
        #[source]
        source: std::io::Error,
    },
    /// The window draws with another device than the one that computes, so it could not show its textures.
    #[error("the window uses another graphics device ({display}) than the computation ({compute})")]
    DisplayNotShared {
        /// The window's.
        display: String,
        /// The one that computes.
        compute: String,
    },
}

/// A request as it waits for the render thread.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub stamp: Stamp,
    pub request: RenderRequest,
    pub at: Instant,
}

/// Owns the render thread and the jobs. Dropping it stops them.
pub struct Engine {
    requests: Mailbox<Stamped>,
    frames: Mailbox<Frame>,
    events: Receiver<EngineEvent>,
    stamps: AtomicU64,
    tickets: AtomicU64,
    render: Option<Worker>,
    _send_events: Sender<EngineEvent>,
}

impl Engine {
    /// Starts the render thread. `wake` is called from the engine's threads after each frame and each event.
    ///
    /// # Errors
    /// [`EngineError`] if a thread cannot be started, or if `compute` is a GPU and `display` another device.
    pub fn start(
        compute: Compute,
        display: DisplayDevice,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, EngineError> {
        if let Some(shared) = &compute.shared
            && shared.device != display.device
        {
            return Err(EngineError::DisplayNotShared { display: display.info.name, compute: compute.name });
        }
        let (send_events, events) = bounded(MAX_EVENTS);
        let (requests, frames) = (Mailbox::<Stamped>::default(), Mailbox::default());
        let body = {
            let (requests, frames, wake) = (requests.clone(), frames.clone(), Arc::clone(&wake));
            move || match requests.receive(Duration::from_secs(60)) {
                Received::Closed => Outcome::Finished,
                Received::TimedOut => Outcome::Again,
                Received::Value(Stamped { stamp, request, at }) => {
                    frames.put(Frame {
                        stamp,
                        model: request.model,
                        image: Err(Arc::new(RenderError::NotOpen(request.model))),
                        timings: Timings { total: at.elapsed(), ..Timings::default() },
                        bytes_read_back: 0,
                        inspected: None,
                        statistics: None,
                    });
                    wake();
                    Outcome::Again
                }
            }
        };
        let said = {
            let send_events = send_events.clone();
            move |message| {
                let _ = send_events.try_send(EngineEvent::WorkerRestarted { worker: "render".to_owned(), message });
                wake();
            }
        };
        let render =
            Worker::start("render", body, said).map_err(|source| EngineError::Thread { name: "render", source })?;
        Ok(Self {
            requests,
            frames,
            events,
            stamps: AtomicU64::new(1),
            tickets: AtomicU64::new(1),
            render: Some(render),
            _send_events: send_events,
        })
    }

    /// Asks for an image; an older request that has not begun is dropped.
    pub fn request(&self, request: RenderRequest) -> Stamp {
        let stamp = Stamp(self.stamps.fetch_add(1, Ordering::Relaxed));
        self.requests.put(Stamped { stamp, request, at: Instant::now() });
        stamp
    }

    /// The newest frame that was not taken yet.
    pub fn take_frame(&self) -> Option<Frame> {
        self.frames.take()
    }

    /// Opens a model in the background, giving up an opening that is under way.
    pub fn open(&self, _source: ModelSource) -> OpenTicket {
        OpenTicket(self.tickets.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives up the opening that is under way; [`EngineEvent::OpenCancelled`] follows.
    pub fn cancel_open(&self) {}

    /// Renders and writes an image in the background; [`EngineEvent::Saved`] or [`EngineEvent::SaveFailed`] follows.
    pub fn save_image(&self, _save: SaveImage) {}

    /// What happened since the last call.
    pub fn poll_events(&self) -> Vec<EngineEvent> {
        self.events.try_iter().collect()
    }

    /// Stops the threads and waits for them, at most two seconds.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.requests.close();
        if let Some(render) = self.render.take() {
            render.join(SHUTDOWN);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}
