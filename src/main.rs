//! The binary: parse, run, print the error chain, exit code.

fn main() -> anyhow::Result<()> {
    stylescope::ui::run(std::env::args_os().nth(1).map(Into::into), Default::default())
}
