//! What is chosen for the next training, and the configuration that it comes to.

use std::path::PathBuf;

use super::launch::continue_with;
use crate::{
    base::paths,
    model::config::{ConfigError, GeneratorConfig, resolutions},
    session::TrainingSettings,
    training::{
        TrainConfig,
        config::{Ada, Changes, DatasetSource, DatasetSpec, Loss},
        diagnosis,
        preset::{Preset, PresetOptions, Width},
    },
};

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataChoice {
    /// The built-in portraits.
    Portraits,
    /// A folder or zip archive.
    Path(PathBuf),
}

/// What a training begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Fresh weights.
    Scratch,
    /// The weights of the model that is open.
    OpenModel,
    /// The newest checkpoint of a run.
    Resume,
}

/// A control of the form: what an error or a piece of advice points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the rows")]
pub enum Control {
    Data,
    Begin,
    Preset,
    Resolution,
    Width,
    Batch,
    Kimg,
    Gamma,
    LearningRate,
    Loss,
    Ada,
    Classes,
    Runs,
}

impl Control {
    /// What it is called in a sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Data => "the images",
            Self::Begin => "the beginning",
            Self::Preset => "the preset",
            Self::Resolution => "the size",
            Self::Width => "the width",
            Self::Batch => "the batch",
            Self::Kimg => "the length",
            Self::Gamma => "gamma",
            Self::LearningRate => "the learning rate",
            Self::Loss => "the loss",
            Self::Ada => "ADA",
            Self::Classes => "the classes",
            Self::Runs => "the runs' folder",
        }
    }
}

impl From<diagnosis::Control> for Control {
    fn from(control: diagnosis::Control) -> Self {
        match control {
            diagnosis::Control::Gamma => Self::Gamma,
            diagnosis::Control::Ada => Self::Ada,
            diagnosis::Control::Batch => Self::Batch,
            diagnosis::Control::LearningRate => Self::LearningRate,
            diagnosis::Control::Data => Self::Data,
            diagnosis::Control::Length => Self::Kimg,
        }
    }
}

/// How the augmentation of what the discriminator sees is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdaChoice {
    /// There is none.
    Off,
    /// By how sure the discriminator is.
    Adaptive,
    /// With a constant probability.
    Fixed,
}

/// Number of classes of the chosen images, or why they cannot be trained by class.
pub type Classes = Result<usize, String>;

/// Why no training can be made of the choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where it can be mended.
    pub control: Control,
    /// What is wrong and what to do.
    pub text: String,
}

/// What is chosen for the next training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingForm {
    /// The images.
    pub data: DataChoice,
    /// Whether each image also occurs mirrored.
    pub mirror: bool,
    /// What it begins with.
    pub begin: Begin,
    /// The row of the papers' tables.
    pub preset: Preset,
    /// Side of the images in pixels.
    pub resolution: usize,
    /// Width of the networks.
    pub width: Width,
    /// Images of a step.
    pub batch: usize,
    /// Length in thousands of images.
    pub kimg: f64,
    /// Weight of R1; `None` is what the preset suggests.
    pub gamma: Option<f64>,
    /// Learning rate of both networks; `None` is the preset's.
    pub learning_rate: Option<f64>,
    /// What the networks play for; `None` is what the preset says.
    pub loss: Option<Loss>,
    /// How augmentation is decided.
    pub ada: AdaChoice,
    /// Its probability where it is fixed.
    pub ada_p: f64,
    /// Whether the networks learn the classes of the images.
    pub classes: bool,
    /// Of every draw.
    pub seed: u32,
    /// The folder in which runs are made; `None` for the usual one.
    pub runs: Option<PathBuf>,
    /// The run that [`Begin::Resume`] goes on with; after a training the one that was trained.
    pub last_run: Option<PathBuf>,
}

impl Default for TrainingForm {
    fn default() -> Self {
        Self::from_settings(&TrainingSettings::default())
    }
}

/// The names of the widths.
pub const WIDTHS: [(Width, &str); 3] = [(Width::Tiny, "tiny"), (Width::Small, "small"), (Width::Paper, "paper")];
/// The names of the losses, as on the command line.
pub const LOSSES: [(Loss, &str); 3] =
    [(Loss::Logistic, "logistic"), (Loss::Relativistic, "relativistic"), (Loss::WGAN_GP, "wgan-gp")];
/// The names of the ways to augment.
pub const ADAS: [(AdaChoice, &str); 3] =
    [(AdaChoice::Off, "off"), (AdaChoice::Adaptive, "adaptive"), (AdaChoice::Fixed, "fixed")];
/// Batches that can be chosen.
pub const BATCHES: std::ops::RangeInclusive<usize> = 1..=256;
/// Lengths that can be chosen, in thousands of images.
pub const KIMGS: std::ops::RangeInclusive<f64> = 0.01..=100_000.0;

impl TrainingForm {
    /// The form with what was remembered; what this program does not know is at its default.
    pub fn from_settings(settings: &TrainingSettings) -> Self {
        let s = settings.sanitized();
        let smallest = 4;
        Self {
            data: s.data.map_or(DataChoice::Portraits, DataChoice::Path),
            mirror: s.mirror,
            begin: Begin::Scratch,
            preset: Preset::from_name(&s.preset).unwrap_or(Preset::StyleGan2E),
            resolution: resolutions((s.resolution as usize).clamp(smallest, 1024)).next_back().unwrap_or(smallest),
            width: WIDTHS.into_iter().find(|(_, name)| *name == s.width).map_or(Width::Tiny, |(width, _)| width),
            batch: (s.batch as usize).clamp(*BATCHES.start(), *BATCHES.end()),
            kimg: s.kimg.clamp(*KIMGS.start(), *KIMGS.end()),
            gamma: s.gamma,
            learning_rate: s.learning_rate,
            loss: LOSSES.into_iter().find(|(_, name)| s.loss.as_deref() == Some(*name)).map(|(loss, _)| loss),
            ada: ADAS.into_iter().find(|(_, name)| *name == s.ada).map_or(AdaChoice::Off, |(ada, _)| ada),
            ada_p: s.ada_p.clamp(0.0, 1.0),
            classes: s.classes,
            seed: s.seed,
            runs: s.runs,
            last_run: s.last_run,
        }
    }

    /// What shall be remembered of the form.
    pub fn settings(&self) -> TrainingSettings {
        TrainingSettings {
            data: match &self.data {
                DataChoice::Portraits => None,
                DataChoice::Path(path) => Some(path.clone()),
            },
            mirror: self.mirror,
            preset: self.preset.name().to_owned(),
            resolution: self.resolution as u32,
            width: self.width_name().to_owned(),
            batch: self.batch as u32,
            kimg: self.kimg,
            gamma: self.gamma,
            learning_rate: self.learning_rate,
            loss: LOSSES.into_iter().find(|(loss, _)| Some(*loss) == self.loss).map(|(_, name)| name.to_owned()),
            ada: ADAS.into_iter().find(|(ada, _)| *ada == self.ada).map_or("off", |(_, name)| name).to_owned(),
            ada_p: self.ada_p,
            classes: self.classes,
            seed: self.seed,
            runs: self.runs.clone(),
            last_run: self.last_run.clone(),
            flops_per_second: None,
        }
    }

    /// The width's name on the command line.
    pub fn width_name(&self) -> &'static str {
        WIDTHS.into_iter().find(|(width, _)| *width == self.width).map_or("tiny", |(_, name)| name)
    }

    /// The folder in which runs are made.
    pub fn runs_folder(&self) -> PathBuf {
        self.runs.clone().unwrap_or_else(paths::runs_dir)
    }

    /// What the run's folder is called before its number.
    pub fn stem(&self) -> String {
        let data = match &self.data {
            DataChoice::Portraits => "portraits".into(),
            DataChoice::Path(path) => path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy(),
        };
        let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        let data: String = data.chars().take(40).map(safe).collect();
        format!("{data}-{}-{}", self.resolution, self.preset.name())
    }

    /// The weight of R1 that suits resolution and batch.
    pub fn suggested_gamma(&self) -> f64 {
        let options = PresetOptions { gamma: None, ..self.options() };
        self.preset.build(&options).map_or(0.0, |config| self.with_loss(config, None).r1_gamma)
    }

    /// The loss that is chosen, or the preset's.
    pub fn effective_loss(&self) -> Loss {
        self.loss.unwrap_or(self.preset.loss())
    }

    fn with_loss(&self, config: TrainConfig, gamma: Option<f64>) -> TrainConfig {
        match self.loss {
            Some(loss) => config.with_loss(loss, gamma),
            None => config,
        }
    }

    /// The preset's learning rate.
    pub fn suggested_learning_rate(&self) -> f64 {
        self.preset.build(&self.options()).map_or(0.0025, |config| config.generator_lr)
    }

    fn options(&self) -> PresetOptions {
        let source = match &self.data {
            DataChoice::Portraits => DatasetSource::Portraits { seed: u64::from(self.seed) },
            DataChoice::Path(path) => DatasetSource::Path(path.clone()),
        };
        PresetOptions {
            resolution: self.resolution,
            img_channels: 3,
            label_dim: 0,
            width: self.width,
            channel_base: None,
            channel_max: None,
            batch: self.batch,
            kimg: self.kimg,
            seed: u64::from(self.seed),
            gamma: self.gamma,
            dataset: DatasetSpec { source, mirror: self.mirror },
        }
    }

    /// The training that the choices come to. `open` is the model that is open, `classes` says what is known of the images.
    ///
    /// # Errors
    /// The choice that cannot be, and what to do about it.
    pub fn config(&self, open: Option<&GeneratorConfig>, classes: &Classes) -> Result<TrainConfig, Refusal> {
        let open = match (self.begin, open) {
            (Begin::OpenModel, None) => {
                return Err(Refusal { control: Control::Begin, text: "No model is open to begin with.".into() });
            }
            (Begin::OpenModel, Some(open)) => Some(open),
            _ => None,
        };
        if self.data == DataChoice::Portraits && self.resolution < 8 {
            return Err(Refusal { control: Control::Resolution, text: "Portraits have at least 8 pixels.".into() });
        }
        let mut options = self.options();
        if let Some(open) = open {
            options.resolution = open.resolution();
        } else if self.classes {
            let refused = |why: &String| Refusal { control: Control::Classes, text: why.clone() };
            options.label_dim = *classes.as_ref().map_err(refused)?;
        }
        let config = self.preset.build(&options).map_err(|error| refusal(&error))?;
        let mut config = self.with_loss(config, self.gamma);
        if let Some(open) = open {
            continue_with(&mut config, open)?;
        }
        if let Some(rate) = self.learning_rate {
            (config.generator_lr, config.discriminator_lr) = (rate, rate);
        }
        config.ada = self.augmentation();
        config.validate().map_err(|error| refusal(&error))?;
        Ok(config)
    }

    fn augmentation(&self) -> Ada {
        match self.ada {
            AdaChoice::Off => Ada::Off,
            AdaChoice::Adaptive => Ada::ADAPTIVE,
            AdaChoice::Fixed => Ada::Fixed { p: self.ada_p },
        }
    }

    /// Shows what a run is that shall go on.
    pub fn take_over(&mut self, config: &TrainConfig) {
        self.data = match &config.dataset.source {
            DatasetSource::Portraits { .. } => DataChoice::Portraits,
            DatasetSource::Path(path) => DataChoice::Path(path.clone()),
        };
        self.mirror = config.dataset.mirror;
        self.preset = Preset::from_name(&config.preset).unwrap_or(self.preset);
        self.resolution = config.resolution();
        self.batch = config.batch;
        self.kimg = config.kimg.clamp(*KIMGS.start(), *KIMGS.end());
        self.gamma = Some(config.r1_gamma);
        self.learning_rate = Some(config.generator_lr);
        self.loss = Some(config.loss).filter(|loss| *loss != self.preset.loss());
        self.classes = config.generator.label_dim() > 0;
        self.ada = match config.ada {
            Ada::Off => AdaChoice::Off,
            Ada::Adaptive { .. } => AdaChoice::Adaptive,
            Ada::Fixed { p } => {
                self.ada_p = p;
                AdaChoice::Fixed
            }
        };
        self.seed = config.seed as u32;
    }

    /// What is different from a run that goes on.
    pub fn changes(&self, config: &TrainConfig) -> Changes {
        let differs = |new: f64, old: f64| (new != old).then_some(new);
        Changes {
            kimg: differs(self.kimg, config.kimg),
            gamma: self.gamma.and_then(|gamma| differs(gamma, config.r1_gamma)),
            learning_rate: self.learning_rate.and_then(|rate| differs(rate, config.generator_lr)),
            ada: match (self.augmentation(), config.ada) {
                // The run may keep another mean sign.
                (Ada::Adaptive { .. }, Ada::Adaptive { .. }) => None,
                (new, old) => (new != old).then_some(new),
            },
            noise_floor: None,
        }
    }
}

/// Where a configuration that cannot be is mended.
pub fn refusal(error: &ConfigError) -> Refusal {
    let control = match error.field {
        "batch" | "growing.max_batch" => Control::Batch,
        "kimg" => Control::Kimg,
        "r1_gamma" => Control::Gamma,
        "generator_lr" | "discriminator_lr" => Control::LearningRate,
        "ada" | "ada.p" | "ada.target" => Control::Ada,
        "resolution" => Control::Resolution,
        _ => Control::Preset,
    };
    Refusal { control, text: format!("{error}.") }
}

#[cfg(test)]
mod tests;
