//! What the program remembers from one start to the next.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{capped, pose::Pose, training_settings::TrainingSettings};

/// Files that the list of recent ones holds.
pub const MAX_RECENT: usize = 10;
/// Frames per second that the limit may be set to.
pub const FPS_LIMIT: RangeInclusive<u32> = 5..=1000;
/// Size of the controls against what the screen suggests.
pub const UI_SCALE: RangeInclusive<f32> = 0.5..=3.0;
/// Speed of the seed's animation, in seeds per second.
pub const ANIMATION_SPEED: RangeInclusive<f32> = -5.0..=5.0;
/// Sides of the window that are restored, in points.
const WINDOW_SIDE: RangeInclusive<f32> = 100.0..=16_384.0;
/// Panels whose state is kept; there are far fewer.
pub const MAX_PANELS: usize = 64;

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// Pictures look best on it.
    #[default]
    Dark,
    /// Dark text on white.
    Light,
    /// As the system has it.
    System,
}

/// The window's size when it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowSize {
    /// In points.
    pub width: f32,
    /// In points.
    pub height: f32,
    /// Whether it filled the screen.
    #[serde(default)]
    pub maximized: bool,
}

/// The model that was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionModel {
    /// The one that comes with the program.
    Bundled,
    /// A file.
    File(PathBuf),
}

/// What was open and how it was posed: restored at the next start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastSession {
    /// The model.
    pub model: SessionModel,
    /// Its pose.
    #[serde(default)]
    pub pose: Pose,
}

/// Everything that is remembered. Missing fields have their defaults and unknown ones are ignored, so that older and
/// newer programs read each other's files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light or dark.
    pub theme: ThemeChoice,
    /// Files that were opened, the latest first; at most [`MAX_RECENT`].
    #[serde(serialize_with = "utf8::paths", deserialize_with = "capped::recent")]
    pub recent: Vec<PathBuf>,
    /// Where the last model was opened from.
    #[serde(serialize_with = "utf8::path")]
    pub last_open_dir: Option<PathBuf>,
    /// Where the last picture was saved to.
    #[serde(serialize_with = "utf8::path")]
    pub last_capture_dir: Option<PathBuf>,
    /// The window.
    pub window: Option<WindowSize>,
    /// Frames per second, see [`FPS_LIMIT`].
    pub fps_limit: u32,
    /// Processors that may compute an image; 0: all.
    pub threads: u32,
    /// Whether frames wait for the screen.
    pub vsync: bool,
    /// Whether a GPU that can stores feature maps in 16 bits.
    pub half: bool,
    /// See [`UI_SCALE`].
    pub ui_scale: f32,
    /// See [`ANIMATION_SPEED`].
    pub animation_speed: f32,
    /// Whether panels and sections are open, by their names.
    #[serde(deserialize_with = "capped::panels")]
    pub panels: BTreeMap<String, bool>,
    /// What was open.
    #[serde(serialize_with = "utf8::session")]
    pub last_session: Option<LastSession>,
    /// What was chosen for the last training.
    pub training: TrainingSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            recent: Vec::new(),
            last_open_dir: None,
            last_capture_dir: None,
            window: None,
            fps_limit: 60,
            threads: 0,
            vsync: true,
            half: false,
            ui_scale: 1.0,
            animation_speed: 0.25,
            panels: BTreeMap::new(),
            last_session: None,
            training: TrainingSettings::default(),
        }
    }
}

impl Settings {
    /// Puts a file at the head of the recent ones.
    pub fn add_recent(&mut self, path: &Path) {
        self.remove_recent(path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(MAX_RECENT);
    }

    /// Takes a file off the recent ones, e.g. because it is gone.
    pub fn remove_recent(&mut self, path: &Path) {
        self.recent.retain(|recent| recent != path);
    }

    /// The same settings with every number in its range and every list within its length.
    pub fn sanitized(&self) -> Self {
        let default = Self::default();
        let mut recent: Vec<PathBuf> = Vec::new();
        for path in &self.recent {
            if recent.len() < MAX_RECENT && !recent.contains(path) {
                recent.push(path.clone());
            }
        }
        let clamp = |value: f32, range: RangeInclusive<f32>, default: f32| {
            if value.is_finite() { value.clamp(*range.start(), *range.end()) } else { default }
        };
        Self {
            recent,
            window: self.window.filter(|w| WINDOW_SIDE.contains(&w.width) && WINDOW_SIDE.contains(&w.height)),
            fps_limit: self.fps_limit.clamp(*FPS_LIMIT.start(), *FPS_LIMIT.end()),
            ui_scale: clamp(self.ui_scale, UI_SCALE, default.ui_scale),
            animation_speed: clamp(self.animation_speed, ANIMATION_SPEED, default.animation_speed),
            panels: self.panels.iter().take(MAX_PANELS).map(|(name, open)| (name.clone(), *open)).collect(),
            last_session: self
                .last_session
                .as_ref()
                .map(|last| LastSession { model: last.model.clone(), pose: last.pose.sanitized() }),
            training: self.training.sanitized(),
            ..self.clone()
        }
    }
}

/// JSON has no place for paths that are not Unicode, which Linux allows. They are left out; failing to save
/// everything else because of them would be worse.
pub(super) mod utf8 {
    use std::path::PathBuf;

    use serde::{Serialize, Serializer};

    use super::{LastSession, SessionModel};

    pub fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().filter_map(|path| path.to_str()))
    }

    pub fn path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_ref().and_then(|path| path.to_str()).serialize(serializer)
    }

    pub fn session<S: Serializer>(session: &Option<LastSession>, serializer: S) -> Result<S::Ok, S::Error> {
        let writable = |session: &&LastSession| match &session.model {
            SessionModel::Bundled => true,
            SessionModel::File(path) => path.to_str().is_some(),
        };
        session.as_ref().filter(writable).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::pose::Truncation;

    #[test]
    fn settings_survive_json() {
        let settings = Settings {
            theme: ThemeChoice::Light,
            recent: vec!["/a b/ü.pkl".into(), "relative.pt".into()],
            last_capture_dir: Some("/pictures".into()),
            window: Some(WindowSize { width: 1280.5, height: 720.0, maximized: true }),
            fps_limit: 144,
            vsync: false,
            half: true,
            ui_scale: 1.1,
            panels: [("truncation".to_owned(), false)].into(),
            last_session: Some(LastSession {
                model: SessionModel::File("/a b/ü.pkl".into()),
                pose: Pose { truncation: Truncation { psi: 0.7, cutoff: None }, ..Pose::default() },
            }),
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
        assert_eq!(settings.sanitized(), settings);
        assert_eq!(serde_json::from_str::<Settings>(r#"{"some_future_field": 3}"#).unwrap(), Settings::default());
    }

    #[test]
    fn recent_files_are_few_and_each_is_there_once() {
        let mut settings = Settings::default();
        for i in 0..15 {
            settings.add_recent(Path::new(&format!("/{i}")));
        }
        settings.add_recent(Path::new("/7"));
        let names = |settings: &Settings| -> Vec<String> {
            settings.recent.iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(names(&settings), ["/7", "/14", "/13", "/12", "/11", "/10", "/9", "/8", "/6", "/5"]);
        settings.remove_recent(Path::new("/14"));
        assert_eq!(names(&settings)[..2], ["/7", "/13"]);
    }

    #[test]
    fn wild_values_are_tamed() {
        let wild = Settings {
            fps_limit: 0,
            ui_scale: f32::NAN,
            animation_speed: -1e30,
            window: Some(WindowSize { width: 1e30, height: 720.0, maximized: false }),
            recent: vec!["/a".into(); 1000],
            panels: (0..1000).map(|i| (i.to_string(), true)).collect(),
            ..Settings::default()
        };
        let tame = wild.sanitized();
        assert_eq!((tame.fps_limit, tame.ui_scale, tame.animation_speed), (5, 1.0, -5.0));
        assert_eq!((tame.window, tame.recent.len(), tame.panels.len()), (None, 1, MAX_PANELS));
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_json_cannot_hold_are_left_out() {
        use std::os::unix::ffi::OsStringExt;
        let odd = PathBuf::from(std::ffi::OsString::from_vec(vec![b'/', 0xff]));
        let settings = Settings {
            recent: vec![odd.clone(), "/a".into()],
            last_open_dir: Some(odd.clone()),
            last_session: Some(LastSession { model: SessionModel::File(odd), pose: Pose::default() }),
            ..Settings::default()
        };
        let read: Settings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(read, Settings { recent: vec!["/a".into()], ..Settings::default() });
    }
}
