//! What is chosen for the next training, and the configuration that it comes to.

use std::path::PathBuf;

use super::launch::continue_with;
use crate::{
    base::paths,
    model::config::{ConfigError, GeneratorConfig, resolutions},
    session::TrainingSettings,
    training::{
        TrainConfig,
        config::{Ada, Changes, DatasetSource, DatasetSpec},
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
    Ada,
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
            Self::Ada => "ADA",
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
    /// Whether augmentation is adapted.
    pub ada: bool,
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
            ada: s.ada,
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
            ada: self.ada,
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
        self.preset.build(&options).map_or(0.0, |config| config.r1_gamma)
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

    /// The training that the choices come to. `open` is the model that is open.
    ///
    /// # Errors
    /// The choice that cannot be, and what to do about it.
    pub fn config(&self, open: Option<&GeneratorConfig>) -> Result<TrainConfig, Refusal> {
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
        }
        let mut config = self.preset.build(&options).map_err(|error| refusal(&error))?;
        if let Some(open) = open {
            continue_with(&mut config, open)?;
        }
        if let Some(rate) = self.learning_rate {
            (config.generator_lr, config.discriminator_lr) = (rate, rate);
        }
        config.ada = if self.ada { Ada::ADAPTIVE } else { Ada::Off };
        config.validate().map_err(|error| refusal(&error))?;
        Ok(config)
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
        self.ada = config.ada != Ada::Off;
        self.seed = config.seed as u32;
    }

    /// What is different from a run that goes on.
    pub fn changes(&self, config: &TrainConfig) -> Changes {
        let differs = |new: f64, old: f64| (new != old).then_some(new);
        Changes {
            kimg: differs(self.kimg, config.kimg),
            gamma: self.gamma.and_then(|gamma| differs(gamma, config.r1_gamma)),
            learning_rate: self.learning_rate.and_then(|rate| differs(rate, config.generator_lr)),
            ada: match (self.ada, config.ada) {
                (true, Ada::Off) => Some(Ada::ADAPTIVE),
                (false, Ada::Off) | (true, _) => None,
                (false, _) => Some(Ada::Off),
            },
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
        "ada.p" | "ada.target" => Control::Ada,
        "resolution" => Control::Resolution,
        _ => Control::Preset,
    };
    Refusal { control, text: format!("{error}.") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::training::TrainingState;

    #[test]
    fn what_is_chosen_is_remembered() {
        let form = TrainingForm {
            data: DataChoice::Path("/images.zip".into()),
            mirror: true,
            preset: Preset::Msg,
            resolution: 128,
            width: Width::Small,
            batch: 16,
            kimg: 500.0,
            gamma: Some(0.5),
            learning_rate: Some(0.001),
            ada: true,
            seed: 7,
            runs: Some("/runs".into()),
            last_run: Some("/runs/a-001".into()),
            ..TrainingForm::default()
        };
        assert_eq!(TrainingForm::from_settings(&form.settings()), form);
        let unknown = TrainingSettings { preset: "stylegan9".into(), resolution: 77, ..TrainingSettings::default() };
        let form = TrainingForm::from_settings(&unknown);
        assert_eq!((form.preset, form.resolution), (Preset::StyleGan2E, 64));
    }

    #[test]
    fn choices_become_a_configuration_or_say_what_to_change() {
        let form = TrainingForm::default();
        let config = form.config(None).unwrap();
        assert_eq!((config.resolution(), config.batch, config.ada), (32, 8, Ada::Off));
        assert_eq!(config.r1_gamma, form.suggested_gamma());
        let control = |form: TrainingForm| form.config(None).unwrap_err().control;
        assert_eq!(control(TrainingForm { batch: 6, ..form.clone() }), Control::Batch);
        assert_eq!(control(TrainingForm { resolution: 4, ..form.clone() }), Control::Resolution);
        assert_eq!(control(TrainingForm { gamma: Some(-1.0), ..form.clone() }), Control::Gamma);
        assert_eq!(control(TrainingForm { learning_rate: Some(9.0), ..form.clone() }), Control::LearningRate);
        assert_eq!(control(TrainingForm { begin: Begin::OpenModel, ..form.clone() }), Control::Begin);
        let form = TrainingForm { begin: Begin::Resume, ..form };
        let state = TrainingState { form, ..TrainingState::default() };
        assert_eq!(state.launch(None).unwrap_err().control, Control::Begin);
    }

    #[test]
    fn a_run_that_goes_on_changes_only_what_was_changed() {
        let form = TrainingForm { ada: true, preset: Preset::StyleGanF, ..TrainingForm::default() };
        let config = form.config(None).unwrap();
        let mut again = TrainingForm::default();
        again.take_over(&config);
        assert_eq!((again.preset, again.ada), (Preset::StyleGanF, true));
        assert_eq!(again.changes(&config), Changes::default());
        again.gamma = Some(3.0);
        again.ada = false;
        again.kimg = 250.0;
        let changes = again.changes(&config);
        let expected = Changes { kimg: Some(250.0), gamma: Some(3.0), learning_rate: None, ada: Some(Ada::Off) };
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_training_from_the_open_model_has_its_sizes() {
        let wide = TrainingForm { resolution: 64, width: Width::Small, ..TrainingForm::default() };
        let open = wide.config(None).unwrap().generator;
        let form = TrainingForm { begin: Begin::OpenModel, ..TrainingForm::default() };
        let config = form.config(Some(&open)).unwrap();
        assert_eq!((config.resolution(), &config.generator), (64, &open));
        let other = TrainingForm { preset: Preset::StyleGanF, ..form };
        assert_eq!(other.config(Some(&open)).unwrap_err().control, Control::Preset);
    }
}
