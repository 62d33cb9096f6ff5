//! What the exit code says.
//!
//! # Assumptions
//! Standard output that the caller closed (`>&-`) counts as written: Rust's runtime opens `/dev/null` in its place before
//! `main`, which cannot be told from a caller's own `> /dev/null`. A full disk or a pipe that nobody reads is a failure.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Everything went well.
    Ok,
    /// The run failed, a check did not hold, or a result could not be written.
    Failed,
    /// Bad usage or bad input.
    BadInput,
    /// Stopped by Ctrl-C or another signal to end; what was finished is kept.
    Interrupted,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Ok => Self::SUCCESS,
            Code::Failed => Self::from(1),
            Code::BadInput => Self::from(2),
            Code::Interrupted => Self::from(crate::interrupt::exit_code()),
        }
    }
}
