//! The spread of a model's latents, worked out in the background after it was opened.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use burn::tensor::{Tensor, TensorData};

use crate::{
    engine::{
        events::Events,
        message::{EngineEvent, ModelId},
        model::{Models, OpenModel},
        pipeline::map_seeds,
        render::RenderError,
    },
    gpu::readback,
    latent::statistics::{LatentStatistics, StatisticsBuilder},
    model::Generator,
};

/// Seeds 0..256: the standard deviation is then known to about 4 %.
const SEEDS: u32 = 256;
/// Seeds a step: a step must not keep the render thread from a core for long.
const BATCH: u32 = 8;
/// How long a step waits for the render thread at most, in naps.
const NAPS: usize = 50;
/// One nap.
const NAP: Duration = Duration::from_millis(10);

/// Works out the statistics of one model and tells of them.
pub(crate) struct StatisticsJob {
    pub model: ModelId,
    pub models: Models,
    pub events: Events,
    /// Set while the render thread makes a frame.
    pub rendering: Arc<AtomicBool>,
    /// Set when the engine ends.
    pub stopping: Arc<AtomicBool>,
}

impl StatisticsJob {
    /// Runs to the end, or until nobody needs the result any more or `given_up` says so.
    pub fn run(self, given_up: impl Fn() -> bool) {
        let mut builder = None;
        for first in (0..SEEDS).step_by(BATCH as usize) {
            self.give_way();
            // Asked for again at every step, so that a model that was replaced is not kept alive by this.
            let stops = self.stopping.load(Ordering::Relaxed) || given_up();
            let Some(model) = self.models.get(self.model).filter(|_| !stops) else { return };
            let generator = &model.generator;
            let builder = builder.get_or_insert_with(|| new_builder(generator));
            if let Err(error) = add_seeds(builder, generator, first..(first + BATCH).min(SEEDS)) {
                log::error!("the statistics of {}: {error}", model.summary.name);
                return;
            }
        }
        if let (Some(builder), Some(model)) = (builder, self.models.get(self.model)) {
            self.publish(&model, builder.finish());
        }
    }

    fn publish(&self, model: &OpenModel, statistics: LatentStatistics) {
        let statistics = Arc::clone(model.statistics.get_or_init(|| Arc::new(statistics)));
        self.events.push(EngineEvent::Statistics { model: self.model, statistics });
    }

    /// Lets the render thread finish its frame first, within reason.
    fn give_way(&self) {
        for _ in 0..NAPS {
            if !self.rendering.load(Ordering::Relaxed) || self.stopping.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(NAP);
        }
    }
}

fn new_builder(generator: &Generator) -> StatisticsBuilder {
    StatisticsBuilder::new(generator.config().w_dim(), generator.layers().iter().map(|layer| layer.style_dim))
}

/// Adds seeds, each under a class of its own where the model has classes.
fn add_seeds(
    builder: &mut StatisticsBuilder,
    generator: &Generator,
    seeds: std::ops::Range<u32>,
) -> Result<(), RenderError> {
    let config = generator.config();
    let (w_dim, num_ws) = (config.w_dim(), config.num_ws());
    let mut ws = Vec::new(); // [N, num_ws, w_dim]
    let batch = seeds.len();
    for seed in seeds {
        let class = (seed as usize).checked_rem(config.label_dim()).unwrap_or(0);
        let w = map_seeds(generator, &[seed], class)?;
        builder.add_w(&w);
        (0..num_ws).for_each(|_| ws.extend_from_slice(&w));
    }
    let ws = Tensor::from_data(TensorData::new(ws, [batch, num_ws, w_dim]), &generator.placement().latent);
    for (layer, styles) in generator.affine(ws)?.0.into_iter().enumerate() {
        let [_, style_dim] = styles.dims();
        for style in readback::values(styles)?.chunks_exact(style_dim.max(1)) {
            builder.add_style(layer, style);
        }
    }
    Ok(())
}
