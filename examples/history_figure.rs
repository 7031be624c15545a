//! Draws the history of a run as an SVG, with the charts of the window's training panel.
//!
//!     cargo run --example history_figure -- RUN OUT.svg

use std::{env, error::Error, fmt::Write as _, path::Path};

use stylescope::{
    base::atomic_file::write_atomic,
    training::history,
    ui::training::curves::{Chart, charts},
};

/// Charts side by side.
const COLUMNS: usize = 3;
/// Size of a chart, and of the space around what it plots: left, top, right, bottom.
const SIZE: [f64; 2] = [300.0, 190.0];
const MARGIN: [f64; 4] = [44.0, 26.0, 12.0, 22.0];
const COLOURS: [&str; 2] = ["#2b6cb0", "#c05621"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [run, out] = arguments.as_slice() else { return Err("usage: history_figure RUN OUT.svg".into()) };
    let lines = history::read(&Path::new(run).join("history.jsonl"))?;
    let last = lines.last().ok_or("the history is empty")?;
    let kimg = last.nimg as f64 / 1000.0;
    let charts: Vec<Chart> =
        charts(&lines).into_iter().filter(|chart| chart.curves.iter().any(|c| c.points.len() > 1)).collect();
    let text = figure(&charts, kimg)?;
    write_atomic(Path::new(out), |file| file.write_all(text.as_bytes()))?;
    println!("{out}: {kimg} kimg in {:.0} s", last.seconds);
    Ok(())
}

fn figure(charts: &[Chart], kimg: f64) -> Result<String, std::fmt::Error> {
    let rows = charts.len().div_ceil(COLUMNS);
    let (width, height) = (SIZE[0] * COLUMNS as f64, SIZE[1] * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (index, chart) in charts.iter().enumerate() {
        let at = [(index % COLUMNS) as f64 * SIZE[0], (index / COLUMNS) as f64 * SIZE[1]];
        writeln!(svg, "<g transform=\"translate({} {})\">", at[0], at[1])?;
        plot(&mut svg, chart, kimg)?;
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn plot(svg: &mut String, chart: &Chart, kimg: f64) -> std::fmt::Result {
    let values = || chart.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point[1]));
    let low = values().fold(0.0, f64::min);
    let high = values().fold(f64::MIN, f64::max).max(low + 1e-6);
    let [left, top, right, bottom] = [MARGIN[0], MARGIN[1], SIZE[0] - MARGIN[2], SIZE[1] - MARGIN[3]];
    let x = |k: f64| left + k / kimg * (right - left);
    let y = |value: f64| bottom - (value - low) / (high - low) * (bottom - top);
    writeln!(svg, "<text x=\"{left}\" y=\"16\" font-weight=\"bold\">{}</text>", chart.title)?;
    for (index, curve) in chart.curves.iter().filter(|curve| !curve.name.is_empty()).enumerate() {
        let at = right - 36.0 * (chart.curves.len() - 1 - index) as f64;
        writeln!(
            svg,
            "<text x=\"{at}\" y=\"16\" text-anchor=\"end\" fill=\"{}\">{}</text>",
            COLOURS[index % 2],
            curve.name
        )?;
    }
    for value in [low, high] {
        writeln!(svg, "<path d=\"M{left} {0:.1}H{right}\" stroke=\"#ddd\"/>", y(value))?;
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#666\">{value:.2}</text>",
            left - 5.0,
            y(value) + 4.0
        )?;
    }
    writeln!(svg, "<text x=\"{left}\" y=\"{}\" fill=\"#666\">0</text>", SIZE[1] - 7.0)?;
    writeln!(svg, "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\" fill=\"#666\">{kimg} kimg</text>", SIZE[1] - 7.0)?;
    for (index, curve) in chart.curves.iter().enumerate() {
        svg.push_str("<path fill=\"none\" stroke-width=\"1.3\" stroke=\"");
        svg.push_str(COLOURS[index % COLOURS.len()]);
        svg.push_str("\" d=\"");
        for (i, [k, value]) in curve.points.iter().enumerate() {
            write!(svg, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, x(*k), y(*value))?;
        }
        svg.push_str("\"/>\n");
    }
    Ok(())
}
