//! What the window remembers from one start to the next: from the state to the settings and back.

use egui::ThemePreference;

use super::{animation::Animation, performance::Performance, state::AppState, training::TrainingForm};
use crate::session::{
    Document, TrainingSettings,
    settings::{LastSession, SessionModel, Settings, ThemeChoice},
};

/// Names of the side panels among the settings.
const LEFT: &str = "left";
const RIGHT: &str = "right";
const DOCK: &str = "dock";

impl AppState {
    /// Takes over what was remembered, all but the last session.
    pub fn restore(&mut self, settings: &Settings) {
        self.theme = match settings.theme {
            ThemeChoice::Dark => ThemePreference::Dark,
            ThemeChoice::Light => ThemePreference::Light,
            ThemeChoice::System => ThemePreference::System,
        };
        let panel = |name: &str| settings.panels.get(name).copied().unwrap_or(true);
        self.left_panel = panel(LEFT);
        self.right_panel = panel(RIGHT);
        self.dock.open = settings.panels.get(DOCK).copied().unwrap_or(false);
        self.sections = settings.panels.clone();
        self.sections.retain(|name, _| ![LEFT, RIGHT, DOCK].contains(&name.as_str()));
        self.ui_scale = settings.ui_scale;
        self.recent = settings.recent.clone();
        self.open_dir = settings.last_open_dir.clone();
        self.capture_dir = settings.last_capture_dir.clone();
        self.window = settings.window;
        self.performance.fps_limit = settings.fps_limit;
        // A file from a machine with more processors asks for all that there are here.
        let all = Performance::max_threads();
        self.performance.threads = if settings.threads == 0 { all } else { settings.threads.min(all) };
        self.performance.vsync = settings.vsync;
        self.performance.half = settings.half;
        self.animation = Animation { seed_speed: settings.animation_speed, ..Animation::default() };
        self.last_session = settings.last_session.clone();
        self.training.form = TrainingForm::from_settings(&settings.training);
        self.training.flops_per_second = settings.training.flops_per_second.filter(|rate| *rate > 0.0);
    }

    /// Goes on with the pose of the last session.
    pub fn resume(&mut self, session: &LastSession) {
        self.document = Document::new(&session.pose);
    }

    /// What shall be remembered.
    pub fn settings(&self) -> Settings {
        let theme = match self.theme {
            ThemePreference::Dark => ThemeChoice::Dark,
            ThemePreference::Light => ThemeChoice::Light,
            ThemePreference::System => ThemeChoice::System,
        };
        let mut panels = self.sections.clone();
        panels.insert(LEFT.to_owned(), self.left_panel);
        panels.insert(RIGHT.to_owned(), self.right_panel);
        panels.insert(DOCK.to_owned(), self.dock.open);
        Settings {
            theme,
            recent: self.recent.clone(),
            last_open_dir: self.open_dir.clone(),
            last_capture_dir: self.capture_dir.clone(),
            window: self.window,
            fps_limit: self.performance.fps_limit,
            threads: if self.performance.threads == Performance::max_threads() { 0 } else { self.performance.threads },
            vsync: self.performance.vsync,
            half: self.performance.half,
            ui_scale: self.ui_scale,
            animation_speed: self.animation.seed_speed,
            panels,
            last_session: self.session(),
            training: TrainingSettings {
                flops_per_second: self.training.flops_per_second,
                ..self.training.form.settings()
            },
        }
    }

    fn session(&self) -> Option<LastSession> {
        // Until a model is open, what is remembered is what was open the last time.
        let Some(model) = &self.model else { return self.last_session.clone() };
        let model = model.path.clone().map_or(SessionModel::Bundled, SessionModel::File);
        Some(LastSession { model, pose: self.pose().clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        session::{PoseEdit, settings::WindowSize},
        ui::state::DeviceLine,
    };

    #[test]
    fn what_is_remembered_comes_back() {
        let settings = Settings {
            theme: ThemeChoice::Light,
            recent: vec!["/models/a.pkl".into()],
            last_open_dir: Some("/models".into()),
            last_capture_dir: Some("/pictures".into()),
            window: Some(WindowSize { width: 900.0, height: 700.0, maximized: false }),
            fps_limit: 30,
            threads: 0,
            vsync: false,
            half: true,
            ui_scale: 1.5,
            animation_speed: -2.0,
            panels: [(LEFT, false), (RIGHT, true), (DOCK, true), ("Noise", false)]
                .map(|(name, open)| (name.to_owned(), open))
                .into(),
            last_session: Some(LastSession { model: SessionModel::Bundled, pose: Default::default() }),
            training: TrainingSettings { batch: 4, data: Some("/images".into()), ..TrainingSettings::default() },
        };
        let mut state = AppState::new(DeviceLine::default());
        state.restore(&settings);
        assert_eq!(state.settings(), settings);
    }

    #[test]
    fn the_pose_of_the_last_session_has_no_history() {
        let mut pose = crate::session::Pose::default();
        PoseEdit::Psi(0.5).apply(&mut pose);
        let mut state = AppState::new(DeviceLine::default());
        state.resume(&LastSession { model: SessionModel::Bundled, pose: pose.clone() });
        assert_eq!(*state.pose(), pose);
        assert!(!state.document.can_undo());
    }
}
