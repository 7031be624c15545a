//! The render thread: takes the newest request, renders it, and puts the frame where the window finds it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    base::{
        mailbox::{Mailbox, Received},
        worker::{Outcome, catch},
    },
    engine::{
        events::{Events, Wake},
        message::{
            DisplayDevice, EngineEvent, Frame, LayerValues, ModelId, PresentedImage, RenderRequest, Stamp, Timings,
        },
        model::Models,
        pipeline::Pipeline,
    },
    gpu::{
        health::{DeviceFault, DeviceHealth},
        present::{PresentError, Presenter},
        readback::{self, ReadbackError},
    },
    model::ModelError,
};

/// While requests keep coming, a frame is given up for a newer one only if the last frame is younger than this: a hand
/// that moves all the time still sees the image follow.
const FRESH: Duration = Duration::from_millis(100);
/// How often an idle render thread looks after the device.
const IDLE: Duration = Duration::from_secs(1);

/// Why a request did not become an image.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// The request names a model that is not open (any more).
    #[error("model {} is not open", .0.0)]
    NotOpen(ModelId),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Values did not come out of a computation.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// The image did not get into a texture.
    #[error(transparent)]
    Present(#[from] PresentError),
    /// The graphics device reported an error while the image was made.
    #[error(transparent)]
    Device(#[from] DeviceFault),
    /// Something on the way to the image panicked; what was cached has been dropped.
    #[error("rendering failed unexpectedly: {0}")]
    Panicked(String),
}

/// A request as it waits for the render thread.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub stamp: Stamp,
    pub request: RenderRequest,
    pub at: Instant,
}

/// What the render thread owns.
pub(crate) struct Renderer {
    pub requests: Mailbox<Stamped>,
    pub frames: Mailbox<Frame>,
    pub models: Models,
    pub display: DisplayDevice,
    pub health: DeviceHealth,
    pub events: Events,
    pub wake: Wake,
    /// Set while a frame is made.
    pub rendering: Arc<AtomicBool>,
    /// Made with the first frame.
    pub presenter: Option<Presenter>,
    pub pipeline: Option<Pipeline>,
    pub last_frame: Option<Instant>,
}

/// A frame in the making.
#[derive(Default)]
struct Draft {
    timings: Timings,
    inspected: Option<LayerValues>,
}

impl Renderer {
    /// Waits for a request and answers it.
    pub fn step(&mut self) -> Outcome {
        match self.requests.receive(IDLE) {
            Received::Closed => return Outcome::Finished,
            Received::Value(stamped) => {
                self.rendering.store(true, Ordering::Relaxed);
                self.answer(stamped);
                self.rendering.store(false, Ordering::Relaxed);
            }
            Received::TimedOut => {
                if let Some(fault) = self.health.take() {
                    let lost = matches!(fault, DeviceFault::Lost(_));
                    self.events.push(EngineEvent::DeviceError { message: fault.to_string(), lost });
                }
            }
        }
        Outcome::Again
    }

    fn answer(&mut self, Stamped { stamp, request, at }: Stamped) {
        let mut draft = Draft::default();
        let image = match catch(|| self.render(&request, &mut draft)) {
            Ok(Ok(Some(image))) => Ok(image),
            // Given up: the newer request is already there.
            Ok(Ok(None)) => return,
            Ok(Err(error)) => Err(error),
            Err(message) => {
                (self.pipeline, self.presenter) = (None, None);
                Err(RenderError::Panicked(message))
            }
        };
        let image = match self.health.take() {
            Some(fault) => Err(RenderError::Device(fault)),
            None => image,
        };
        if let Err(error) = &image {
            log::error!("frame {}: {error}", stamp.0);
        }
        let statistics = self.pipeline.as_ref().and_then(|pipeline| pipeline.model().statistics.get().cloned());
        draft.timings.total = at.elapsed();
        self.frames.put(Frame {
            stamp,
            model: request.model,
            image: image.map_err(Arc::new),
            timings: draft.timings,
            bytes_read_back: readback::thread_bytes(),
            inspected: draft.inspected,
            statistics,
        });
        self.last_frame = Some(Instant::now());
        (self.wake)();
    }

    fn render(&mut self, request: &RenderRequest, draft: &mut Draft) -> Result<Option<PresentedImage>, RenderError> {
        let (requests, last_frame) = (&self.requests, self.last_frame);
        let fresh = || last_frame.is_some_and(|at| at.elapsed() < FRESH);
        let abandon = || requests.is_closed() || (requests.has_value() && fresh());
        let pipeline = pipeline(&mut self.pipeline, &self.models, request.model)?;
        let latents = pipeline.latents(&request.pose)?;
        (draft.timings.map, draft.timings.affine) = (latents.map, latents.affine);
        draft.inspected = request.inspect.and_then(|layer| pipeline.layer_values(layer, &latents));
        let begin = Instant::now();
        let Some(image) = pipeline.image(&request.pose, &latents, abandon)? else {
            return Ok(None);
        };
        draft.timings.synthesis = begin.elapsed();
        let begin = Instant::now();
        let presenter = self.presenter.get_or_insert_with(|| Presenter::new(&self.display.device, &self.display.queue));
        let image = presenter.present(image)?;
        draft.timings.present = begin.elapsed();
        Ok(Some(image))
    }
}

/// The pipeline of a model, a new one if the last frame was of another model.
fn pipeline<'a>(
    current: &'a mut Option<Pipeline>,
    models: &Models,
    id: ModelId,
) -> Result<&'a mut Pipeline, RenderError> {
    if current.as_ref().is_none_or(|pipeline| pipeline.model().summary.id != id) {
        let model = models.get(id).ok_or(RenderError::NotOpen(id))?;
        // The old model's memory first, then the new one's activations.
        *current = None;
        models.forget_before(id);
        return Ok(current.insert(Pipeline::new(model)));
    }
    current.as_mut().ok_or(RenderError::NotOpen(id))
}
