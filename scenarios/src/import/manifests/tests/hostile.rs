//! Input that is no manifest, too large or made to do harm.

use super::{imported, options, plain, refused};
use crate::import::manifests::{Input, import};

#[test]
fn bad_files_are_refused_with_their_lines() {
    for (text, expected) in [
        ("kind: Deployment\n", "0.yaml:1:1: an object without `apiVersion`"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "an object without `kind`"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {generateName: a-}\n",
            "an object without `metadata.name`",
        ),
        ("a: 1\n---\nb: [\n", "no YAML"),
        ("- a\n- b\n", "an object without `kind`"),
        ("text\n", "an object without `kind`"),
        ("", "no object to import"),
        ("# nothing\n---\n---\n", "no object to import"),
        ("a: &a [*a]\n", "0.yaml:1:"),
        ("a: {<<: 5, b: 1}\n", "`<<` merges what is no map"),
    ] {
        let error = refused(&[text], &[]);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let line = refused(&["a: 1\n---\nb: [\n"], &[]);
    assert!(line.contains("0.yaml:"), "{line}");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let (directory, mut options) = options(&[&plain()]);
    options.inputs.push(Input { path: directory.path().join("none.yaml"), cluster: None });
    let error = import(&options).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("none.yaml"), "{error}");
    options.inputs.pop();
    std::fs::write(directory.path().join("latin.yaml"), b"kind: caf\xe9\n").unwrap();
    let error = import(&options).unwrap_err().to_string();
    assert!(error.contains("latin.yaml` is not UTF-8: byte 10"), "{error}");
}

#[test]
fn what_is_too_large_is_not_read() {
    let (directory, options) = options(&[&plain()]);
    // 100 MB without a byte on the disk.
    let file = std::fs::File::create(directory.path().join("huge.yaml")).unwrap();
    file.set_len(100_000_000).unwrap();
    let error = import(&options).unwrap_err().to_string();
    assert!(error.contains("huge.yaml`: the manifests are too large (at most 64 MiB are read)"), "{error}");
}

#[test]
fn a_list_and_a_byte_order_mark_are_what_kubectl_and_editors_write() {
    let items: String =
        plain().split("---\n").map(|it| format!("- {}\n", it.trim_end().replace('\n', "\n  "))).collect();
    let list = format!("\u{feff}apiVersion: v1\nkind: List\nitems:\n{items}");
    assert_eq!(imported(&[&list], &[]).unwrap().scenario, imported(&[&plain()], &[]).unwrap().scenario);
    let error = refused(&["apiVersion: v1\nkind: List\nitems: 3\n"], &[]);
    assert!(error.contains("a List without objects"), "{error}");
}
