//! One file per verb: its arguments and what it calls (`validate` has two and a file of arguments).

mod break_even;
pub(crate) mod calibrate;
pub(crate) mod check;
pub(crate) mod common;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod describe;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod import;
mod import_measured;
pub(crate) mod init;
pub(crate) mod library;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod page;
pub(crate) mod report;
pub(crate) mod rerun;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod sweep;
pub(crate) mod validate;
pub(crate) mod validate_arguments;
mod validate_suite;
mod validate_watch;
pub(crate) mod why;
