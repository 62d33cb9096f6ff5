//! Where results come from: what is needed to make them again lies beside them.
//!
//! # Models
//! `scenario.toml` is the scenario as it was given and `scenario.expanded.toml` what it comes to, without templates and with
//! its settings; each file that it names lies there too, as `input-1.NAME` and so on, and so does each measurement that it was
//! held against or fitted to. The manifest has the command in normal form (what changes results, and nothing else: no directory,
//! no number of threads) and hashes of the files.

use crate::problem::{Checked, Problem, clip};
use crate::results::single_file::file_sha256;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// The same without templates and with its settings; nothing of a suite.
    pub expanded: Option<String>,
    /// Of the files that it names, in the order of the manifest.
    pub inputs: Vec<Vec<u8>>,
    /// The measurements, likewise: open, for they may lie where the results go.
    pub measurements: Vec<Arc<File>>,
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
    /// What the results call the scenario, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The measurements that it was held against or fitted to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Input>,
}

/// A file that a scenario names, or a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// As the scenario or suite writes it; of a measurement of a command, its name alone.
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
        (text, expanded): (String, Option<String>),
        files: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let named = |(number, (path, bytes)): (usize, &(String, Vec<u8>))| Input {
            path: path.clone(),
            file: file_name(number + 1, path),
            sha256: sha256(bytes),
        };
        let inputs = files.iter().enumerate().map(named).collect();
        let text_sha256 = sha256(text.as_bytes());
        let about =
            About { command, settings, text_sha256, inputs, scenario: None, measurements: Vec::new() };
        let inputs = files.into_iter().map(|(_, bytes)| bytes).collect();
        Self { about, text, expanded, inputs, measurements: Vec::new() }
    }

    /// A measurement that the results depend on too, which they call `name`: it will lie beside them, and by this name. Nothing
    /// if it is no plain file, which cannot be read once more.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn with_measurement(&mut self, path: &Path, name: String) -> Checked<Option<String>> {
        if !path.is_file() {
            return Ok(None);
        }
        let file = file_name(self.inputs.len() + self.measurements.len() + 1, &name);
        self.about.measurements.push(Input { path: name, file: file.clone(), sha256: file_sha256(path)? });
        self.measurements.push(opened(path)?);
        Ok(Some(file))
    }

    /// Of the results in a folder.
    ///
    /// # Errors
    /// If they do not say it, or a file is gone or another one.
    pub fn read(folder: &Path) -> Checked<Self> {
        let about: About = manifest(folder)?;
        let file = |name: &str, hash: &str| -> Checked<PathBuf> {
            let path = folder.join(name);
            let is_plain = Path::new(name).file_name().is_some_and(|it| it == name);
            if !is_plain || file_sha256(&path)? != hash {
                let message = format!("`{}` is not the file that the results come from", path.display());
                return Err(Problem::new(message).help("its SHA-256 in manifest.json is another one").into());
            }
            Ok(path)
        };
        let bytes = |name: &str, hash: &str| -> Checked<Vec<u8>> {
            let path = file(name, hash)?;
            let unreadable = |error| Problem::new(format!("cannot read `{}`: {error}", path.display()));
            Ok(std::fs::read(&path).map_err(unreadable)?)
        };
        let text = bytes(SCENARIO, &about.text_sha256)?;
        let text = String::from_utf8(text)
            .map_err(|_| Problem::new(format!("`{}` is not UTF-8", folder.join(SCENARIO).display())))?;
        let inputs = about.inputs.iter().map(|it| bytes(&it.file, &it.sha256)).collect::<Checked<_>>()?;
        let measurements = about.measurements.iter();
        let measurements =
            measurements.map(|it| opened(&file(&it.file, &it.sha256)?)).collect::<Checked<_>>()?;
        Ok(Self { about, text, expanded: None, inputs, measurements })
    }
}

fn opened(path: &Path) -> Checked<Arc<File>> {
    let unreadable = |error| Problem::new(format!("cannot read `{}`: {error}", path.display()));
    Ok(Arc::new(File::open(path).map_err(unreadable)?))
}

/// Whether a folder holds results with where they come from.
#[must_use]
pub fn is_of_results(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file() && folder.join(SCENARIO).is_file()
}

/// What results call a scenario that is opened so: its own name, or that of its file, or what earlier results have called it
/// that it is taken from.
#[must_use]
pub fn scenario_called(name_or_path: &str) -> String {
    let folder = Path::new(name_or_path);
    let about = is_of_results(folder).then(|| manifest::<About>(folder).ok()).flatten();
    about.and_then(|it| it.scenario).unwrap_or_else(|| last_part(folder))
}

/// What results call a measurement: the name of its file, or what earlier results have called it beside which it lies.
#[must_use]
pub fn measurement_called(path: &Path) -> String {
    let name = last_part(path);
    let about = path.parent().filter(|it| is_of_results(it)).and_then(|it| manifest::<About>(it).ok());
    let kept = about.and_then(|it| it.measurements.into_iter().find(|it| it.file == name));
    kept.map_or(name, |it| it.path)
}

/// The name of a file without its directories.
#[must_use]
pub fn last_part(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// What is asked of the manifest in a folder.
///
/// # Errors
/// If it is not there, or does not say it.
pub fn manifest<T: serde::de::DeserializeOwned>(folder: &Path) -> Checked<T> {
    let path = folder.join(MANIFEST);
    let help = "name a directory of results that a command has written";
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

/// What a file is called that lies beside results, by its number there.
fn file_name(number: usize, path: &str) -> String {
    format!("input-{number}.{}", plain_name(path))
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
            ("a = 1".into(), Some("a = 1".into())),
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

    #[test]
    fn a_measurement_keeps_its_name_beside_results() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my trace.csv");
        std::fs::write(&path, "1").unwrap();
        let text = ("a = 1".into(), None);
        let mut origin = Origin::new(vec!["validate".into()], Vec::new(), text, Vec::new());
        let file = origin.with_measurement(&path, measurement_called(&path)).unwrap().unwrap();
        assert_eq!(file, "input-1.my-trace.csv");
        assert_eq!(
            origin.with_measurement(Path::new("/dev/null"), "null".into()),
            Ok(None),
            "it is no plain file"
        );
        let results = folder.path().join("results");
        std::fs::create_dir(&results).unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(results.join(name), bytes).unwrap();
        write(SCENARIO, b"a = 1");
        write(MANIFEST, serde_json::to_string(&origin.about).unwrap().as_bytes());
        write(&file, b"1");
        assert_eq!(measurement_called(&results.join(&file)), "my trace.csv");
        assert_eq!(Origin::read(&results).unwrap().measurements.len(), 1);
        write(&file, b"2");
        assert!(Origin::read(&results).is_err());
    }
}
