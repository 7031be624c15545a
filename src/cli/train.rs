//! `stylescope train`: train a generator, or go on with a training.

mod report;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use clap::{Args, ValueEnum};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use super::{UsageError, model};
use crate::{
    data::{Dataset, DatasetOptions},
    gpu::device::{DeviceChoice, select},
    training::{
        TrainConfig,
        config::{Ada, Changes, DatasetSource, DatasetSpec, Loss},
        preflight::Preflight,
        preset::{Preset, PresetOptions, Width},
        run_folder::read_run,
        session::{Start, TrainingSession},
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

/// What the networks play for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LossChoice {
    /// Non-saturating logistic with R1
    Logistic,
    /// Wasserstein with gradient penalty
    WganGp,
    /// Reals against fakes in pairs, with R1 and R2
    Relativistic,
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

    /// What the networks play for, instead of the preset's loss
    #[arg(long, value_enum)]
    loss: Option<LossChoice>,

    /// Weight of R1 (and R2), instead of the preset's; with --resume a new one
    #[arg(long, value_name = "F")]
    gamma: Option<f64>,

    /// Learning rate of both networks, instead of the preset's; with --resume a new one
    #[arg(long, value_name = "F")]
    lr: Option<f64>,

    /// Learning rate of the generator, where it is another one than the discriminator's: a lower one keeps what --init brought
    #[arg(long, value_name = "F", conflicts_with = "resume")]
    lr_g: Option<f64>,

    /// Augment what the discriminator sees, for few images: off, fixed:P, or adaptive with a mean sign to keep
    #[arg(long, value_name = "off|fixed:P|adaptive[:TARGET]", value_parser = ada)]
    pub(super) ada: Option<Ada>,

    /// Train by class: that of dataset.json, or the portraits' hair style
    #[arg(long)]
    cond: bool,

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

    /// Train the discriminator alone for the first so many thousand images [default: 4, but a twentieth of the training at most,
    /// with --init and a model without a discriminator, else 0]
    #[arg(long, value_name = "F", conflicts_with = "resume")]
    d_first: Option<f64>,

    /// Keep the noise strengths of the finest two resolutions at least so far from 0, where a short training would not find out
    /// what noise is good for; with --resume a new one
    #[arg(long, value_name = "F")]
    noise_floor: Option<f64>,
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
    let (folder, config, start) = match &arguments.resume {
        Some(folder) => {
            let folder = folder.clone().or_else(|| arguments.out.clone());
            let folder = folder.ok_or_else(|| UsageError("--resume needs the folder of a run".into()))?;
            let TrainArgs { kimg, gamma, lr, ada, noise_floor, .. } = *arguments;
            let changes = Changes { kimg, gamma, learning_rate: lr, ada, noise_floor };
            let config = changes.apply(&read_run(&folder)?.config)?;
            (folder, config, Start::Resume { changes })
        }
        None => {
            let config = config(arguments)?;
            let init = arguments.init.as_deref().map(initial_weights).transpose()?;
            let start = Start::New { config: Box::new(config.clone()), init };
            (arguments.out.clone().unwrap_or_default(), config, start)
        }
    };
    let compute = select(arguments.device)?;
    eprintln!("training on {}", compute.name);
    eprintln!("{}", Preflight::of(&config)?);
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal only sets the flag, a second one finds it set.
        let ends = flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&interrupted));
        if let Err(error) = ends.and_then(|_| flag::register(signal, Arc::clone(&interrupted))) {
            log::warn!("Ctrl-C will end the training without saving: {error}");
        }
    }
    let session = TrainingSession::start(folder, start, compute.device)?;
    report::follow(&session, &config, &interrupted)
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
    let label_dim = if arguments.cond { label_dim(&source, arguments.resolution)? } else { 0 };
    let mut config = preset.build(&PresetOptions {
        resolution: arguments.resolution,
        img_channels: 3,
        label_dim,
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
    if let Some(loss) = arguments.loss {
        let loss = match loss {
            LossChoice::Logistic => Loss::Logistic,
            LossChoice::WganGp => Loss::WGAN_GP,
            LossChoice::Relativistic => Loss::Relativistic,
        };
        config = config.with_loss(loss, arguments.gamma);
    }
    if let Some(rate) = arguments.lr {
        (config.generator_lr, config.discriminator_lr) = (rate, rate);
    }
    if let Some(rate) = arguments.lr_g {
        config.generator_lr = rate;
    }
    if let Some(ada) = arguments.ada {
        config.ada = ada;
    }
    if let Some(ema_kimg) = arguments.ema_kimg {
        config.ema_kimg = ema_kimg;
    }
    config.discriminator_first_kimg = arguments.d_first;
    config.noise_floor = arguments.noise_floor;
    if let Some(tick) = arguments.tick {
        config.intervals.tick_kimg = tick;
    }
    config.validate()?;
    Ok(config)
}

fn initial_weights(file: &Path) -> anyhow::Result<InitialWeights> {
    Ok(transfer::initial_weights(&model::open(file)?, None)?)
}

/// Numbers of a label of these images.
fn label_dim(source: &DatasetSource, resolution: usize) -> anyhow::Result<usize> {
    let dataset = match source {
        DatasetSource::Portraits { seed } => Dataset::portraits(*seed, resolution)?.with_hair_styles(),
        DatasetSource::Path(path) => Dataset::open(path, resolution, &DatasetOptions::default())?,
    };
    match dataset.label_dim() {
        0 => Err(UsageError("--cond: the images have no classes; dataset.json would say them".into()).into()),
        label_dim => Ok(label_dim),
    }
}

/// `off`, `fixed:0.2`, `adaptive`, `adaptive:0.6`.
fn ada(text: &str) -> Result<Ada, String> {
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("{text} is no number"));
    match text.split_once(':') {
        None if text == "off" => Ok(Ada::Off),
        None if text == "adaptive" => Ok(Ada::ADAPTIVE),
        Some(("fixed", p)) => Ok(Ada::Fixed { p: number(p)? }),
        Some(("adaptive", target)) => Ok(Ada::adaptive(number(target)?)),
        _ => Err("choose off, fixed:P (P from 0 to 1), adaptive or adaptive:TARGET (TARGET from -1 to 1)".into()),
    }
}
