//! The render thread: takes the newest request, renders it, and puts the frame where the window finds it.

use std::{
    cell::Cell,
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
        preview::{self, Progress, Schedule},
        threads::ThreadLimit,
    },
    gpu::{
        health::{DeviceFault, DeviceHealth},
        present::{PresentError, Presenter},
        readback::{self, ReadbackError},
    },
    latent::LatentStatistics,
    model::ModelError,
};

/// While requests keep coming, a frame is given up for a newer one only if the last frame is younger than this: a hand
/// that moves all the time still sees the image follow.
const FRESH: Duration = Duration::from_millis(100);
/// Requests that follow each other within this come from a hand that moves.
const MOVING: Duration = Duration::from_millis(150);
/// How long the rest of a frame waits after its preview while the hand moves: the next request is worth more.
const PAUSE: Duration = Duration::from_millis(20);
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
    /// Whether previews may come before the image.
    pub previews: bool,
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
    pub threads: ThreadLimit,
    /// Made with the first frame.
    pub presenter: Option<Presenter>,
    pub pipeline: Option<Pipeline>,
    /// Of the model that is compared with.
    pub other: Option<Pipeline>,
    pub last_frame: Option<Instant>,
    pub last_request: Option<Instant>,
}

/// A frame in the making.
#[derive(Debug, Clone)]
struct Draft {
    stamp: Stamp,
    model: ModelId,
    at: Instant,
    timings: Timings,
    inspected: Option<LayerValues>,
    statistics: Option<Arc<LatentStatistics>>,
    pair: bool,
}

impl Draft {
    fn new(stamped: &Stamped) -> Self {
        let Stamped { stamp, request, at, .. } = stamped;
        let (timings, pair) = (Timings::default(), request.against.is_some());
        Self { stamp: *stamp, model: request.model, at: *at, timings, inspected: None, statistics: None, pair }
    }

    fn frame(self, image: Result<PresentedImage, Arc<RenderError>>, preview: Option<u32>) -> Frame {
        Frame {
            stamp: self.stamp,
            model: self.model,
            image,
            pair: self.pair,
            preview,
            timings: Timings { total: self.at.elapsed(), ..self.timings },
            bytes_read_back: readback::thread_bytes(),
            inspected: self.inspected,
            statistics: self.statistics,
        }
    }
}

impl Renderer {
    /// Waits for a request and answers it.
    pub fn step(&mut self) -> Outcome {
        match self.requests.receive(IDLE) {
            Received::Closed => return Outcome::Finished,
            Received::Value(stamped) => {
                self.rendering.store(true, Ordering::Relaxed);
                self.threads.take_up();
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

    fn answer(&mut self, stamped: Stamped) {
        let mut draft = Draft::new(&stamped);
        let image = match catch(|| self.render(&stamped, &mut draft)) {
            Ok(Ok(Some(image))) => Ok(image),
            // Given up: the newer request is already there.
            Ok(Ok(None)) => return,
            Ok(Err(error)) => Err(error),
            Err(message) => {
                (self.pipeline, self.other, self.presenter) = (None, None, None);
                Err(RenderError::Panicked(message))
            }
        };
        let image = match self.health.take() {
            Some(fault) => Err(RenderError::Device(fault)),
            None => image,
        };
        if let Err(error) = &image {
            log::error!("frame {}: {error}", stamped.stamp.0);
        }
        self.frames.put(draft.frame(image.map_err(Arc::new), None));
        self.last_frame = Some(Instant::now());
        (self.wake)();
    }

    fn render(&mut self, stamped: &Stamped, draft: &mut Draft) -> Result<Option<PresentedImage>, RenderError> {
        let Stamped { request, at, .. } = stamped;
        let moving = self.last_request.replace(*at).is_some_and(|before| at.duration_since(before) < MOVING);
        self.take_pipelines(request)?;
        let Some(pipeline) = self.pipeline.as_mut() else { return Err(RenderError::NotOpen(request.model)) };
        draft.statistics = pipeline.model().statistics.get().cloned();
        let latents = pipeline.latents(&request.pose)?;
        (draft.timings.map, draft.timings.affine) = (latents.map, latents.affine);
        draft.inspected = request.inspect.and_then(|layer| pipeline.layer_values(layer, &latents));
        let presenter = self.presenter.get_or_insert_with(|| Presenter::new(&self.display.device, &self.display.queue));
        let schedule = Cell::new(Schedule::new(*at));
        let (requests, last_frame) = (&self.requests, Cell::new(self.last_frame));
        let abandon = |progress: Progress| {
            let shown = schedule.get().shown();
            if shown && moving && progress.next > PAUSE {
                requests.wait(PAUSE);
            }
            // What is nearly done is worth more than a new beginning, unless it was seen already.
            let fresh = last_frame.get().is_some_and(|at| at.elapsed() < FRESH);
            requests.is_closed() || (requests.has_value() && (shown || (fresh && progress.rest > FRESH)))
        };
        let begin = Instant::now();
        let image = pipeline.image_in_steps(&request.pose, &latents, &abandon, |step| {
            let mut plan = schedule.get();
            let wanted = stamped.previews && request.against.is_none() && step.side() >= preview::SMALLEST;
            if !wanted || !plan.wants(Instant::now(), step.progress) {
                return Ok(());
            }
            let Some(image) = step.preview()? else { return Ok(()) };
            let mut draft = draft.clone();
            draft.timings.synthesis = begin.elapsed();
            let presenting = Instant::now();
            let image = presenter.present_preview(image)?;
            draft.timings.present = presenting.elapsed();
            let now = Instant::now();
            plan.show(now);
            schedule.set(plan);
            last_frame.set(Some(now));
            self.frames.put(draft.frame(Ok(image), Some(step.side() as u32)));
            (self.wake)();
            Ok(())
        })?;
        self.last_frame = last_frame.get();
        let Some(image) = image else { return Ok(None) };
        let mut pair = None;
        if let Some((against, pipeline)) = request.against.zip(self.other.as_mut()) {
            let latents = pipeline.latents(&request.pose)?;
            let Some(other) = pipeline.image_in_steps(&request.pose, &latents, abandon, |_| Ok(()))? else {
                return Ok(None);
            };
            pair = Some((other, against.view));
        }
        draft.timings.synthesis = begin.elapsed();
        let begin = Instant::now();
        let image = match pair {
            Some((other, view)) => presenter.present_pair(other, image, view)?,
            None => presenter.present(image)?,
        };
        draft.timings.present = begin.elapsed();
        Ok(Some(image))
    }

    /// Makes the pipelines those of the models that `request` names: new ones for models that the last frame did not show.
    fn take_pipelines(&mut self, request: &RenderRequest) -> Result<(), RenderError> {
        let against = request.against.map(|against| against.model);
        let is =
            |pipeline: &Option<Pipeline>, id| pipeline.as_ref().is_some_and(|known| known.model().summary.id == id);
        // Two models that change places keep what was computed; a model may also be compared with itself.
        let changed = against != Some(request.model) && !is(&self.pipeline, request.model);
        if changed && (is(&self.other, request.model) || against.is_some_and(|against| is(&self.pipeline, against))) {
            std::mem::swap(&mut self.pipeline, &mut self.other);
        }
        let same = is(&self.pipeline, request.model);
        // The old models' memory first, then the new ones' activations.
        if !same {
            self.pipeline = None;
        }
        if !against.is_some_and(|against| is(&self.other, against)) {
            self.other = None;
        }
        if !same {
            let model = self.models.get(request.model).ok_or(RenderError::NotOpen(request.model))?;
            self.pipeline = Some(Pipeline::new(model));
        }
        if let (Some(against), None) = (against, &self.other) {
            let model = self.models.get(against).ok_or(RenderError::NotOpen(against))?;
            self.other = Some(Pipeline::new(model));
        }
        if !same {
            self.models.forget_before(request.model, against);
        }
        Ok(())
    }
}
