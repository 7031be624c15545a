//! What the window knows of a training: plain numbers and paths, made from the events of its thread.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::curves::{self, Chart};
use crate::{
    checkpoint::SnapshotFile,
    training::{
        Progress, TrainConfig,
        diagnosis::{Finding, diagnose},
        history::HistoryLine,
        preflight::remaining_seconds,
        session::{EmaSnapshot, Past, TrainEvent},
    },
};

/// How often the numbers of a running training are looked at.
pub const REFRESH: Duration = Duration::from_millis(250);
/// Progress older than this says nothing about the speed now.
const PACE_WINDOW: Duration = Duration::from_secs(10);

/// Where a training stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Its networks are being made.
    Starting,
    /// It runs.
    Running,
    /// It waits; with a reason if something failed.
    Paused(Option<String>),
    /// It was told to stop and is saving; with a reason if that does not work.
    Stopping(Option<String>),
    /// It has ended.
    Ended {
        /// Whether the whole length was trained.
        complete: bool,
    },
    /// It failed.
    Failed {
        /// What happened, with its causes.
        error: String,
        /// What to try.
        proposal: String,
    },
}

impl Phase {
    /// Whether a thread is at work for it.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused(_) | Self::Stopping(_))
    }
}

/// A training as the window shows it.
#[derive(Debug, Clone)]
pub struct TrainingView {
    /// The folder of the run.
    pub folder: PathBuf,
    /// Where it stands.
    pub phase: Phase,
    /// What decides its result, once that is known.
    pub config: Option<Arc<TrainConfig>>,
    /// Values that learn: generator and discriminator.
    pub parameters: Option<[usize; 2]>,
    /// What was noticed on the way, oldest first.
    pub notes: Vec<String>,
    /// Where it is now.
    pub progress: Progress,
    /// Images in all.
    pub total: u64,
    /// A line a tick, oldest first, those before a resume among them.
    pub history: Vec<HistoryLine>,
    /// The history as charts.
    pub charts: Vec<Chart>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// Seconds for a thousand images, in the last tick; before the first one of a few timed steps.
    pub sec_per_kimg: Option<f64>,
    /// Snapshots of the generator, oldest first.
    pub snapshots: Vec<SnapshotFile>,
    /// The newest picture of the grid.
    pub sample: Option<PathBuf>,
    /// The newest moving average of the generator; a new one after every tick.
    pub ema: Option<Arc<EmaSnapshot>>,
    /// Progress of the last seconds, oldest first.
    pace: VecDeque<(Instant, Progress)>,
}

impl TrainingView {
    /// A training in this folder of which nothing was heard yet.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            phase: Phase::Starting,
            config: None,
            parameters: None,
            notes: Vec::new(),
            progress: Progress::default(),
            total: 0,
            history: Vec::new(),
            charts: curves::charts(&[]),
            findings: Vec::new(),
            sec_per_kimg: None,
            snapshots: Vec::new(),
            sample: None,
            ema: None,
            pace: VecDeque::new(),
        }
    }

    /// Takes over what the training told.
    pub fn on_event(&mut self, event: TrainEvent) {
        match event {
            TrainEvent::Begun { parameters, nimg, total, notes, past } => {
                let Past { config, history, snapshots, sample } = *past;
                self.phase = Phase::Running;
                self.parameters = Some(parameters);
                self.progress.nimg = nimg;
                (self.total, self.notes) = (total, notes);
                (self.history, self.snapshots, self.sample) = (history, snapshots, sample);
                self.config = Some(Arc::new(config));
                self.look_at_history();
            }
            TrainEvent::Speed { sec_per_kimg, .. } => self.sec_per_kimg = Some(sec_per_kimg),
            TrainEvent::Tick { line, sec_per_kimg, .. } => {
                self.sec_per_kimg = Some(sec_per_kimg);
                self.history.push(line);
                self.look_at_history();
            }
            TrainEvent::Sample(path) => self.sample = Some(path),
            TrainEvent::Snapshot(path) => {
                let known = |file: &SnapshotFile| file.path == path;
                // One that was asked for between two ticks may be written again at the end.
                if !self.snapshots.iter().any(known) {
                    self.snapshots.extend(SnapshotFile::of(&path));
                    self.snapshots.sort();
                }
            }
            TrainEvent::Checkpoint(_) => {}
            TrainEvent::Notice(notice) => {
                self.notes.retain(|known| *known != notice);
                self.notes.push(notice);
            }
            TrainEvent::Paused(reason) => match &mut self.phase {
                // A pause that was told before the training heard of the stop is over; a reason is trouble with the saving.
                Phase::Stopping(trouble) => *trouble = reason,
                phase => *phase = Phase::Paused(reason),
            },
            TrainEvent::Resumed if matches!(self.phase, Phase::Stopping(_)) => self.phase = Phase::Stopping(None),
            TrainEvent::Resumed => self.phase = Phase::Running,
            TrainEvent::Ended { nimg, complete } => {
                self.progress.nimg = nimg;
                self.phase = Phase::Ended { complete };
            }
            TrainEvent::Failed { error, proposal } => self.phase = Phase::Failed { error, proposal },
        }
    }

    fn look_at_history(&mut self) {
        self.charts = curves::charts(&self.history);
        self.findings = self.config.as_ref().map_or_else(Vec::new, |config| diagnose(config, &self.history));
    }

    /// Takes over where the training is now.
    pub fn on_progress(&mut self, now: Instant, progress: Progress) {
        if self.phase != Phase::Running {
            self.pace.clear();
        } else if self.pace.back().is_none_or(|(_, last)| *last != progress) {
            self.pace.push_back((now, progress));
            let is_old = |(at, _): &(Instant, Progress)| now.saturating_duration_since(*at) > PACE_WINDOW;
            // Two are needed for a speed, however long an iteration takes.
            while self.pace.len() > 2 && self.pace.front().is_some_and(is_old) {
                self.pace.pop_front();
            }
        }
        self.progress = progress;
    }

    /// Iterations a second now; `None` while it does not run.
    pub fn iterations_per_second(&self) -> Option<f64> {
        let ((first, from), (last, to)) = (self.pace.front()?, self.pace.back()?);
        let seconds = last.saturating_duration_since(*first).as_secs_f64();
        (seconds > 0.0).then(|| to.iteration.saturating_sub(from.iteration) as f64 / seconds)
    }

    /// Seconds until the end, at the speed of the last tick.
    pub fn remaining(&self) -> Option<f64> {
        let (config, seconds) = (self.config.as_ref()?, self.sec_per_kimg?);
        Some(remaining_seconds(config, self.progress.nimg, seconds / 1000.0))
    }

    /// Thousands of images at which snapshots are still to come, at most `most` of them.
    pub fn coming_snapshots(&self, most: usize) -> Vec<f64> {
        let Some(config) = &self.config else { return Vec::new() };
        let interval = config.intervals.tick_kimg * f64::from(config.intervals.snapshot_ticks.max(1));
        let (now, end) = (self.progress.nimg as f64 / 1000.0, self.total as f64 / 1000.0);
        if interval <= 0.0 {
            return Vec::new();
        }
        let first = (now / interval).floor() + 1.0;
        let due = (0..most).map(|i| (first + i as f64) * interval).take_while(|kimg| *kimg < end);
        due.chain(Some(end).filter(|end| *end > now)).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::preset::{Preset, PresetOptions};

    fn begun() -> TrainingView {
        let config = Preset::StyleGan2E.build(&PresetOptions { kimg: 1.0, ..PresetOptions::default() }).unwrap();
        let past = Past { config, history: Vec::new(), snapshots: Vec::new(), sample: None };
        let mut view = TrainingView::new("/run".into());
        view.on_event(TrainEvent::Begun {
            parameters: [2, 3],
            nimg: 0,
            total: 1000,
            notes: Vec::new(),
            past: Box::new(past),
        });
        view
    }

    #[test]
    fn events_become_a_picture_of_the_training() {
        let mut view = TrainingView::new("/run".into());
        assert!(view.phase.is_active() && view.remaining().is_none());
        view = begun();
        assert_eq!(view.phase, Phase::Running);
        for nimg in [300, 100, 300] {
            view.on_event(TrainEvent::Snapshot(format!("/run/snapshots/{nimg:09}.safetensors").into()));
        }
        let numbers: Vec<u64> = view.snapshots.iter().map(|file| file.nimg).collect();
        assert_eq!(numbers, [100, 300]);
        let line = HistoryLine { nimg: 100, ..HistoryLine::default() };
        view.on_event(TrainEvent::Tick { line: line.clone(), sec_per_kimg: 8.0, remaining: 0.0 });
        assert_eq!((view.history.as_slice(), view.remaining()), (&[line][..], Some(8.0)));
        view.on_event(TrainEvent::Paused(None));
        assert_eq!(view.phase, Phase::Paused(None));
        // What was told before the training heard of the stop does not take it back.
        view.phase = Phase::Stopping(None);
        view.on_event(TrainEvent::Resumed);
        view.on_event(TrainEvent::Paused(Some("full".into())));
        assert_eq!(view.phase, Phase::Stopping(Some("full".into())));
        view.on_event(TrainEvent::Ended { nimg: 500, complete: false });
        assert!(!view.phase.is_active());
        assert_eq!(view.progress.nimg, 500);
    }

    #[test]
    fn the_pace_is_that_of_the_last_seconds() {
        let mut view = begun();
        assert_eq!(view.iterations_per_second(), None);
        let start = Instant::now();
        for second in 0..30u64 {
            let iteration = if second < 15 { second } else { 15 + 2 * (second - 15) };
            view.on_progress(start + Duration::from_secs(second), Progress { nimg: 8 * iteration, iteration });
        }
        let pace = view.iterations_per_second().unwrap();
        assert!((pace - 2.0).abs() < 0.01, "{pace}");
        view.on_event(TrainEvent::Paused(None));
        view.on_progress(start + Duration::from_secs(31), view.progress);
        assert_eq!(view.iterations_per_second(), None);
    }

    #[test]
    fn snapshots_to_come_end_with_the_training() {
        let mut view = begun();
        // A tick is a fiftieth of the training, and every fifth has a snapshot.
        assert_eq!(view.coming_snapshots(3), [0.1, 0.2, 0.30000000000000004]);
        view.progress.nimg = 850;
        assert_eq!(view.coming_snapshots(8), [0.9, 1.0]);
        view.progress.nimg = 1000;
        assert!(view.coming_snapshots(8).is_empty());
    }
}
