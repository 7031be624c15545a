//! What a history says about a training, in plain words: what is wrong, and what to do about it.
//!
//! Everything is judged by the mean of the newest [`RECENT`] lines, because single ticks are noisy; those within the first tick are
//! noisier still, and count only for what breaks a training, which is told sooner.

use super::{
    config::{Ada, DatasetSource, Loss, TrainConfig},
    history::HistoryLine,
};
use crate::base::numbers::short;

/// Lines that a judgement rests on.
pub const RECENT: usize = 5;
/// Measurements of quality that a history may hold, with whether less is better.
pub const METRICS: [(&str, bool); 5] =
    [("fid", true), ("kid", true), ("ppl", true), ("precision", false), ("recall", false)];
/// Thousands of images in which a training finds its feet: only what breaks it is told before.
const WARM_UP_KIMG: f64 = 20.0;
/// A mean sign beyond this means that the discriminator is right about all but a twentieth of the images.
const SURE: f64 = 0.9;
/// Losses of networks that learn stay far below.
const DIVERGED: f64 = 1e3;
/// Lines in a row with such a loss.
const RUNAWAY: usize = 3;
/// Above this probability augmentations begin to show in what is generated (arXiv 2006.06676, section 2.2).
const ADA_CEILING: f64 = 0.8;
/// Share of the time that may be spent waiting for images.
const DATA_SHARE: f64 = 0.2;
/// Generated images that differ less than this share of what real ones do are all alike.
const ALIKE: f64 = 0.3;
/// A fall of the diversity to this share of its best is a collapse.
const FALL: f64 = 0.5;
/// Measurements without progress after which more of the same is not worth while.
const PATIENCE: usize = 10;
/// Progress, as a share of the best value so far.
const PROGRESS: f64 = 0.01;

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The kind, the same for as long as the finding holds.
    pub kind: FindingKind,
    /// What is the case, with its numbers.
    pub sentence: String,
    /// What to do.
    pub advice: String,
    /// The setting that does it.
    pub control: Control,
}

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FindingKind {
    /// A value is NaN or infinite.
    NotFinite,
    /// The losses grow without bound.
    Diverging,
    /// The generated images are, or have become, alike.
    DiversityCollapse,
    /// The discriminator is sure of everything, so the generator learns little from it.
    Overconfident,
    /// ADA augments so much that it may show.
    AdaAtCeiling,
    /// Steps wait for images.
    SlowData,
    /// A measurement of quality does not get better any more.
    NoProgress,
}

/// The settings that findings point to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// The weight of R1.
    Gamma,
    /// The augmentation.
    Ada,
    /// Images of a step.
    Batch,
    /// Both learning rates.
    LearningRate,
    /// The images.
    Data,
    /// The length of the training.
    Length,
}

/// All that the newest lines of `history`, oldest first, give reason for, the worst first.
pub fn diagnose(config: &TrainConfig, history: &[HistoryLine]) -> Vec<Finding> {
    type Rule = fn(&TrainConfig, &[HistoryLine]) -> Option<Finding>;
    let rules: [Rule; 5] = [slow_data, diversity, overconfident, ada_at_ceiling, no_progress];
    let warm_up = (0.05 * config.kimg).min(WARM_UP_KIMG) * 1000.0;
    let settled = history.last().is_some_and(|line| line.nimg as f64 >= warm_up);
    let rules = if settled { &rules[..] } else { &rules[..1] };
    let first = history.partition_point(|line| (line.nimg as f64) < config.intervals.tick_kimg * 1000.0);
    let whole = history.get(first..).unwrap_or_default();
    let found = rules.iter().filter_map(|rule| rule(config, whole));
    breakdown(config, history).into_iter().chain(found).collect()
}

/// The finding of a training that had to stop because its losses are no numbers any more.
pub fn not_finite(config: &TrainConfig, nimg: u64) -> Finding {
    Finding {
        kind: FindingKind::NotFinite,
        sentence: format!("The losses are no numbers any more after {:.1} thousand images.", nimg as f64 / 1000.0),
        advice: format!("Resume from the last checkpoint, which is kept, with {}.", steadier(config)),
        control: Control::LearningRate,
    }
}

/// The mean of a value over the newest lines that have it; `None` before there are enough.
fn recent(history: &[HistoryLine], name: &str) -> Option<f64> {
    Some(newest(history, name, RECENT)?.iter().sum::<f64>() / RECENT as f64)
}

/// A value of the newest `count` lines that have it; `None` before there are as many.
fn newest(history: &[HistoryLine], name: &str, count: usize) -> Option<Vec<f64>> {
    let newest: Vec<f64> = values(history, name).rev().take(count).collect();
    (newest.len() == count).then_some(newest)
}

fn values<'a>(history: &'a [HistoryLine], name: &'a str) -> impl DoubleEndedIterator<Item = f64> + 'a {
    history.iter().filter_map(move |line| line.values.get(name).copied())
}

/// What keeps losses from running away.
fn steadier(config: &TrainConfig) -> String {
    let rate = format!("a smaller learning rate, such as {}", short(0.5 * config.generator_lr));
    match config.r1_gamma {
        gamma if gamma > 0.0 => format!("{rate}, or a larger gamma, such as {}", short(2.0 * gamma)),
        _ => rate,
    }
}

fn breakdown(config: &TrainConfig, history: &[HistoryLine]) -> Option<Finding> {
    let last = history.last()?;
    if last.values.values().any(|value| !value.is_finite()) {
        return Some(not_finite(config, last.nimg));
    }
    // So large in each of a few lines, it is no outlier: nobody should have to watch a broken training for long.
    let least = |losses: Vec<f64>| losses.into_iter().map(f64::abs).fold(f64::MAX, f64::min);
    let losses = ["loss_g", "loss_d"].map(|name| newest(history, name, RUNAWAY).map_or(0.0, least));
    let worst = losses[0].max(losses[1]);
    (worst > DIVERGED).then(|| Finding {
        kind: FindingKind::Diverging,
        sentence: format!("The losses run away: the larger one is at {}.", short(worst)),
        advice: format!("Stop, and resume from an earlier checkpoint with {}.", steadier(config)),
        control: Control::LearningRate,
    })
}

fn diversity(config: &TrainConfig, history: &[HistoryLine]) -> Option<Finding> {
    let now = recent(history, "diversity")?;
    let all: Vec<f64> = values(history, "diversity").collect();
    let best = all.windows(RECENT).map(|lines| lines.iter().sum::<f64>() / RECENT as f64).fold(now, f64::max);
    let sentence = if best > ALIKE && now < FALL * best {
        format!(
            "The generated images become alike: their diversity has fallen from {best:.2} to {now:.2} of the data's."
        )
    } else if now < ALIKE {
        format!("The generated images are alike: they differ {now:.2} times as much as the real ones.")
    } else {
        return None;
    };
    let (control, what) = match config.r1_gamma {
        gamma if gamma > 0.0 => (Control::Gamma, format!("a larger gamma, such as {}", short(2.0 * gamma))),
        _ => (Control::Batch, format!("a larger batch, such as {}", 2 * config.batch)),
    };
    let advice =
        format!("If it does not recover in a few ticks, go back to a checkpoint before the fall and try {what}.");
    Some(Finding { kind: FindingKind::DiversityCollapse, sentence, advice, control })
}

fn overconfident(config: &TrainConfig, history: &[HistoryLine]) -> Option<Finding> {
    // The other losses compare scores with each other; their signs mean nothing.
    if config.loss != Loss::Logistic {
        return None;
    }
    let (real, fake) = (recent(history, "sign_real")?, recent(history, "sign_fake")?);
    if real < SURE || fake > -SURE {
        return None;
    }
    let endless = matches!(config.dataset.source, DatasetSource::Portraits { .. });
    let (control, advice) = if config.ada == Ada::Off && !endless {
        (
            Control::Ada,
            "Switch on ADA: the discriminator has probably learned the images by heart. More images help too.".into(),
        )
    } else {
        (Control::Gamma, format!("Try a larger gamma, such as {}.", short(2.0 * config.r1_gamma.max(0.1))))
    };
    let sentence = format!(
        "The discriminator is sure of everything (mean signs {real:.2} of real and {fake:.2} of generated images), so the \
         generator learns little from it."
    );
    Some(Finding { kind: FindingKind::Overconfident, sentence, advice, control })
}

fn ada_at_ceiling(config: &TrainConfig, history: &[HistoryLine]) -> Option<Finding> {
    let p = recent(history, "ada_p").filter(|&p| matches!(config.ada, Ada::Adaptive { .. }) && p >= ADA_CEILING)?;
    Some(Finding {
        kind: FindingKind::AdaAtCeiling,
        sentence: format!(
            "ADA augments with p = {p:.2}; above {ADA_CEILING} it begins to show in the generated images."
        ),
        advice: if config.dataset.mirror {
            "Train on more images, or with a larger gamma.".into()
        } else {
            "Train on more images, mirrored ones included, or with a larger gamma.".into()
        },
        control: Control::Data,
    })
}

fn slow_data(_: &TrainConfig, history: &[HistoryLine]) -> Option<Finding> {
    // From line to line: the first line also waits for the loader to begin.
    let newest = history.get(history.len().checked_sub(RECENT + 1)?..)?;
    let seconds = newest[RECENT].seconds - newest[0].seconds;
    let waited: f64 = values(&newest[1..], "seconds_data").sum();
    let share = waited / seconds;
    (share > DATA_SHARE && share.is_finite()).then(|| Finding {
        kind: FindingKind::SlowData,
        sentence: format!("{:.0} % of the time is spent waiting for images.", 100.0 * share.min(1.0)),
        advice: "Convert the images to the training's resolution beforehand, and keep them on a local disk.".into(),
        control: Control::Data,
    })
}

fn no_progress(_: &TrainConfig, history: &[HistoryLine]) -> Option<Finding> {
    METRICS.iter().find_map(|&(name, less)| {
        let all: Vec<f64> = values(history, name).map(|value| if less { -value } else { value }).collect();
        let (before, newest) = all.split_at(all.len().checked_sub(PATIENCE)?);
        let best = |part: &[f64]| part.iter().copied().reduce(f64::max);
        let (before, newest) = (best(before)?, best(newest)?);
        (newest <= before + PROGRESS * before.abs()).then(|| Finding {
            kind: FindingKind::NoProgress,
            sentence: format!(
                "The last {PATIENCE} measurements of {name} are no better than {:.4}, reached before.",
                before.abs()
            ),
            advice: "Stop here and take the best snapshot, or go on with half the learning rate.".into(),
            control: Control::Length,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::preset::{Preset, PresetOptions};

    fn config() -> TrainConfig {
        Preset::StyleGan2E.build(&PresetOptions::default()).unwrap()
    }

    /// `count` lines of a healthy training, changed one by one.
    fn history(count: u64, change: impl Fn(u64, &mut HistoryLine)) -> Vec<HistoryLine> {
        let line = |i: u64| {
            let values = [
                ("loss_g", 1.0),
                ("loss_d", 1.2),
                ("sign_real", 0.5),
                ("sign_fake", -0.4),
                ("diversity", 0.8),
                ("ada_p", 0.2),
                ("seconds_data", 0.1),
                ("fid", 100.0 / (i + 1) as f64),
            ];
            let values = values.map(|(name, value)| (name.to_owned(), value)).into();
            let nimg = 4000 * (i + 1);
            let mut line = HistoryLine { nimg, iteration: nimg / 16, seconds: 60.0 * (i + 1) as f64, values };
            change(i, &mut line);
            line
        };
        (0..count).map(line).collect()
    }

    fn kinds(config: &TrainConfig, history: &[HistoryLine]) -> Vec<FindingKind> {
        let findings = diagnose(config, history);
        for Finding { sentence, advice, .. } in &findings {
            assert!(sentence.ends_with('.') && advice.ends_with('.'), "{sentence} {advice}");
        }
        findings.into_iter().map(|finding| finding.kind).collect()
    }

    fn set(line: &mut HistoryLine, name: &str, value: f64) {
        line.values.insert(name.to_owned(), value);
    }

    #[test]
    fn a_healthy_training_has_no_findings() {
        for count in [0, 1, 4, 5, 6, 50] {
            assert_eq!(kinds(&config(), &history(count, |_, _| ())), [], "{count} lines");
        }
    }

    #[test]
    fn numbers_that_are_none_are_found_at_once() {
        for bad in [f64::NAN, f64::INFINITY] {
            assert_eq!(kinds(&config(), &history(1, |_, line| set(line, "loss_g", bad))), [FindingKind::NotFinite]);
        }
        assert_eq!(kinds(&config(), &history(9, |_, line| set(line, "loss_d", -1e6))), [FindingKind::Diverging]);
        // At once, but not for an outlier.
        assert_eq!(kinds(&config(), &history(3, |_, line| set(line, "loss_g", 1e13))), [FindingKind::Diverging]);
        let outlier = history(9, |i, line| set(line, "loss_g", if i == 7 { 1e13 } else { 1.0 }));
        assert_eq!(kinds(&config(), &outlier), []);
        let advice = not_finite(&config(), 1500).advice;
        assert!(advice.contains("0.00125") && advice.contains("0.102"), "{advice}");
        // Without R1 there is no gamma to raise.
        let progan = Preset::ProGan.build(&PresetOptions::default()).unwrap();
        assert!(!not_finite(&progan, 0).advice.contains("gamma"));
    }

    #[test]
    fn images_that_become_alike_are_found() {
        let falls = |i, line: &mut HistoryLine| set(line, "diversity", if i < 20 { 0.8 } else { 0.35 });
        assert_eq!(kinds(&config(), &history(22, falls)), []);
        let findings = diagnose(&config(), &history(30, falls));
        assert_eq!(findings[0].kind, FindingKind::DiversityCollapse);
        assert!(findings[0].sentence.contains("from 0.80 to 0.35"), "{}", findings[0].sentence);
        // Always alike; but in the beginning every generator makes one image only.
        let low = |_, line: &mut HistoryLine| set(line, "diversity", 0.1);
        assert_eq!(kinds(&config(), &history(4, low)), []);
        let early = |i: u64, line: &mut HistoryLine| {
            low(i, line);
            line.nimg = if i < 4 { 250 << i } else { 4000 * (i - 3) };
        };
        let short = TrainConfig { kimg: 100.0, ..config() };
        assert_eq!(kinds(&short, &history(8, early)), [], "measurements within the first tick do not count");
        assert_eq!(kinds(&short, &history(9, early)), [FindingKind::DiversityCollapse]);
        assert_eq!(kinds(&config(), &history(20, low)), [FindingKind::DiversityCollapse]);
    }

    #[test]
    fn a_sure_discriminator_is_found_and_the_advice_fits_the_data() {
        let sure = history(20, |_, line| {
            set(line, "sign_real", 0.97);
            set(line, "sign_fake", -0.99);
        });
        let endless = config();
        let mut few = config();
        few.dataset.source = DatasetSource::Path("images".into());
        let control = |config: &TrainConfig| diagnose(config, &sure).first().map(|finding| finding.control);
        assert_eq!(control(&endless), Some(Control::Gamma));
        assert_eq!(control(&few), Some(Control::Ada));
        assert_eq!(control(&TrainConfig { ada: Ada::ADAPTIVE, ..few.clone() }), Some(Control::Gamma));
        assert_eq!(control(&TrainConfig { loss: Loss::Relativistic, ..few }), None);
        assert_eq!(kinds(&endless, &history(20, |_, line| set(line, "sign_real", 0.97))), []);
    }

    #[test]
    fn strong_augmentation_and_slow_data_are_found() {
        let strong = history(20, |_, line| set(line, "ada_p", 0.9));
        assert_eq!(kinds(&config(), &strong), []);
        assert_eq!(kinds(&TrainConfig { ada: Ada::ADAPTIVE, ..config() }, &strong), [FindingKind::AdaAtCeiling]);
        // Each line lasts a minute.
        let slow = |_, line: &mut HistoryLine| set(line, "seconds_data", 20.0);
        assert_eq!(kinds(&config(), &history(RECENT as u64, slow)), []);
        assert_eq!(kinds(&config(), &history(RECENT as u64 + 1, slow)), [FindingKind::SlowData]);
        assert!(diagnose(&config(), &history(9, slow))[0].sentence.starts_with("33 %"));
        assert_eq!(
            kinds(&config(), &history(9, |i, line| set(line, "seconds_data", if i == 0 { 50.0 } else { 1.0 }))),
            []
        );
    }

    #[test]
    fn measurements_that_stand_still_are_found() {
        let still = |i: u64, line: &mut HistoryLine| set(line, "fid", if i < 12 { 100.0 - i as f64 } else { 90.0 });
        assert_eq!(kinds(&config(), &history(20, still)), []);
        assert_eq!(kinds(&config(), &history(22, still)), [FindingKind::NoProgress]);
        // More is better for recall.
        let rising = |i: u64, line: &mut HistoryLine| set(line, "recall", 0.1 + 0.01 * i as f64);
        assert_eq!(kinds(&config(), &history(30, rising)), []);
        let falling = |i: u64, line: &mut HistoryLine| set(line, "recall", 0.5 - 0.01 * i as f64);
        assert_eq!(kinds(&config(), &history(30, falling)), [FindingKind::NoProgress]);
    }
}
