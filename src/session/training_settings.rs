//! What was chosen for the last training. Names stand as text: a preset that this program does not know (any more) must not
//! cost the other settings.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

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
    /// The loss's name on the command line; `None` is the preset's.
    pub loss: Option<String>,
    /// `off`, `adaptive` or `fixed`: how augmentation is decided.
    #[serde(deserialize_with = "ada")]
    pub ada: String,
    /// The probability where it is fixed.
    pub ada_p: f64,
    /// Whether networks learn the classes of the images.
    pub classes: bool,
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
            loss: None,
            ada: "off".to_owned(),
            ada_p: 0.2,
            classes: false,
            seed: 0,
            runs: None,
            last_run: None,
            flops_per_second: None,
        }
    }
}

/// The name, or what once was a switch between `off` and `adaptive`.
fn ada<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Known {
        Name(String),
        Switch(bool),
    }
    Ok(match Known::deserialize(deserializer)? {
        Known::Name(name) => name,
        Known::Switch(on) => if on { "adaptive" } else { "off" }.to_owned(),
    })
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
            loss: self.loss.as_ref().map(name),
            ada: name(&self.ada),
            ada_p: number(self.ada_p).unwrap_or(default.ada_p),
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
        let switch = |text: &str| serde_json::from_str::<TrainingSettings>(text).unwrap().ada;
        assert_eq!(
            [r#"{"ada": true}"#, r#"{"ada": false}"#, r#"{"ada": "fixed"}"#].map(switch),
            ["adaptive", "off", "fixed"]
        );
    }
}
