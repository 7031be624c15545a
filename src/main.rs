//! The binary: all of it is in [`stylescope::cli`].

fn main() -> std::process::ExitCode {
    stylescope::cli::main()
}
