//! How fast this machine trains, from a few steps of a small network.

use std::time::Instant;

use burn::tensor::Device;

use super::{
    config::TrainConfig,
    error::TrainError,
    preflight::flops_per_image,
    preset::{Preset, PresetOptions, Width},
    random::{Draws, Stream},
    trainer::{Batch, Phases, Progress, Trainer},
};

/// Side of the images in pixels.
const SIDE: usize = 32;
/// Images of a step.
const BATCH: usize = 4;
/// Timed steps: one of them with path length regularisation, as in a training.
const STEPS: u64 = 4;

/// Operations of training a second. Small networks keep a device busy less well than large ones, so a large training may be faster
/// than this says. Takes some seconds on a processor.
///
/// # Errors
/// If the device refuses.
pub fn flops_per_second(device: &Device) -> Result<f64, TrainError> {
    let options = PresetOptions { resolution: SIDE, width: Width::Tiny, batch: BATCH, ..PresetOptions::default() };
    let config: TrainConfig = Preset::StyleGan2E.build(&options)?;
    let mut trainer = Trainer::new(&config, device)?;
    let images = Draws::new(0, Stream::Measurement, 0).normals(BATCH * 3 * SIDE * SIDE);
    let batch = Batch { images, labels: Vec::new() };
    let mut step = |iteration: u64| {
        let progress = Progress { nimg: iteration * BATCH as u64, iteration };
        trainer.step(&batch, progress, Phases { g: true, d: true })?;
        // Reading the losses waits for the device.
        trainer.tick().map(drop)
    };
    // The first step makes what later ones find.
    step(3)?;
    let begun = Instant::now();
    (4..4 + STEPS).try_for_each(&mut step)?;
    let images = (STEPS * BATCH as u64) as f64;
    Ok(images * flops_per_image(&config, 0) / begun.elapsed().as_secs_f64().max(1e-9))
}
