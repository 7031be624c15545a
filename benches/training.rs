//! The phases of a training step: the image network at 64x64 and the tiny one at 32x32, in milliseconds, by the clock and as processor
//! time of all threads (on Linux), which other programs on the machine disturb less.
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

/// Steps of each kind that are timed, after two that are not.
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

/// Kinds of steps: which network, and whether the iteration is one that regularises.
const KINDS: [(&str, Phases, u64); 4] = [
    ("generator", Phases { g: true, d: false }, 1),
    ("with path length", Phases { g: true, d: false }, 0),
    ("discriminator", Phases { g: false, d: true }, 1),
    ("with R1", Phases { g: false, d: true }, 0),
];

/// Medians and extremes of each kind, and what follows for a training with lazy regularisation.
fn run(Size { name, options }: &Size) {
    let config = Preset::StyleGan2E.build(options).expect("a sound configuration");
    let dataset = Dataset::portraits(0, options.resolution).expect("a dataset");
    let start = Times::now();
    let data = batch_at(&dataset, 0, 0, options.batch).expect("a batch");
    let portraits = start.elapsed();
    let batch = Batch { images: data.images, labels: data.labels };
    let mut trainer = Trainer::new(&config, &Device::flex()).expect("a trainer");
    let mut times: [Vec<Times>; 4] = Default::default();
    for round in 0..ROUNDS + 2 {
        for ((_, phases, iteration), times) in KINDS.iter().zip(&mut times) {
            let progress = Progress { nimg: 100_000 + round as u64, iteration: *iteration };
            let start = Times::now();
            trainer.step(&batch, progress, *phases).expect("a step");
            if round >= 2 {
                times.push(start.elapsed());
            }
        }
        // Reports add up until they are read.
        trainer.tick().expect("reports");
    }
    println!("{name}");
    println!("  {:16} {:>28} {:>28}", "ms", "by the clock", "processor time");
    let mut medians = [Times::default(); 4];
    for (((kind, ..), times), median) in KINDS.iter().zip(&times).zip(&mut medians) {
        let [clock, processor] =
            [|time: &Times| time.clock, |time: &Times| time.processor].map(|part| spread(times.iter().map(part)));
        println!("  {kind:16} {:>28} {:>28}", clock.1, processor.1);
        *median = Times { clock: clock.0, processor: processor.0 };
    }
    let [intervals_g, intervals_d] = [config.generator_reg_interval, config.discriminator_reg_interval]
        .map(|interval| f64::from(interval.unwrap_or(1)));
    for (what, part) in
        [("by the clock", (|time| time.clock) as fn(Times) -> f64), ("processor", |time| time.processor)]
    {
        let [g, path, d, r1] = medians.map(part);
        let mean = g + (path - g) / intervals_g + d + (r1 - d) / intervals_d;
        println!(
            "  {what}: a step {:.0} ms, with both regularisers {:.0} ms, on average {:.0} ms; a thousand images {:.1} s, portraits {:.1} s",
            (g + d) * 1e3,
            (path + r1) * 1e3,
            mean * 1e3,
            mean / options.batch as f64 * 1e3,
            part(portraits) / options.batch as f64 * 1e3,
        );
    }
}

/// Seconds.
#[derive(Clone, Copy, Default)]
struct Times {
    clock: f64,
    processor: f64,
}

impl Times {
    fn now() -> Since {
        Since(Instant::now(), processor_seconds())
    }
}

struct Since(Instant, f64);

impl Since {
    fn elapsed(&self) -> Times {
        Times { clock: self.0.elapsed().as_secs_f64(), processor: processor_seconds() - self.1 }
    }
}

/// What all threads of this process have used; 0 where the system does not say.
fn processor_seconds() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    let nanoseconds = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    threads.filter_map(nanoseconds).sum::<f64>() * 1e-9
}

/// The median, and how it reads with the extremes.
fn spread(seconds: impl Iterator<Item = f64>) -> (f64, String) {
    let mut seconds: Vec<f64> = seconds.collect();
    seconds.sort_by(f64::total_cmp);
    let (least, median, most) = (seconds[0], seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
    (median, format!("{:.1} ({:.1}-{:.1})", median * 1e3, least * 1e3, most * 1e3))
}
