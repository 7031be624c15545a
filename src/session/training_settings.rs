//! What was chosen for the last training. Names stand as text: a preset that this program does not know (any more) must not
//! cost the other settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::settings::utf8;

/// Longest name that is kept.
const MAX_NAME: usize = 64;
/// Largest number that is kept; far past what a training can be.
const MAX_NUMBER: f64 = 1e9;

/// The last training's settings. Whoever uses them checks them again: they come from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingSettings {
    /// The folder or zip of images; `None` for the built-in portraits.
    #[serde(serialize_with = "utf8::path")]
    pub data: Option<PathBuf>,
    /// Whether each image also occurs mirrored.
    pub mirror: bool,
    /// The preset's name on the command line.
    pub preset: String,
    /// Side of the images in pixels.
    pub resolution: u32,
    /// `tiny`, `small` or `paper`.
    pub width: String,
    /// Images of a step.
    pub batch: u32,
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
    /// The folder in which runs are made.
    #[serde(serialize_with = "utf8::path")]
    pub runs: Option<PathBuf>,
    /// The run that was trained last.
    #[serde(serialize_with = "utf8::path")]
    pub last_run: Option<PathBuf>,
    /// Operations of training a second on this machine, as they were measured last.
    pub flops_per_second: Option<f64>,
}

impl Default for TrainingSettings {
    /// What shows something on a processor within an hour.
    fn default() -> Self {
        Self {
            data: None,
            mirror: false,
            preset: "stylegan2-e".to_owned(),
            resolution: 32,
            width: "tiny".to_owned(),
            batch: 8,
            kimg: 100.0,
            gamma: None,
            learning_rate: None,
            ada: false,
            seed: 0,
            runs: None,
            last_run: None,
            flops_per_second: None,
        }
    }
}

impl TrainingSettings {
    /// The same with every number finite and every name short.
    pub fn sanitized(&self) -> Self {
        let default = Self::default();
        let name = |name: &String| name.chars().take(MAX_NAME).collect();
        let number = |number: f64| Some(number).filter(|n| n.is_finite()).map(|n| n.clamp(0.0, MAX_NUMBER));
        Self {
            preset: name(&self.preset),
            width: name(&self.width),
            kimg: number(self.kimg).unwrap_or(default.kimg),
            gamma: self.gamma.and_then(number),
            learning_rate: self.learning_rate.and_then(number),
            flops_per_second: self.flops_per_second.filter(|rate| rate.is_finite()),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_values_are_tamed_and_what_is_unknown_stays_text() {
        let wild = TrainingSettings {
            preset: "x".repeat(1000),
            kimg: f64::NAN,
            gamma: Some(f64::INFINITY),
            ..TrainingSettings::default()
        };
        let tame = wild.sanitized();
        assert_eq!((tame.preset.len(), tame.kimg, tame.gamma), (MAX_NAME, 100.0, None));
        let text = serde_json::to_string(&tame).unwrap();
        assert_eq!(serde_json::from_str::<TrainingSettings>(&text).unwrap(), tame);
        assert_eq!(serde_json::from_str::<TrainingSettings>("{}").unwrap(), TrainingSettings::default());
    }
}
