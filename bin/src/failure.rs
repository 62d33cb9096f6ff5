//! Why a command ends without a result, and how that ends the program.

use crate::exit_code::Code;
use meshsim_scenarios::problem::{Problem, Problems};

/// What a command comes to.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the user gave cannot be used.
    Input(Problems),
    /// The input is good, but the machine did not do what was asked: a full disk, no more threads.
    Machine(Problems),
}

impl Failure {
    /// A failure of the machine.
    pub(crate) fn machine(problems: impl Into<Problems>) -> Self {
        Self::Machine(problems.into())
    }

    /// What is wrong.
    pub(crate) const fn problems(&self) -> &Problems {
        let (Self::Input(problems) | Self::Machine(problems)) = self;
        problems
    }

    /// How the program ends.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Input(_) => Code::BadInput,
            Self::Machine(_) => Code::Failed,
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Input(problems)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Input(problem.into())
    }
}
