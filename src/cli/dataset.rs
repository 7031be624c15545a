//! `stylescope dataset`: images to train on, looked through or drawn.

use std::{
    io::{self, ErrorKind, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use rayon::prelude::*;

use super::{
    UsageError,
    output::write_png,
    progress::ProgressLine,
    sheet::{GridSize, Sheet},
};
use crate::{
    base::atomic_file::write_atomic,
    data::{Dataset, DatasetOptions, check::check},
};

/// Portraits that are drawn and held at the same time.
const CHUNK: u64 = 32;

/// Arguments of `stylescope dataset`.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    #[command(subcommand)]
    command: DatasetCommand,
}

#[derive(Debug, Subcommand)]
enum DatasetCommand {
    /// Look through a folder or zip of images, and say what training would make of it
    Check(CheckArgs),
    /// Draw cartoon portraits from known factors
    Portraits(PortraitsArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// A folder (also nested) or zip of PNG, JPEG and WebP images, with or without dataset.json
    path: PathBuf,

    /// What to train at, a power of two from 4 to 1024 [default: what suits the images]
    #[arg(long, value_name = "N")]
    resolution: Option<usize>,
}

#[derive(Debug, Args)]
struct PortraitsArgs {
    /// How many [default: as many as the sheet has cells]
    #[arg(long, value_name = "N", required_unless_present = "grid", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: Option<u64>,

    /// Side in pixels, a power of two from 8 to 1024
    #[arg(long, value_name = "N", default_value_t = 64)]
    size: usize,

    /// A new or empty folder for the images (00000042.png) and their factors (factors.csv)
    #[arg(long, value_name = "DIR", required_unless_present = "grid")]
    out: Option<PathBuf>,

    /// Another seed is another set
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// Also a sheet of the first ones; without --out only the sheet
    #[arg(long, num_args = 2, value_names = ["CxR", "FILE"])]
    grid: Option<Vec<String>>,
}

/// Does what the subcommand says.
///
/// # Errors
/// If the images cannot be read, have faults that training would stop at, or files cannot be written.
pub fn run(arguments: &DatasetArgs) -> anyhow::Result<()> {
    match &arguments.command {
        DatasetCommand::Check(arguments) => run_check(arguments),
        DatasetCommand::Portraits(arguments) => run_portraits(arguments),
    }
}

fn run_check(arguments: &CheckArgs) -> anyhow::Result<()> {
    let line = ProgressLine::new("checking", "images");
    let mut progress = |done, total| {
        line.advance(done, total);
        ControlFlow::Continue(())
    };
    let options = DatasetOptions::default();
    let report = check(&arguments.path, arguments.resolution, &options, &mut progress)?;
    drop(line);
    let mut stdout = io::stdout().lock();
    for sentence in report.sentences(options.channels) {
        match writeln!(stdout, "{sentence}") {
            // `stylescope dataset check x | head -1`
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            result => result?,
        }
    }
    if !report.is_usable() {
        bail!("{} cannot be trained on as it is; correct or remove what is named above", arguments.path.display());
    }
    Ok(())
}

fn run_portraits(arguments: &PortraitsArgs) -> anyhow::Result<()> {
    let mut sheet = match arguments.grid.as_deref() {
        Some([grid, file]) => {
            let size = grid.parse::<GridSize>().map_err(|why| UsageError(format!("--grid {grid}: {why}")))?;
            Some((PathBuf::from(file), size))
        }
        _ => None,
    };
    let cells = sheet.as_ref().map_or(0, |(_, size)| size.cells());
    let count = arguments.count.unwrap_or(cells);
    // What no file is made of is not drawn.
    let drawn = if arguments.out.is_some() { count } else { count.min(cells) };
    let dataset = Dataset::portraits(arguments.seed, arguments.size)?;
    let mut sheet = match sheet.take() {
        Some((file, size)) => Some((file, Sheet::new(size, arguments.size)?)),
        None => None,
    };
    if let Some(folder) = &arguments.out {
        make_folder(folder)?;
    }

    let line = ProgressLine::new("drawing", "portraits");
    let mut start = 0;
    while start < drawn {
        let end = (start + CHUNK).min(drawn);
        let draw = |index| draw_one(&dataset, index, arguments.out.as_deref());
        let pictures: Vec<Vec<u8>> = (start..end).into_par_iter().map(draw).collect::<anyhow::Result<_>>()?;
        if let Some((_, sheet)) = &mut sheet {
            pictures.iter().for_each(|rgba| sheet.push(rgba));
        }
        start = end;
        line.advance(start, drawn);
    }
    let seconds = line.elapsed().as_secs_f64();
    drop(line);

    let mut places = Vec::new();
    if let Some(folder) = &arguments.out {
        let table = folder.join("factors.csv");
        write_atomic(&table, |out| write_factors(out, &dataset, count))?;
        places.push(folder.display().to_string());
    }
    if let Some((file, sheet)) = sheet {
        write_png(&file, sheet.rgba(), sheet.size(), None)?;
        places.push(file.display().to_string());
    }
    eprintln!("{drawn} portraits in {seconds:.1} s: {}", places.join(", "));
    Ok(())
}

/// Images of another set among these would have no factors.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    ensure!(entries.next().is_none(), "{} is not empty; choose a new folder", folder.display());
    Ok(())
}

/// Draws a portrait and writes it; returns its pixels as RGBA.
fn draw_one(dataset: &Dataset, index: u64, folder: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let picture = dataset.image(index)?;
    let rgba: Vec<u8> = picture.interleaved().chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    if let Some(folder) = folder {
        let side = dataset.resolution() as u32;
        write_png(&folder.join(file_name(index)), &rgba, [side, side], None)?;
    }
    Ok(rgba)
}

fn file_name(index: u64) -> String {
    format!("{index:08}.png")
}

/// A row for each portrait: its file, the continuous factors as numbers, the discrete ones by name.
fn write_factors(out: &mut dyn Write, dataset: &Dataset, count: u64) -> io::Result<()> {
    for (index, factors) in (0..count).filter_map(|index| Some((index, dataset.factors(index)?))) {
        let (continuous, discrete) = (factors.continuous(), factors.discrete());
        if index == 0 {
            let names = continuous.iter().map(|(name, _)| *name).chain(discrete.iter().map(|value| value.factor));
            writeln!(out, "file,{}", names.collect::<Vec<_>>().join(","))?;
        }
        write!(out, "{}", file_name(index))?;
        for (_, value) in continuous {
            write!(out, ",{value}")?;
        }
        for value in discrete {
            write!(out, ",{}", value.names[value.value])?;
        }
        writeln!(out)?;
    }
    Ok(())
}
