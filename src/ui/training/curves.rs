//! The history of a training as curves over thousands of images.

use std::collections::BTreeSet;

use crate::training::{diagnosis::METRICS, history::HistoryLine};

/// Points of a curve: more than a chart has pixels would show nothing more.
const MOST_POINTS: usize = 600;

/// A chart of curves with a common scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Its title.
    pub title: &'static str,
    /// What it shows, in the words of the papers, and how to read it.
    pub tooltip: &'static str,
    /// Values that its scale always holds.
    pub scale: &'static [f64],
    /// Its curves.
    pub curves: Vec<Curve>,
}

/// One value over the training.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name in the chart; empty where the title says it.
    pub name: &'static str,
    /// (thousands of images, value), oldest first.
    pub points: Vec<[f64; 2]>,
    /// The newest value.
    pub last: Option<f64>,
}

type Spec = (&'static str, &'static str, &'static [f64], &'static [(&'static str, &'static str)]);

/// Titles, tooltips, scales, and curves with their names in the history.
const CHARTS: [Spec; 6] = [
    (
        "Losses",
        "The losses of the generator (G) and the discriminator (D). They play against each other, so neither goes to 0; what \
         matters is that they stay within bounds.",
        &[],
        &[("G", "loss_g"), ("D", "loss_d")],
    ),
    (
        "D's signs",
        "Mean sign of the discriminator's score for real and generated images: 1 means that it takes all for real, -1 none. Far \
         apart it is sure of itself, and the generator learns little.",
        &[-1.0, 1.0],
        &[("real", "sign_real"), ("fake", "sign_fake")],
    ),
    ("R1", "Mean squared gradient of D's score by the real images, which R1 keeps small.", &[0.0], &[("", "r1")]),
    (
        "Path length",
        "How far the image moves for a step in W. Path length regularisation holds it together.",
        &[0.0],
        &[("", "path_length")],
    ),
    (
        "ADA p",
        "Probability of each augmentation, adapted so that D does not learn the images by heart. Above 0.8 it begins to show.",
        &[0.0, 1.0],
        &[("", "ada_p")],
    ),
    (
        "Diversity",
        "How much generated images differ from each other, against how much real ones do. A fall is a collapse.",
        &[0.0, 1.0],
        &[("", "diversity")],
    ),
];

/// The charts of a history: six that are always there, and one for each metric that was measured.
pub fn charts(history: &[HistoryLine]) -> Vec<Chart> {
    let fixed = CHARTS.into_iter().map(|(title, tooltip, scale, curves)| Chart {
        title,
        tooltip,
        scale,
        curves: curves.iter().map(|(name, value)| curve(name, history, value)).collect(),
    });
    let measured = METRICS.into_iter().filter_map(|(name, less)| {
        let tooltip = if less { "A metric; less is better." } else { "A metric; more is better." };
        let curve = curve("", history, name);
        (!curve.points.is_empty()).then(|| Chart { title: name, tooltip, scale: &[], curves: vec![curve] })
    });
    fixed.chain(measured).collect()
}

fn curve(name: &'static str, history: &[HistoryLine], value: &str) -> Curve {
    let points = history.iter().filter_map(|line| {
        let value = line.values.get(value).copied().filter(|value| value.is_finite())?;
        Some([line.nimg as f64 / 1000.0, value])
    });
    let points: Vec<[f64; 2]> = points.collect();
    let last = points.last().map(|point| point[1]);
    Curve { name, points: thinned(points), last }
}

/// Means of neighbours, so that no more than [`MOST_POINTS`] are left.
fn thinned(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let group = points.len().div_ceil(MOST_POINTS).max(1);
    if group == 1 {
        return points;
    }
    let mean = |points: &[[f64; 2]], axis: usize| points.iter().map(|p| p[axis]).sum::<f64>() / points.len() as f64;
    points.chunks(group).map(|points| [mean(points, 0), mean(points, 1)]).collect()
}

/// The whole history as comma-separated values, with a line of names; a value that a tick does not have is left empty.
pub fn csv(history: &[HistoryLine]) -> String {
    let names: BTreeSet<&str> = history.iter().flat_map(|line| line.values.keys().map(String::as_str)).collect();
    let mut text = String::from("nimg,kimg,iteration,seconds");
    names.iter().for_each(|name| text.extend([",", &quoted(name)]));
    text.push('\n');
    for line in history {
        let kimg = line.nimg as f64 / 1000.0;
        text += &format!("{},{kimg},{},{}", line.nimg, line.iteration, line.seconds);
        for name in &names {
            text.push(',');
            if let Some(value) = line.values.get(*name) {
                text += &value.to_string();
            }
        }
        text.push('\n');
    }
    text
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(nimg: u64, values: &[(&str, f64)]) -> HistoryLine {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        HistoryLine { nimg, iteration: nimg / 8, seconds: 1.5, values }
    }

    #[test]
    fn charts_keep_their_places_and_metrics_come_when_they_are_measured() {
        let titles = |history: &[HistoryLine]| charts(history).iter().map(|chart| chart.title).collect::<Vec<_>>();
        let fixed = ["Losses", "D's signs", "R1", "Path length", "ADA p", "Diversity"];
        assert_eq!(titles(&[]), fixed);
        let history = [line(1000, &[("loss_g", 1.0), ("r1", f64::NAN)]), line(2500, &[("loss_g", 0.5), ("fid", 80.0)])];
        assert_eq!(titles(&history), [&fixed[..], &["fid"]].concat());
        let found = charts(&history);
        assert_eq!(found[0].curves[0].points, [[1.0, 1.0], [2.5, 0.5]]);
        assert_eq!((found[0].curves[0].last, found[0].curves[1].last), (Some(0.5), None));
        assert!(found[2].curves[0].points.is_empty(), "what is no number is not drawn");
    }

    #[test]
    fn long_histories_are_thinned_by_their_means() {
        let history: Vec<HistoryLine> = (0..1200).map(|i| line(1000 * i, &[("loss_d", i as f64)])).collect();
        let curve = &charts(&history)[0].curves[1];
        assert_eq!((curve.points.len(), curve.points[0], curve.last), (600, [0.5, 0.5], Some(1199.0)));
    }

    #[test]
    fn the_history_becomes_a_table() {
        let history = [line(8, &[("loss_g", 0.1), ("a,b", 2.0)]), line(16, &[("loss_g", 0.25)])];
        let expected = "nimg,kimg,iteration,seconds,\"a,b\",loss_g\n8,0.008,1,1.5,2,0.1\n16,0.016,2,1.5,,0.25\n";
        assert_eq!(csv(&history), expected);
        assert_eq!(csv(&[]), "nimg,kimg,iteration,seconds\n");
    }
}
