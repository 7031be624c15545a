//! The phases of a training step: the image network at 64x64 and the tiny one at 32x32, in milliseconds.
//!
//! `cargo bench --profile dev --bench training`; `-- 32x32` runs the sizes whose name contains that.

use std::time::Instant;

use burn::tensor::Device;
use stylescope::{
    data::{Dataset, loader::batch_at},
    training::{
        preset::{Preset, PresetOptions, Width},
        trainer::{Batch, Phases, Progress, Trainer},
    },
};

/// Iterations of each kind that are timed, after two that are not.
const ROUNDS: usize = 9;

struct Size {
    name: &'static str,
    options: PresetOptions,
}

fn sizes() -> [Size; 3] {
    let tiny = |batch| PresetOptions { resolution: 32, width: Width::Tiny, batch, ..PresetOptions::default() };
    [
        Size {
            name: "64x64, channel_base 4096, batch 8",
            options: PresetOptions {
                resolution: 64,
                width: Width::Paper,
                channel_base: Some(4096),
                batch: 8,
                ..PresetOptions::default()
            },
        },
        Size { name: "32x32, width tiny, batch 16", options: tiny(16) },
        Size { name: "32x32, width tiny, batch 32", options: tiny(32) },
    ]
}

fn main() {
    // `cargo bench` adds an argument of its own.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    for size in sizes().iter().filter(|size| size.name.contains(&filter)) {
        run(size);
    }
}

/// Medians and extremes of the phases, and what follows for a training with lazy regularisation.
fn run(Size { name, options }: &Size) {
    let config = Preset::StyleGan2E.build(options).expect("a sound configuration");
    let dataset = Dataset::portraits(0, options.resolution).expect("a dataset");
    let start = Instant::now();
    let data = batch_at(&dataset, 0, 0, options.batch).expect("a batch");
    let portraits = start.elapsed().as_secs_f64();
    let batch = Batch { images: data.images, labels: data.labels };
    let mut trainer = Trainer::new(&config, &Device::flex()).expect("a trainer");
    let mut times: [Vec<f64>; 5] = Default::default();
    for round in 0..ROUNDS as u64 + 2 {
        // Iteration 0 has all regularisers; without them, an iteration is quicker and so its phases are timed apart.
        for iteration in [0, 1] {
            let progress = Progress { nimg: 100_000 + round, iteration };
            trainer.step(&batch, progress, Phases { g: true, d: true }).expect("a step");
            let phases = trainer.phase_times();
            if round < 2 {
                continue;
            }
            let seconds = if iteration == 0 {
                [None, Some(phases.g_reg), None, Some(phases.d_reg), None]
            } else {
                [Some(phases.g), None, Some(phases.d), None, Some(phases.ema)]
            };
            for (times, seconds) in times.iter_mut().zip(seconds) {
                times.extend(seconds);
            }
        }
        // Reports add up until they are read.
        trainer.tick().expect("reports");
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        [times[0], times[times.len() / 2], times[times.len() - 1]]
    });
    let [g, path, d, r1, ema] = medians.map(|[_, median, _]| median);
    println!("{name}");
    for (phase, [least, median, most]) in
        ["generator", "path length", "discriminator", "R1", "average"].iter().zip(medians)
    {
        println!("  {phase:14} {:8.1} ({:.1}-{:.1}) ms", median * 1e3, least * 1e3, most * 1e3);
    }
    let lazy = |interval: Option<u32>| f64::from(interval.unwrap_or(1));
    let step = g + d + ema;
    let mean = step + path / lazy(config.generator_reg_interval) + r1 / lazy(config.discriminator_reg_interval);
    println!(
        "  a step {:.1} ms, with both regularisers {:.1} ms, lazily on average {:.1} ms",
        step * 1e3,
        (step + path + r1) * 1e3,
        mean * 1e3
    );
    println!(
        "  shares of an average step: generator {:.0} %, path length {:.0} %, discriminator {:.0} %, R1 {:.0} %, average {:.0} %",
        100.0 * g / mean,
        100.0 * path / lazy(config.generator_reg_interval) / mean,
        100.0 * d / mean,
        100.0 * r1 / lazy(config.discriminator_reg_interval) / mean,
        100.0 * ema / mean
    );
    println!(
        "  {:.2} s for a thousand images, and {:.2} s on the data's thread for portraits",
        mean / options.batch as f64 * 1e3,
        portraits / options.batch as f64 * 1e3
    );
}
