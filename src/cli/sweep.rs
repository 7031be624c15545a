//! `stylescope sweep`: one seed through the snapshots of a training, as an animation.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;

use super::{generate::finite, progress::ProgressLine};
use crate::{
    checkpoint::{Progress, run_snapshots},
    engine::sweep::{self, Sweep},
    gpu::device::{DeviceChoice, select},
    latent::seed::position_of,
    model::Placement,
    session::{
        Pose,
        png::{PngError, read_pose_file},
        pose::{SeedPosition, Truncation},
    },
};

/// Arguments of `stylescope sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// The animated PNG to write
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,

    /// The seed [default: 0]
    #[arg(long, value_name = "N", conflicts_with = "pose")]
    seed: Option<u32>,

    /// Truncation: 0 is the average image, 1 the model as it was trained [default: 1]
    #[arg(long, value_name = "F", conflicts_with = "pose", allow_negative_numbers = true, value_parser = finite)]
    psi: Option<f32>,

    /// A PNG that was saved here, whose whole pose is shown instead
    #[arg(long, value_name = "FILE.png")]
    pose: Option<PathBuf>,

    /// Frames between two snapshots, from blended weights
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=60))]
    between: u32,

    /// Frames a second
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=60))]
    fps: u32,

    /// What computes: a GPU where there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
}

/// Counts frames.
struct Frames(ProgressLine);

impl Progress for Frames {
    fn advance(&self, done: u64, total: u64) {
        self.0.advance(done, total);
    }

    fn cancelled(&self) -> bool {
        false
    }
}

/// Writes the animation.
///
/// # Errors
/// If the run has no snapshots, one of them cannot be shown, or the file cannot be written.
pub fn run(arguments: &SweepArgs) -> anyhow::Result<()> {
    let SweepArgs { run, out, between, fps, .. } = arguments;
    let snapshots = run_snapshots(run)?;
    let sweep = Sweep {
        snapshots,
        pose: arguments.pose().context("the pose cannot be used")?,
        between: *between,
        frame_time: Duration::from_secs(1) / *fps,
        name: run.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned(),
        path: out.clone(),
    };
    let compute = select(arguments.device)?;
    let progress = Frames(ProgressLine::new("sweep", "frames"));
    sweep::write(&sweep, &Placement::split(compute.device), &progress)?;
    let seconds = progress.0.elapsed().as_secs_f64();
    drop(progress);
    let (frames, snapshots) = (sweep.frames(), sweep.snapshots.len());
    eprintln!("{frames} frames of {snapshots} snapshots in {seconds:.1} s on {}: {}", compute.name, out.display());
    Ok(())
}

impl SweepArgs {
    fn pose(&self) -> Result<Pose, PngError> {
        if let Some(path) = &self.pose {
            return Ok(read_pose_file(path)?.pose);
        }
        let (x, y) = position_of(self.seed.unwrap_or(0));
        let truncation = Truncation { psi: self.psi.unwrap_or(1.0), cutoff: None };
        Ok(Pose { seed: SeedPosition { x, y }, truncation, ..Pose::default() })
    }
}
