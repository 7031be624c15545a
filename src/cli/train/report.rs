//! What a training tells, line by line on standard error.

use std::{
    collections::BTreeSet,
    io::IsTerminal,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crossbeam_channel::RecvTimeoutError;

use crate::{
    base::numbers::duration,
    training::{
        TrainConfig,
        diagnosis::{Control, FindingKind, diagnose},
        history::HistoryLine,
        session::{TrainCommand, TrainEvent, TrainingSession},
    },
};

/// Prints what the training tells until it ends.
///
/// # Errors
/// What ended the training before its time.
pub(super) fn follow(session: &TrainingSession, config: &TrainConfig, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let mut report = Report { config, history: Vec::new(), told: BTreeSet::new(), total: config.total_images() };
    let mut stopping = false;
    loop {
        if interrupted.load(Ordering::Relaxed) && !stopping {
            stopping = true;
            eprintln!("\nsaving; press Ctrl-C again to end at once");
            session.send(TrainCommand::Stop);
        }
        let event = match session.events().recv_timeout(Duration::from_millis(100)) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the training ended without a word"),
        };
        match event {
            TrainEvent::Begun { nimg, total, notes, past, .. } => {
                notes.iter().for_each(|note| eprintln!("{note}"));
                eprintln!("{:.1} of {:.1} kimg done", kimg(nimg), kimg(total));
                report.history = past.history;
            }
            TrainEvent::Speed { sec_per_kimg, remaining } => {
                eprintln!("{sec_per_kimg:.1} s/kimg, so about {} to go", duration(remaining));
            }
            TrainEvent::Tick { line, sec_per_kimg, remaining } => report.tick(line, sec_per_kimg, remaining),
            TrainEvent::Sample(_) | TrainEvent::Snapshot(_) | TrainEvent::Checkpoint(_) | TrainEvent::Resumed => {}
            TrainEvent::Notice(notice) => eprintln!("\n{notice}"),
            TrainEvent::Paused(Some(reason)) => eprintln!("\npaused: {reason}; trying again every half minute"),
            TrainEvent::Paused(None) => eprintln!("\npaused"),
            TrainEvent::Ended { nimg, complete } => {
                let word = if complete { "done" } else { "saved and ended" };
                eprintln!("\n{word} after {:.1} kimg", kimg(nimg));
                return Ok(());
            }
            TrainEvent::Failed { error, proposal } => anyhow::bail!("{error}. {proposal}"),
        }
    }
}

/// What has been told so far.
struct Report<'a> {
    config: &'a TrainConfig,
    history: Vec<HistoryLine>,
    told: BTreeSet<FindingKind>,
    total: u64,
}

impl Report<'_> {
    /// The line of a tick, and what has been found for the first time.
    fn tick(&mut self, line: HistoryLine, sec_per_kimg: f64, remaining: f64) {
        // Regularisers do not run in every tick.
        let value = |name: &str, digits: usize| match line.values.get(name) {
            Some(value) => format!("{value:.digits$}"),
            None => "-".to_owned(),
        };
        let p = line.values.get("ada_p").map_or_else(String::new, |p| format!("  p {p:.3}"));
        let (begin, end) = if std::io::stderr().is_terminal() { ("\r\x1b[K", "") } else { ("", "\n") };
        eprint!(
            "{begin}kimg {:.1}/{:.1}  {sec_per_kimg:.1} s/kimg  G {}  D {}  r1 {}  pl {}  sign {}  div {}{p}  left {}{end}",
            kimg(line.nimg),
            kimg(self.total),
            value("loss_g", 3),
            value("loss_d", 3),
            value("r1", 4),
            value("path_length", 3),
            value("sign_real", 2),
            value("diversity", 2),
            duration(remaining),
        );
        self.history.push(line);
        for finding in diagnose(self.config, &self.history) {
            if self.told.insert(finding.kind) {
                eprintln!("\n{} {}{}", finding.sentence, finding.advice, option(finding.control));
            }
        }
    }
}

/// The option of a setting.
fn option(control: Control) -> &'static str {
    match control {
        Control::Gamma => " (--gamma)",
        Control::Ada => " (--ada)",
        Control::Batch => " (--batch)",
        Control::LearningRate => " (--lr)",
        Control::Data => " (--data)",
        Control::Length => " (--kimg)",
    }
}

fn kimg(images: u64) -> f64 {
    images as f64 / 1000.0
}
