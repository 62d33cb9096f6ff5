//! What the tree promises of itself and a machine can hold: arrows between the packages, circles of
//! imports between files, heads of model files, and ARCHITECTURE.md's list of the circles.
//!
//! `cargo test -p meshsim --test tidy -- --nocapture` prints the circles of every package.

mod imports;

use imports::Package;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every package and those that it may import.
const ARROWS: [(&str, &[&str]); 4] = [
    ("sim-core", &[]),
    ("models", &["meshsim_core"]),
    ("scenarios", &["meshsim_core", "meshsim_models"]),
    ("bin", &["meshsim_core", "meshsim_models", "meshsim_scenarios"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").into()
}

fn package(name: &str) -> Package {
    Package::read(&root().join(name).join("src"))
}

#[test]
fn nothing_points_back() {
    for (name, allowed) in ARROWS {
        for (file, imported) in package(name).foreign {
            let ours = imported.starts_with("meshsim_");
            assert!(!ours || allowed.contains(&imported.as_str()), "{name}/src/{file} imports {imported}");
        }
    }
}

/// A circle that is not in ARCHITECTURE.md is new; one that is there and gone is not true any more.
#[test]
fn circles_are_those_of_architecture_md() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let section = text.split("\n## ").find(|it| it.starts_with("Circles")).expect("a section of circles");
    let listed: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .map(|line| line.replace('`', ""))
        .collect();
    let circles = |(name, _): (&str, &[&str])| {
        let circles = package(name).circles();
        circles.into_iter().map(move |files| format!("{name}: {}", files.join(", "))).collect::<Vec<_>>()
    };
    let found: BTreeSet<String> = ARROWS.into_iter().flat_map(circles).collect();
    found.iter().for_each(|circle| eprintln!("- {circle}"));
    let new: Vec<&String> = found.difference(&listed).collect();
    let gone: Vec<&String> = listed.difference(&found).collect();
    assert!(new.is_empty() && gone.is_empty(), "not in ARCHITECTURE.md: {new:#?}\nno longer so: {gone:#?}");
}

/// A rule of the real system is found under its own name where ARCHITECTURE.md says.
#[test]
fn rules_are_found_by_their_names() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let section = text.split("\n## ").find(|it| it.starts_with("Rules by name")).expect("a section of rules");
    let row = |line: &str| {
        let (rule, file) = line.strip_prefix("| ")?.strip_suffix("` |")?.split_once(" | `")?;
        Some((rule.to_owned(), file.to_owned()))
    };
    let rules: Vec<(String, String)> = section.lines().filter_map(row).collect();
    assert!(rules.len() >= 20, "{rules:?}");
    let plain = |text: &str| text.to_lowercase().replace(|it: char| !it.is_alphanumeric(), "");
    for (rule, file) in rules {
        let code = std::fs::read_to_string(root().join("models/src").join(&file)).unwrap_or_default();
        assert!(plain(&code).contains(&plain(&rule)), "{file} does not speak of {rule}");
    }
}

/// Every file says in its first line what it is, and whoever lists assumptions lists some.
#[test]
fn files_have_heads() {
    for (name, _) in ARROWS {
        for (file, text) in &package(name).texts {
            assert!(text.starts_with("//! "), "{name}/src/{file} has no head");
            for title in ["Models", "Assumptions", "Source"] {
                let empty = format!("//! # {title}\n//!\n");
                assert!(!text.contains(&empty), "{name}/src/{file} says nothing under {title}");
            }
        }
    }
}

/// Words with several meanings name nothing: `it` is only what a closure or a loop is given, and a `place` is an index, a
/// slot, a location or a number.
#[test]
fn words_of_many_meanings_name_nothing() {
    let names = |pair: &[&str]| match pair[1] {
        "it" => pair[0] == "let",
        "place" | "places" => matches!(pair[0], "let" | "mut" | "fn" | "for"),
        _ => false,
    };
    for (name, _) in ARROWS {
        for (file, text) in &package(name).texts {
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let words: Vec<&str> = code.split(|it: char| !it.is_alphanumeric() && it != '_').collect();
                let bad = words.windows(2).any(names);
                assert!(!bad, "{name}/src/{file}:{}: a word that tells nothing: {code}", number + 1);
            }
        }
    }
}

/// Half of the files of the cluster, the largest room, are of at most 120 lines, and none of more than 600.
#[test]
fn files_of_the_cluster_are_short() {
    let texts = package("models").texts;
    let of_cluster = texts.iter().filter(|(file, _)| file.starts_with("cluster/"));
    let mut lines: Vec<usize> = of_cluster.map(|(_, text)| text.lines().count()).collect();
    lines.sort_unstable();
    assert!(lines[(lines.len() - 1) / 2] <= 120 && lines.last() <= Some(&600), "{lines:?}");
}
