//! Paths in a suite, which begin at its file's folder.

use crate::document::{Setting, path_parts};
use crate::library;
use crate::library::FILE_OF_LIBRARY;
use crate::scenario::relative;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// What opens the scenario that a suite in `folder` names: one of the library, or a file.
pub(super) fn scenario(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    // What is neither is said with the names of the library.
    let is_no_path = !name.contains(['/', '.']) && !path.exists();
    if library::scenario(name).is_some() || is_no_path {
        return name.to_owned();
    }
    path.to_string_lossy().into_owned()
}

/// A setting of a suite in `folder` as the scenario takes it, which looks for files where it is itself: the path of a
/// file that is there from the suite on is written anew.
pub(super) fn setting(folder: &Path, scenario: &str, setting: &Setting) -> Setting {
    let is_path = names_file(&setting.path);
    let written =
        text_of(setting).filter(|_| is_path).and_then(|text| from_scenario(folder, scenario, &text));
    match written {
        Some(value) => Setting { path: setting.path.clone(), value: toml::Value::String(value).to_string() },
        None => setting.clone(),
    }
}

/// Whether the value at a path of a scenario is the name of a file.
pub(super) fn names_file(path: &str) -> bool {
    let parts = path_parts(path);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    matches!(
        parts[..],
        ["application", "workmodel"]
            | ["applications", _, "workmodel"]
            | ["users", _, "arrivals", "file" | "points_from"]
    )
}

/// The path by which the scenario finds a file of the suite; none if it is the same, or there is no such file.
fn from_scenario(folder: &Path, scenario: &str, path: &str) -> Option<String> {
    let is_of_library = library::scenario(scenario).is_some();
    if path.starts_with(FILE_OF_LIBRARY)
        || Path::new(path).is_absolute()
        || (is_of_library && library::file(path).is_some())
    {
        return None;
    }
    let there = folder.join(path);
    if is_of_library {
        return there.exists().then(|| there.to_string_lossy().into_owned());
    }
    let here = |path: &Path| std::fs::canonicalize(Path::new(".").join(path)).ok();
    let home = here(Path::new(scenario).parent().unwrap_or(Path::new("")))?;
    let there = here(&there)?;
    (here(folder)? != home).then(|| relative(&there, &home))
}

/// The value of a setting, if it is a text.
fn text_of(setting: &Setting) -> Option<String> {
    let line = format!("value = {}", setting.literal());
    let table = DeTable::parse(&line).ok()?;
    match table.get_ref().get("value")?.get_ref() {
        DeValue::String(text) => Some(text.clone().into_owned()),
        _ => None,
    }
}
