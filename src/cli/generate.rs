//! `stylescope generate`: images from seeds or latents, without a window.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, bail, ensure};
use clap::{ArgGroup, Args, ValueEnum};

use super::{
    UsageError,
    latents::{LatentSource, Latents, TensorSource},
    model,
    output::Output,
    progress::ProgressLine,
    ranges::NumberList,
    sheet::GridSize,
    synthesis::{Synthesizer, View},
};
use crate::{
    engine::{ModelId, bundled, model::OpenModel},
    gpu::device::{DeviceChoice, select},
    latent::seed::position_of,
    model::{Placement, config::GeneratorConfig},
    session::{
        Pose,
        pose::{Noise, NoiseMode, SeedPosition, StyleMix, Truncation},
        record::PoseRecord,
    },
};

/// Where the noise inputs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NoiseSource {
    /// The maps stored in the model
    Const,
    /// Maps drawn from each image's own seed
    Random,
    /// No noise
    None,
}

/// Arguments of `stylescope generate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("latents").required(true).args(["seeds", "z", "w", "ws"]))]
pub struct GenerateArgs {
    /// The model: .pkl, .pt or .safetensors [default: the bundled one]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// The network of the file by its name, e.g. G [default: the moving average where there is one]
    #[arg(long, value_name = "NAME", requires = "model")]
    network: Option<String>,

    /// Seeds, as in 0-3,85
    #[arg(long, value_name = "LIST")]
    seeds: Option<NumberList>,

    /// Latents [N,z_dim] from a file, instead of seeds
    #[arg(long, value_name = "FILE.safetensors:NAME")]
    z: Option<TensorSource>,

    /// Latents [N,w_dim] from a file, instead of seeds
    #[arg(long, value_name = "FILE.safetensors:NAME", conflicts_with = "class")]
    w: Option<TensorSource>,

    /// Latents [N,num_ws,w_dim] from a file, instead of seeds; used as they are
    #[arg(
        long,
        value_name = "FILE.safetensors:NAME",
        conflicts_with_all = ["class", "psi", "cutoff", "mix_seed", "mix_layers"]
    )]
    ws: Option<TensorSource>,

    /// Folder for the images (seed0085.png); with --grid also the name of a .png, then only the sheet is written
    #[arg(long, value_name = "DIR", required_unless_present = "raw")]
    out: Option<PathBuf>,

    /// Truncation: 0 is the average image, 1 the model as it was trained
    #[arg(long, value_name = "F", default_value_t = 1.0, allow_negative_numbers = true, value_parser = finite)]
    psi: f32,

    /// Truncate only the first N of the model's layers
    #[arg(long, value_name = "N")]
    cutoff: Option<usize>,

    /// Noise inputs
    #[arg(long, value_enum, value_name = "MODE", default_value_t = NoiseSource::Const)]
    noise: NoiseSource,

    /// Factor on every layer's noise strength
    #[arg(long, value_name = "F", default_value_t = 1.0, allow_negative_numbers = true, value_parser = finite)]
    noise_strength: f32,

    /// Class of a conditional model, from 0 [default: 0]
    #[arg(long, value_name = "N")]
    class: Option<usize>,

    /// Take the styles of --mix-layers from this seed
    #[arg(long, value_name = "N", requires = "mix_layers")]
    mix_seed: Option<u32>,

    /// Layers whose styles come from --mix-seed, as in 0-3,8
    #[arg(long, value_name = "LIST", requires = "mix_seed")]
    mix_layers: Option<NumberList>,

    /// What computes: a GPU where there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,

    /// Store feature maps in 16 bits where a GPU can: less memory, colours off by a level here and there
    #[arg(long)]
    half: bool,

    /// Also put the images side by side on a sheet, grid.png
    #[arg(long, value_name = "CxR")]
    grid: Option<GridSize>,

    /// Write f32 tensors z, w, ws and image [N,C,H,W] as they are before they become pixels
    #[arg(long, value_name = "FILE.safetensors")]
    raw: Option<PathBuf>,
}

pub(super) fn finite(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|value: &f32| value.is_finite()).ok_or_else(|| "it must be a finite number".to_owned())
}

/// Writes the images.
///
/// # Errors
/// If the model cannot be opened, does not fit the other arguments, or something cannot be written.
pub fn run(arguments: &GenerateArgs) -> anyhow::Result<()> {
    let sheet_only = arguments.out.as_deref().is_some_and(|out| out.extension().is_some_and(|e| e == "png"));
    if sheet_only && arguments.grid.is_none() {
        return Err(UsageError("--out names a .png: that needs --grid, otherwise it is a folder".to_owned()).into());
    }
    if let Some(seeds) = &arguments.seeds {
        arguments.check_grid(seeds.len())?;
    }
    // The file comes first: what is wrong with it shall be said before a device is started.
    let checkpoint = arguments.model.as_deref().map(model::open).transpose()?;
    let compute = select(arguments.device)?;
    let placement = Placement::split(compute.device).with_half(arguments.half);
    // The only model of the process.
    let id = ModelId(1);
    let model = Arc::new(match checkpoint {
        Some(checkpoint) => {
            OpenModel::build(id, checkpoint, arguments.network.as_deref(), &placement, &model::loading())?
        }
        None => bundled::open(id, &placement)?,
    });
    let config = model.generator.config();
    let source = arguments.source(config)?;
    arguments.check_grid(source.len())?;
    let mut synthesizer = Synthesizer::new(Arc::clone(&model), arguments.view(config)?)?;

    let count = source.len();
    let tensors = source.raw_tensors(config);
    let mut output = Output::create(
        arguments.out.as_deref(),
        arguments.grid.map(|grid| (grid, config.resolution())),
        arguments.raw.as_deref().map(|path| (path, count, tensors.as_slice())),
    )?;
    let progress = ProgressLine::new("generating", "images");
    for (done, item) in (1..).zip(source.items()) {
        let picture = synthesizer.picture(&item).with_context(|| format!("cannot generate {}", item.name))?;
        let record = item.seed().map(|seed| PoseRecord {
            model_fingerprint: Some(model.fingerprint.clone()),
            ..PoseRecord::new(arguments.pose(seed), model.summary.name.clone())
        });
        output.push(&item.name, &picture, record.as_ref())?;
        progress.advance(done, count);
    }
    let seconds = progress.elapsed().as_secs_f64();
    drop(progress);
    let written = output.finish()?;
    let images = if count == 1 { "image" } else { "images" };
    eprintln!("{count} {images} in {seconds:.1} s on {}: {written}", compute.name);
    Ok(())
}

impl GenerateArgs {
    fn check_grid(&self, images: u64) -> Result<(), UsageError> {
        match self.grid {
            Some(grid) if images > grid.cells() => {
                let GridSize { columns, rows } = grid;
                Err(UsageError(format!("{images} images do not fit into --grid {columns}x{rows}")))
            }
            _ => Ok(()),
        }
    }

    /// The latents, checked against the model.
    fn source(&self, config: &GeneratorConfig) -> anyhow::Result<LatentSource> {
        let (z_dim, w_dim, num_ws) = (config.z_dim(), config.w_dim(), config.num_ws());
        Ok(match (&self.seeds, &self.z, &self.w, &self.ws) {
            (Some(seeds), ..) => LatentSource::Seeds(seeds.clone()),
            (_, Some(z), ..) => LatentSource::Z(Latents::read(z, &[z_dim])?),
            (_, _, Some(w), _) => LatentSource::W(Latents::read(w, &[w_dim])?),
            (.., Some(ws)) => LatentSource::Ws(Latents::read(ws, &[num_ws, w_dim])?),
            (None, None, None, None) => return Err(UsageError("--seeds is missing".to_owned()).into()),
        })
    }

    /// What all images share, checked against the model.
    fn view(&self, config: &GeneratorConfig) -> anyhow::Result<View> {
        let (num_ws, label_dim) = (config.num_ws(), config.label_dim());
        match (self.class, label_dim) {
            (Some(_), 0) => bail!("this model has no classes: leave --class out"),
            (Some(class), _) => {
                ensure!(class < label_dim, "this model has the classes 0 to {}, not {class}", label_dim - 1)
            }
            (None, _) => {}
        }
        if let Some(cutoff) = self.cutoff {
            ensure!(cutoff <= num_ws, "this model has {num_ws} layers: --cutoff {cutoff} is too large");
        }
        if let Some(layers) = &self.mix_layers {
            let (last, max) = (num_ws - 1, layers.max());
            ensure!(max as usize <= last, "this model has the layers 0 to {last}: --mix-layers names {max}");
        }
        let mix = self.mix_seed.zip(self.mix_layers.as_ref()).map(|(seed, layers)| (seed, layers.to_set()));
        Ok(View {
            class: self.class.unwrap_or(0),
            psi: self.psi,
            cutoff: self.cutoff,
            mix,
            noise: self.noise_mode(),
            noise_strength: self.noise_strength,
        })
    }

    /// The same image as the window's pose, for the PNG.
    fn pose(&self, seed: u32) -> Pose {
        let (x, y) = position_of(seed);
        let noise_seed = if self.noise == NoiseSource::Random { seed } else { 0 };
        let mix = self.mix_seed.zip(self.mix_layers.as_ref()).map(|(seed, layers)| StyleMix {
            seed,
            amounts: layers.to_set().into_iter().map(|layer| (layer, 1.0)).collect(),
            ..StyleMix::default()
        });
        Pose {
            seed: SeedPosition { x, y },
            class: self.class.unwrap_or(0),
            truncation: Truncation { psi: self.psi, cutoff: self.cutoff },
            mix: mix.unwrap_or_default(),
            noise: Noise { mode: self.noise_mode(), seed: noise_seed, strength: self.noise_strength, turn: 0.0 },
            ..Pose::default()
        }
    }

    fn noise_mode(&self) -> NoiseMode {
        match self.noise {
            NoiseSource::Const => NoiseMode::Const,
            NoiseSource::Random => NoiseMode::Random,
            NoiseSource::None => NoiseMode::Off,
        }
    }
}
