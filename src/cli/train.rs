//! `stylescope train`: train a generator, or go on with a training.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::{Args, ValueEnum};
use crossbeam_channel::RecvTimeoutError;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use super::{UsageError, model};
use crate::{
    gpu::device::{DeviceChoice, select},
    training::{
        TrainConfig,
        config::{Changes, DatasetSource, DatasetSpec},
        preset::{Preset, PresetOptions, Width},
        session::{Start, TrainCommand, TrainEvent, TrainingSession},
        transfer::{self, InitialWeights},
    },
};

/// Exit code after a second Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Width of the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WidthChoice {
    /// For a processor and an hour
    Tiny,
    /// For a processor and days, or a small graphics card
    Small,
    /// As in the papers
    Paper,
}

/// Arguments of `stylescope train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The images: `portraits` (the built-in set), a folder or a zip archive
    #[arg(long, value_name = "portraits|PATH", default_value = "portraits")]
    data: String,

    /// The folder of the run
    #[arg(long, value_name = "RUN", required_unless_present_any = ["resume", "list_presets"])]
    out: Option<PathBuf>,

    /// The papers' configuration; --list-presets describes them
    #[arg(long, value_name = "PRESET", default_value = "stylegan2-e")]
    preset: String,

    /// Say in a sentence what each preset changes
    #[arg(long)]
    list_presets: bool,

    /// Side of the images in pixels, a power of two
    #[arg(long, value_name = "N", default_value_t = 64)]
    resolution: usize,

    /// Width of the networks
    #[arg(long, value_enum, default_value = "small")]
    width: WidthChoice,

    /// Feature maps at resolution r are N / r, instead of what the width says
    #[arg(long, value_name = "N")]
    channel_base: Option<usize>,

    /// Largest number of feature maps, instead of what the width says
    #[arg(long, value_name = "N")]
    channel_max: Option<usize>,

    /// Images of a step
    #[arg(long, value_name = "N", default_value_t = 8)]
    batch: usize,

    /// Length of the training in thousands of images; with --resume a new length
    #[arg(long, value_name = "F")]
    kimg: Option<f64>,

    /// Weight of R1, instead of the preset's
    #[arg(long, value_name = "F")]
    gamma: Option<f64>,

    /// Half-life of the generator's moving average in thousands of images, instead of the preset's
    #[arg(long, value_name = "F")]
    ema_kimg: Option<f64>,

    /// Thousands of images between two lines of the history, instead of 4
    #[arg(long, value_name = "F")]
    tick: Option<f64>,

    /// Of every draw of the training
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Show each image mirrored as well
    #[arg(long)]
    mirror: bool,

    /// What computes
    #[arg(long, value_enum, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,

    /// Go on with the run of this folder (of --out, if no folder is named)
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,

    /// Begin with the weights of this model where they fit
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    init: Option<PathBuf>,
}

/// Trains until the end, or until Ctrl-C: the first saves and ends, the second ends at once.
///
/// # Errors
/// What ended the training before its time.
pub fn run(arguments: &TrainArgs) -> anyhow::Result<()> {
    if arguments.list_presets {
        let mut stdout = std::io::stdout().lock();
        for preset in Preset::ALL {
            writeln!(stdout, "{:<12} {}", preset.name(), preset.sentence())?;
        }
        return Ok(());
    }
    let (folder, start) = match &arguments.resume {
        Some(folder) => {
            let folder = folder.clone().or_else(|| arguments.out.clone());
            let folder = folder.ok_or_else(|| UsageError("--resume needs the folder of a run".into()))?;
            let changes = Changes { kimg: arguments.kimg, gamma: arguments.gamma, ..Changes::default() };
            (folder, Start::Resume { changes })
        }
        None => {
            let config = config(arguments)?;
            let init = arguments.init.as_deref().map(initial_weights).transpose()?;
            (arguments.out.clone().unwrap_or_default(), Start::New { config: Box::new(config), init })
        }
    };
    let compute = select(arguments.device)?;
    eprintln!("training on {}", compute.name);
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal only sets the flag, a second one finds it set.
        let ends = flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&interrupted));
        if let Err(error) = ends.and_then(|_| flag::register(signal, Arc::clone(&interrupted))) {
            log::warn!("Ctrl-C will end the training without saving: {error}");
        }
    }
    follow(&TrainingSession::start(folder, start, compute.device)?, &interrupted)
}

/// Prints what the training tells until it ends.
fn follow(session: &TrainingSession, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let mut total = 0;
    let mut stopping = false;
    let terminal = std::io::stderr().is_terminal();
    loop {
        if interrupted.load(Ordering::Relaxed) && !stopping {
            stopping = true;
            eprintln!("\nsaving; press Ctrl-C again to end at once");
            session.send(TrainCommand::Stop);
        }
        let event = match session.events().recv_timeout(Duration::from_millis(100)) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the training ended without a word"),
        };
        match event {
            TrainEvent::Begun { parameters: [g, d], nimg, total: images, notes, .. } => {
                total = images;
                notes.iter().for_each(|note| eprintln!("{note}"));
                let kimg = images as f64 / 1000.0;
                eprintln!(
                    "generator {g} parameters, discriminator {d}; {:.1} of {kimg:.1} kimg done",
                    nimg as f64 / 1000.0
                );
            }
            TrainEvent::Speed { sec_per_kimg, remaining } => {
                eprintln!("{sec_per_kimg:.1} s/kimg, so about {} to go", duration(remaining));
            }
            TrainEvent::Tick { line, sec_per_kimg, remaining } => {
                // Regularisers do not run in every tick.
                let value = |name: &str, digits: usize| match line.values.get(name) {
                    Some(value) => format!("{value:.digits$}"),
                    None => "-".to_owned(),
                };
                let (begin, end) = if terminal { ("\r\x1b[K", "") } else { ("", "\n") };
                eprint!(
                    "{begin}kimg {:.1}/{:.1}  {sec_per_kimg:.1} s/kimg  G {}  D {}  r1 {}  pl {}  sign {}  left {}{end}",
                    line.nimg as f64 / 1000.0,
                    total as f64 / 1000.0,
                    value("loss_g", 3),
                    value("loss_d", 3),
                    value("r1", 4),
                    value("path_length", 3),
                    value("sign_real", 2),
                    duration(remaining),
                );
            }
            TrainEvent::Sample(_) | TrainEvent::Snapshot(_) | TrainEvent::Checkpoint(_) | TrainEvent::Resumed => {}
            TrainEvent::Paused(Some(reason)) => eprintln!("\npaused: {reason}; trying again every half minute"),
            TrainEvent::Paused(None) => eprintln!("\npaused"),
            TrainEvent::Ended { nimg, complete } => {
                let kimg = nimg as f64 / 1000.0;
                eprintln!("\n{} after {kimg:.1} kimg", if complete { "done" } else { "saved and ended" });
                return Ok(());
            }
            TrainEvent::Failed { error, proposal } => anyhow::bail!("{error}. {proposal}"),
        }
    }
}

fn config(arguments: &TrainArgs) -> anyhow::Result<TrainConfig> {
    let preset = Preset::from_name(&arguments.preset).ok_or_else(|| {
        let names: Vec<&str> = Preset::ALL.into_iter().map(Preset::name).collect();
        UsageError(format!("--preset {}: choose one of {}", arguments.preset, names.join(", ")))
    })?;
    let source = match arguments.data.as_str() {
        "portraits" => DatasetSource::Portraits { seed: arguments.seed },
        path => DatasetSource::Path(path.into()),
    };
    let mut config = preset.build(&PresetOptions {
        resolution: arguments.resolution,
        img_channels: 3,
        label_dim: 0,
        width: match arguments.width {
            WidthChoice::Tiny => Width::Tiny,
            WidthChoice::Small => Width::Small,
            WidthChoice::Paper => Width::Paper,
        },
        channel_base: arguments.channel_base,
        channel_max: arguments.channel_max,
        batch: arguments.batch,
        kimg: arguments.kimg.unwrap_or(1000.0),
        seed: arguments.seed,
        gamma: arguments.gamma,
        dataset: DatasetSpec { source, mirror: arguments.mirror },
    })?;
    if let Some(ema_kimg) = arguments.ema_kimg {
        config.ema_kimg = ema_kimg;
    }
    if let Some(tick) = arguments.tick {
        config.intervals.tick_kimg = tick;
    }
    config.validate()?;
    Ok(config)
}

fn initial_weights(file: &std::path::Path) -> anyhow::Result<InitialWeights> {
    Ok(transfer::initial_weights(&model::open(file)?, None)?)
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    if hours > 0 { format!("{hours} h {minutes:02} min") } else { format!("{minutes} min {:02} s", seconds % 60) }
}
