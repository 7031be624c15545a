//! The command line, one file a subcommand.
//!
//! Exit codes: 0 done, 1 it failed (one line on standard error, the causes joined by colons), 2 the arguments cannot be
//! understood.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};

use crate::{base::error_chain::error_chain, gpu::device::DeviceChoice, ui};

pub mod convert;
pub mod dataset;
pub mod generate;
pub mod info;
pub mod latents;
pub mod output;
pub mod progress;
pub mod ranges;
pub mod raw;
pub mod sheet;
pub mod sweep;
pub mod synthesis;
pub mod train;

mod logging;
mod model;

/// What the process hands back when its arguments cannot be understood.
const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "stylescope",
    version,
    about = "Explore style-based generators (StyleGAN, StyleGAN2) on any GPU or plain CPU",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    after_help = "Environment:\n  STYLESCOPE_LOG=error|warn|info|debug  what is written to standard error (default: warn)"
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// The model to open: .pkl, .pt or .safetensors; without one the window starts with the bundled model
    file: Option<PathBuf>,

    /// What computes: a GPU where there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", default_value_t)]
    device: DeviceChoice,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write images from seeds or latents
    Generate(Box<generate::GenerateArgs>),
    /// Write a generator in another format
    Convert(convert::ConvertArgs),
    /// Say what is in a model file
    Info(info::InfoArgs),
    /// Look through images to train on, or draw some
    Dataset(dataset::DatasetArgs),
    /// Write a seed through the snapshots of a training as an animated PNG
    Sweep(sweep::SweepArgs),
    /// Train a generator, or go on with a training
    Train(Box<train::TrainArgs>),
}

/// An error in what the user typed, found after parsing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub String);

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs the program. The first argument is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    logging::init();
    let result = match arguments.command {
        Some(Command::Generate(arguments)) => generate::run(&arguments),
        Some(Command::Convert(arguments)) => convert::run(&arguments),
        Some(Command::Info(arguments)) => info::run(&arguments),
        Some(Command::Dataset(arguments)) => dataset::run(&arguments),
        Some(Command::Sweep(arguments)) => sweep::run(&arguments),
        Some(Command::Train(arguments)) => train::run(&arguments),
        None => ui::run(arguments.file, arguments.device),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<UsageError>() {
            Some(usage) => refuse(&Arguments::command().error(ErrorKind::ValueValidation, usage)),
            None => {
                eprintln!("error: {}", error_chain(error.as_ref()));
                ExitCode::FAILURE
            }
        },
    }
}

/// Prints clap's message; help and version are no errors.
fn refuse(error: &clap::Error) -> ExitCode {
    // Nothing can be said when the output is closed.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::config::Ada;

    fn parse(words: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("stylescope").chain(words.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_file_or_nothing_opens_the_window() {
        let arguments = parse("a.pkl --device cpu").unwrap();
        assert!(arguments.command.is_none());
        assert_eq!((arguments.file, arguments.device), (Some("a.pkl".into()), DeviceChoice::Cpu));
        let arguments = parse("").unwrap();
        assert_eq!((arguments.file, arguments.device), (None, DeviceChoice::Auto));
        assert!(parse("a.pkl b.pkl").is_err());
        assert!(parse("--device tpu").is_err());
    }

    #[test]
    fn train_takes_its_augmentation_in_a_word() {
        for (word, expected) in [
            ("off", Ada::Off),
            ("fixed:0.25", Ada::Fixed { p: 0.25 }),
            ("adaptive", Ada::ADAPTIVE),
            ("adaptive:0.4", Ada::adaptive(0.4)),
        ] {
            let arguments = parse(&format!("train --out a --ada {word}")).unwrap();
            let Some(Command::Train(arguments)) = arguments.command else { panic!("{word}") };
            assert_eq!(arguments.ada, Some(expected));
        }
        for word in ["on", "fixed", "fixed:x", "adaptive:", "off:1"] {
            let error = parse(&format!("train --out a --ada {word}")).unwrap_err().to_string();
            assert!(error.contains("--ada"), "{error}");
        }
        assert!(parse("train --resume a --lr 0.001 --gamma 2 --ada off").is_ok());
        assert!(parse("train --out a --loss hinge").is_err());
    }

    #[test]
    fn generate_takes_seeds_or_one_kind_of_latents() {
        for words in [
            "generate --seeds 0-3,85 --out a",
            "generate --model a.pkl --seeds 1 --out a --psi -0.5 --cutoff 8 --noise random --noise-strength 0.5 --class 3",
            "generate --seeds 1 --out a --mix-seed 5 --mix-layers 0-3,8 --device software --grid 4x2",
            "generate --ws a.safetensors:ws --raw b.safetensors",
        ] {
            assert!(matches!(parse(words).unwrap().command, Some(Command::Generate(_))), "{words}");
        }
        for (words, named) in [
            ("generate --out a", "--seeds"),
            ("generate --seeds 1", "--out"),
            ("generate --seeds 1 --z a.safetensors:z --out a", "--z"),
            ("generate --seeds 3-1 --out a", "ends before it begins"),
            ("generate --seeds 1 --mix-seed 5 --out a", "--mix-layers"),
            ("generate --seeds 1 --mix-layers 5 --out a", "--mix-seed"),
            ("generate --ws a:ws --psi 0.5 --out a", "--psi"),
            ("generate --w a:w --class 1 --out a", "--class"),
            ("generate --seeds 1 --out a --psi nan", "finite"),
            ("generate --seeds 1 --out a --grid 4", "COLUMNSxROWS"),
        ] {
            let error = parse(words).unwrap_err();
            assert!(error.use_stderr() && error.to_string().contains(named), "{words}: {error}");
        }
    }
}
