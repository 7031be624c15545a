//! A pose as text: what a saved picture carries and what the clipboard holds.

use serde::{Deserialize, Serialize};

use super::pose::Pose;

/// The version of the text that this program writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Longest text that is read, in bytes. A pose with every channel of the largest network moved is shorter.
pub const MAX_TEXT_BYTES: usize = 8 << 20;
/// Longest name that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;

/// A pose with a note of where it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoseRecord {
    /// [`FORMAT_VERSION`] of the program that wrote it.
    pub format_version: u32,
    /// The pose; within its ranges when it was read.
    pub pose: Pose,
    /// The name of the model that was open, for people.
    #[serde(default)]
    pub model_name: String,
    /// Tells whether a model is the same one, where that is known.
    #[serde(default)]
    pub model_fingerprint: Option<String>,
    /// The version of the program that wrote it.
    #[serde(default)]
    pub app_version: String,
}

/// Why a text is not a pose that can be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is longer than any pose.
    #[error("the pose is {bytes} bytes long, more than the {MAX_TEXT_BYTES} that a pose can have")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is not JSON, or values have other types.
    #[error("this is not a pose that Stylescope wrote: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A newer program wrote it.
    #[error(
        "the pose has format version {found}, this program reads up to {FORMAT_VERSION}: \
         open it with a newer Stylescope (it was written by {app_version})"
    )]
    NewerVersion {
        /// Its format version.
        found: u32,
        /// The program that wrote it.
        app_version: String,
    },
}

impl PoseRecord {
    /// A record of `pose` as this program writes it.
    pub fn new(pose: Pose, model_name: impl Into<String>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            pose,
            model_name: model_name.into(),
            model_fingerprint: None,
            app_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The record as JSON on one line.
    ///
    /// # Errors
    /// A number in the pose cannot be written; none that is within its range.
    pub fn to_text(&self) -> Result<String, RecordError> {
        Ok(serde_json::to_string(self)?)
    }

    /// Reads [`PoseRecord::to_text`], or what a stranger made to look like it: length and nesting are bounded,
    /// unknown fields are ignored, and the pose comes out [sanitized](Pose::sanitized).
    ///
    /// # Errors
    /// Text that is no pose, and poses of newer programs.
    pub fn from_text(text: &str) -> Result<Self, RecordError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Header {
            format_version: u32,
        }
        /// What every version may have.
        #[derive(Deserialize)]
        struct Writer {
            app_version: String,
        }
        if text.len() > MAX_TEXT_BYTES {
            return Err(RecordError::TooLong { bytes: text.len() });
        }
        // The version comes first: a newer record may have other types, and "malformed" would be the wrong word for it.
        let header: Header = serde_json::from_str(text)?;
        if header.format_version > FORMAT_VERSION {
            let writer = serde_json::from_str::<Writer>(text);
            let app_version = writer.map_or_else(|_| "an unknown version".to_owned(), |w| name(&w.app_version));
            return Err(RecordError::NewerVersion { found: header.format_version, app_version });
        }
        let record: Self = serde_json::from_str(text)?;
        Ok(Self {
            pose: record.pose.sanitized(),
            model_name: name(&record.model_name),
            model_fingerprint: record.model_fingerprint.as_deref().map(name),
            app_version: name(&record.app_version),
            ..record
        })
    }
}

/// A pose as text for the clipboard.
///
/// # Errors
/// As [`PoseRecord::to_text`].
pub fn pose_to_text(pose: &Pose, model_name: &str) -> Result<String, RecordError> {
    PoseRecord::new(pose.clone(), model_name).to_text()
}

/// A pose from the clipboard, space around it allowed.
///
/// # Errors
/// As [`PoseRecord::from_text`].
pub fn pose_from_text(text: &str) -> Result<Pose, RecordError> {
    Ok(PoseRecord::from_text(text.trim())?.pose)
}

/// A stranger's text as one that may stand in a status line.
fn name(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect()
}

#[cfg(test)]
#[path = "../../tests/processor_time/mod.rs"]
mod processor_time;

#[cfg(test)]
mod tests {
    use super::{processor_time::ProcessorTime, *};
    use crate::session::pose::{Noise, NoiseMode, SeedPosition, StyleMix, Truncation};

    fn busy_pose() -> Pose {
        Pose {
            seed: SeedPosition { x: -12.345678, y: 0.1 },
            class: 3,
            truncation: Truncation { psi: 0.7, cutoff: Some(8) },
            mix: StyleMix { seed: u32::MAX, amounts: [(0, 1.0), (3, 1.0 / 3.0)].into(), muted: [3].into() },
            noise: Noise { mode: NoiseMode::Random, seed: 9, strength: 0.1, turn: 0.3 },
            layer_psi: [(2, -0.123_456_79)].into(),
            layer_noise: [(5, 0.0)].into(),
            w_offsets: [(1, [(511, 1e-7), (0, -3.3)].into())].into(),
            style_offsets: [(25, [(1023, 9_999.999)].into())].into(),
        }
    }

    #[test]
    fn a_pose_survives_the_way_through_text_exactly() {
        let mut record = PoseRecord::new(busy_pose(), "faces");
        record.model_fingerprint = Some("12ab".into());
        assert_eq!(PoseRecord::from_text(&record.to_text().unwrap()).unwrap(), record);
        let text = format!("\n {} ", pose_to_text(&busy_pose(), "faces").unwrap());
        assert_eq!(pose_from_text(&text).unwrap(), busy_pose());
        // Positions that dragging and animation produce, and floats in all parts of their ranges.
        for i in 0..20_000_u32 {
            let random = i.wrapping_mul(2_654_435_761);
            let pose = Pose {
                seed: SeedPosition { x: f64::from(random) * 0.937_711_3, y: f64::from(i) * 0.000_123_7 },
                layer_psi: [(0, random as f32 / u32::MAX as f32 * 3.0 - 1.0)].into(),
                w_offsets: [(0, [(0, f32::from_bits(random % 0x461c_4000).max(1e-20))].into())].into(),
                ..Pose::default()
            };
            let pose = pose.sanitized();
            assert_eq!(pose_from_text(&pose_to_text(&pose, "").unwrap()).unwrap(), pose);
        }
    }

    #[test]
    fn fields_may_be_missing_or_unknown() {
        let record =
            PoseRecord::from_text(r#"{"format_version": 1, "pose": {"class": 2, "mood": [1]}, "x": {}}"#).unwrap();
        assert_eq!(record.pose, Pose { class: 2, ..Pose::default() });
        assert_eq!(record.model_name, "");
    }

    #[test]
    fn a_newer_version_says_what_to_do() {
        for text in [
            r#"{"format_version": 2, "pose": "a compact form", "app_version": "3.1.0"}"#,
            r#"{"format_version": 4294967295, "app_version": "3.1.0\n"}"#,
        ] {
            let message = PoseRecord::from_text(text).unwrap_err().to_string();
            assert!(message.contains("newer Stylescope") && message.ends_with("3.1.0)"), "{message}");
        }
    }

    #[test]
    fn the_longest_texts_are_read_at_once() {
        for (start, item, end) in [
            (r#"{"format_version": 9, "app_version": ["#, "0,", "0]}"),
            (r#"{"format_version": 1, "pose": {"mix": {"muted": ["#, "0,", "0]}}}"),
            (r#"{"format_version": 1, "pose": {"w_offsets": {"#, r#""77":{"0":1},"#, r#""0":{}}}}"#),
            (r#"{"format_version": 1, "pose": {"w_offsets": {"1": {"#, r#""77":1,"#, r#""0":0}}}}"#),
        ] {
            let text = format!("{start}{}{end}", item.repeat((MAX_TEXT_BYTES - 100) / item.len()));
            let before = ProcessorTime::start();
            let _ = std::hint::black_box(PoseRecord::from_text(&text));
            assert!(before.elapsed().as_secs_f32() < 1.0, "{start} took {:?}", before.elapsed());
        }
    }

    #[test]
    fn strangers_are_read_strictly() {
        let deep = format!(r#"{{"format_version": 1, "pose": {}"#, "[".repeat(100_000));
        let deep_in_a_known_field = format!(r#"{{"app_version": {}"#, r#"{"a":"#.repeat(100_000));
        for bad in [
            "",
            "null",
            "85",
            "[]",
            "{}",
            r#"{"format_version": 1}"#,
            r#"{"format_version": -1, "pose": {}}"#,
            r#"{"format_version": 1, "pose": {"truncation": {"psi": NaN}}}"#,
            r#"{"format_version": 1, "pose": {"truncation": {"psi": 1e999}}}"#,
            r#"{"format_version": 1, "pose": {"seed": {"x": "3"}}}"#,
            r#"{"format_version": 1, "pose": {"class": -1}}"#,
            r#"{"format_version": 1, "pose": {"layer_psi": {"-1": 0.5}}}"#,
            r#"{"format_version": 1, "format_version": 1, "pose": {}}"#,
            r#"{"format_version": 1, "pose": {}} {}"#,
            "\u{feff}{\"format_version\": 1, \"pose\": {}}",
            &deep,
            &deep_in_a_known_field,
        ] {
            let error = PoseRecord::from_text(bad).unwrap_err();
            assert!(matches!(error, RecordError::Malformed(_)), "{error}");
        }
        let long = " ".repeat(MAX_TEXT_BYTES + 1);
        assert!(matches!(PoseRecord::from_text(&long), Err(RecordError::TooLong { .. })));
    }

    #[test]
    fn values_are_clamped_and_names_are_made_harmless() {
        let text = r#"{"format_version": 1, "model_name": "a\u0000\u001b[31mb", "pose": {"truncation": {"psi": 1e300},
            "noise": {"strength": 40}, "mix": {"amounts": {"0": 7, "18446744073709551615": 1}}}}"#;
        let record = PoseRecord::from_text(text).unwrap();
        assert_eq!((record.pose.truncation.psi, record.pose.noise.strength), (1.0, 2.0));
        assert_eq!(record.pose.mix.amounts, [(0, 1.0)].into());
        assert_eq!(record.model_name, "a[31mb");
        let long = format!(r#"{{"format_version": 1, "pose": {{}}, "model_name": "{}"}}"#, "é".repeat(1000));
        assert_eq!(PoseRecord::from_text(&long).unwrap().model_name.chars().count(), MAX_NAME_CHARS);
    }

    #[test]
    fn the_largest_pose_fits() {
        let channels = |n: usize| (0..n).map(|channel| (channel, -9_999.999)).collect();
        let pose = Pose {
            w_offsets: (0..18).map(|ws| (ws, channels(4096))).collect(),
            style_offsets: (0..27).map(|layer| (layer, channels(8192))).collect(),
            ..busy_pose()
        };
        assert_eq!(pose_from_text(&pose_to_text(&pose, "").unwrap()).unwrap(), pose);
    }
}
