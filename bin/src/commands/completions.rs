//! `meshsim completions`: what completes commands in a shell.

use super::common::print;
use crate::exit_code::Code;
use crate::failure::Outcome;
use clap_complete::Shell;

#[derive(clap::Args)]
#[command(
    after_help = "Example: meshsim completions bash > ~/.local/share/bash-completion/completions/meshsim"
)]
pub(crate) struct Args {
    /// Of which shell
    shell: Shell,
}

pub(crate) fn exec(args: &Args, mut program: clap::Command) -> Outcome<Code> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut program, "meshsim", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(Code::Ok)
}
