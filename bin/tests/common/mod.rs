//! Runs the program and reads what it says.

use std::process::{Command, Output};

pub(crate) fn meshsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshsim")).args(arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
