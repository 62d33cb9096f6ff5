//! Where results come from: what is needed to make them again lies beside them.
//!
//! # Models
//! `scenario.toml` is the scenario as it was given and `scenario.expanded.toml` what it comes to, without templates and with
//! its settings; each file that it names lies there too, as `input-1.NAME` and so on. The manifest has the command in
//! normal form (what changes results, and nothing else: no directory, no number of threads) and hashes of the files.

use crate::problem::{Checked, Problem, clip};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The scenario of results, in their folder.
pub const SCENARIO: &str = "scenario.toml";

/// The same without templates.
pub const EXPANDED: &str = "scenario.expanded.toml";

/// The manifest of results.
pub const MANIFEST: &str = "manifest.json";

/// What results come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What the manifest says of it.
    pub about: About,
    /// The scenario's own text.
    pub text: String,
    /// The same without templates and with its settings.
    pub expanded: String,
    /// Of the files that it names, in the order of the manifest.
    pub inputs: Vec<Vec<u8>>,
}

/// What a manifest says of where its results come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The command in normal form: its name, the scenario's, and all arguments that change results.
    pub command: Vec<String>,
    /// Values that it changes, each as `PATH=VALUE`.
    pub settings: Vec<String>,
    /// Of `scenario.toml`.
    pub text_sha256: String,
    /// The files that the scenario names.
    pub inputs: Vec<Input>,
}

/// A file that a scenario names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// As the scenario writes it.
    pub path: String,
    /// Its name in the folder.
    pub file: String,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Origin {
    /// Of a command with these settings; of the scenario's text, itself and expanded, and the files that it names.
    #[must_use]
    pub fn new(
        command: Vec<String>,
        settings: Vec<String>,
        (text, expanded): (String, String),
        files: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let named = |(number, (path, bytes)): (usize, &(String, Vec<u8>))| Input {
            path: path.clone(),
            file: format!("input-{}.{}", number + 1, plain_name(path)),
            sha256: sha256(bytes),
        };
        let inputs = files.iter().enumerate().map(named).collect();
        let about = About { command, settings, text_sha256: sha256(text.as_bytes()), inputs };
        Self { about, text, expanded, inputs: files.into_iter().map(|(_, bytes)| bytes).collect() }
    }

    /// Of the results in a folder.
    ///
    /// # Errors
    /// If they do not say it, or a file is gone or another one.
    pub fn read(folder: &Path) -> Checked<Self> {
        let about: About = manifest(folder)?;
        let file = |name: &str, hash: &str| -> Checked<Vec<u8>> {
            let path = folder.join(name);
            let is_plain = Path::new(name).file_name().is_some_and(|it| it == name);
            let unreadable = |error| Problem::new(format!("cannot read `{}`: {error}", path.display()));
            let bytes = if is_plain { std::fs::read(&path).map_err(unreadable)? } else { Vec::new() };
            if sha256(&bytes) != hash {
                let message = format!("`{}` is not the file that the results come from", path.display());
                return Err(Problem::new(message).help("its SHA-256 in manifest.json is another one").into());
            }
            Ok(bytes)
        };
        let text = file(SCENARIO, &about.text_sha256)?;
        let text = String::from_utf8(text)
            .map_err(|_| Problem::new(format!("`{}` is not UTF-8", folder.join(SCENARIO).display())))?;
        let inputs = about.inputs.iter().map(|it| file(&it.file, &it.sha256)).collect::<Checked<_>>()?;
        Ok(Self { about, text, expanded: String::new(), inputs })
    }
}

/// Whether a folder holds results with where they come from.
#[must_use]
pub fn is_of_results(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file() && folder.join(SCENARIO).is_file()
}

/// What is asked of the manifest in a folder.
///
/// # Errors
/// If it is not there, or does not say it.
pub fn manifest<T: serde::de::DeserializeOwned>(folder: &Path) -> Checked<T> {
    let path = folder.join(MANIFEST);
    let help = "name a directory that `run`, `compare` or `sweep` has written with --out";
    let bytes = std::fs::read(&path)
        .map_err(|error| Problem::new(format!("cannot read `{}`: {error}", path.display())).help(help))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("`{}` does not say where its results come from: {error}", path.display());
        Problem::new(message).help(help).into()
    })
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The last part of a path, of letters that stand in any file name.
fn plain_name(path: &str) -> String {
    let last = path.rsplit(['/', '\\', ':']).next().unwrap_or(path);
    let plain = |it: char| if it.is_ascii_alphanumeric() || "._-".contains(it) { it } else { '-' };
    clip(last).chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_inputs_stand_in_any_folder() {
        let names = ["../a/wm.json", "library:ten.json", "C:\\x\\b c.csv", "/"].map(plain_name);
        assert_eq!(names, ["wm.json", "ten.json", "b-c.csv", ""]);
    }

    #[test]
    fn a_scenario_that_was_changed_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::new(
            vec!["run".into(), SCENARIO.into()],
            Vec::new(),
            ("a = 1".into(), "a = 1".into()),
            vec![("x/y.json".into(), b"{}".to_vec())],
        );
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write(MANIFEST, serde_json::to_string(&origin.about).unwrap().as_bytes());
        write(SCENARIO, b"a = 1");
        write("input-1.y.json", b"{}");
        assert_eq!(Origin::read(folder.path()).unwrap().about, origin.about);
        write("input-1.y.json", b"[]");
        assert!(Origin::read(folder.path()).is_err());
        write("input-1.y.json", b"{}");
        write(SCENARIO, b"a = 2");
        assert!(Origin::read(folder.path()).is_err());
    }
}
