//! The objects of files, directories and standard input.

use super::content;
use super::node::{Node, Value};
use super::yaml::{self, VALUES_MAX};
use crate::problem::{Checked, Location, Problem, SourceText, clip};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most bytes of all files together.
const BYTES_MAX: u64 = 64 << 20;

/// How deep directories are looked through.
const DIRECTORIES_MAX: usize = 32;

/// Something to import: a file, a directory, or standard input (`-`).
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// The cluster whose objects are in it, if they are of one.
    pub cluster: Option<String>,
}

/// A manifest that is no file.
#[derive(Clone, Debug)]
pub struct Text {
    /// What messages call it.
    pub name: String,
    /// The cluster whose objects are in it, if they are of one.
    pub cluster: Option<String>,
    /// All of it.
    pub text: String,
}

/// An object of a manifest.
#[derive(Debug)]
pub(super) struct Object {
    /// The group of its API, empty for Kubernetes' own.
    pub(super) group: String,
    /// What it is.
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
    /// Its namespace, if it says one.
    pub(super) namespace: Option<String>,
    /// The cluster that it is of, if that was said.
    pub(super) cluster: Option<String>,
    /// All of it.
    pub(super) root: Node,
    source: Arc<SourceText>,
    document: usize,
    line: usize,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) objects: Vec<Object>,
    /// Files of directories that are no YAML.
    pub(super) other_files: Vec<String>,
    /// Files of load generators that `--users` names, by their numbers there.
    pub(super) loads: BTreeMap<usize, Object>,
}

impl Object {
    /// Whether it is of a group and a kind.
    pub(super) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// The namespace that it is in.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    /// A file that is no manifest, as an object of the report.
    pub(super) fn of_file(group: &str, kind: &str, root: Node, source: Arc<SourceText>) -> Self {
        let name = Path::new(&source.name)
            .file_name()
            .map_or_else(String::new, |it| it.to_string_lossy().into_owned());
        let (group, kind) = (group.to_owned(), kind.to_owned());
        Self { group, kind, name, namespace: None, cluster: None, root, source, document: 1, line: 1 }
    }

    /// The name of its file.
    pub(super) fn source_name(&self) -> &str {
        &self.source.name
    }

    /// The text of its file.
    pub(super) fn text(&self) -> &str {
        &self.source.text
    }

    /// What it is called in messages.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// Where a part of it is.
    pub(super) fn location(&self, node: &Node) -> Location {
        Location { source: Arc::clone(&self.source), span: node.span() }
    }

    /// Where it is, as people read it.
    pub(super) fn at(&self, node: &Node) -> String {
        let (line, _) = self.location(node).line_and_column();
        format!("{}:{line}", self.source.name)
    }

    /// Where it begins, as people read it.
    pub(super) fn first_line(&self) -> String {
        format!("{}:{}", self.source.name, self.line)
    }

    /// The number of its document in its file.
    pub(super) const fn document(&self) -> usize {
        self.document
    }
}

/// Reads all objects, in the order of what is given and of the names of files.
///
/// # Errors
/// If something cannot be read, is too large, not UTF-8 or no YAML, or an object has no kind or no name.
pub(super) fn read(inputs: &[Input], texts: &[Text]) -> Checked<Found> {
    let mut reader = Reader { bytes: BYTES_MAX, values: VALUES_MAX, found: Found::default() };
    for it in texts {
        reader.objects(&it.name, it.text.clone(), it.cluster.as_deref())?;
    }
    for input in inputs {
        match input.path.to_str() {
            Some("-") => {
                let text = reader.text("standard input", std::io::stdin().lock())?;
                reader.objects("standard input", text, input.cluster.as_deref())?;
            }
            _ => reader.look(&input.path, input.cluster.as_deref(), 0, true)?,
        }
    }
    if reader.found.objects.is_empty() {
        return Err(Problem::new("there is no object to import")
            .help("name files or directories of manifests")
            .into());
    }
    Ok(reader.found)
}

/// A file that was read.
struct Read {
    source: Arc<SourceText>,
    /// Where its lines end.
    ends: Vec<usize>,
    cluster: Option<String>,
}

struct Reader {
    bytes: u64,
    values: usize,
    found: Found,
}

impl Reader {
    fn look(&mut self, path: &Path, cluster: Option<&str>, depth: usize, is_named: bool) -> Checked<()> {
        let name = path.display().to_string();
        let unreadable = |error| Problem::new(format!("cannot read `{name}`: {error}"));
        let data = std::fs::metadata(path).map_err(unreadable)?;
        if data.is_dir() {
            if depth > DIRECTORIES_MAX {
                let help = "a link that leads back to itself?";
                return Err(Problem::new(format!("`{name}` is too deep in directories")).help(help).into());
            }
            let entries = std::fs::read_dir(path).map_err(unreadable)?;
            let mut paths: Vec<PathBuf> =
                entries.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>().map_err(unreadable)?;
            paths.sort();
            return paths.iter().try_for_each(|it| self.look(it, cluster, depth + 1, false));
        }
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if !is_named && !matches!(extension, "yaml" | "yml" | "json") {
            self.found.other_files.push(name);
            return Ok(());
        }
        let text = self.text(&name, std::fs::File::open(path).map_err(unreadable)?)?;
        self.objects(&name, text, cluster)
    }

    /// A text that is not too long.
    fn text(&mut self, name: &str, file: impl std::io::Read) -> Checked<String> {
        let mut bytes = Vec::new();
        let unreadable = |error| Problem::new(format!("cannot read `{name}`: {error}"));
        file.take(self.bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > self.bytes {
            let problem = Problem::new(format!("`{name}`: the manifests are too large"));
            return Err(problem.help(format!("at most {} MiB are read", BYTES_MAX >> 20)).into());
        }
        self.bytes -= bytes.len() as u64;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let problem =
                Problem::new(format!("`{name}` is not UTF-8: byte {} is none of a character", at + 1));
            problem.help("save it as UTF-8").into()
        })
    }

    fn objects(&mut self, name: &str, text: String, cluster: Option<&str>) -> Checked<()> {
        let text = match text.strip_prefix('\u{feff}') {
            Some(rest) => rest.to_owned(),
            None => text,
        };
        let source = Arc::new(SourceText { name: name.to_owned(), text });
        let ends =
            source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        let file = Read { source, ends, cluster: cluster.map(str::to_owned) };
        for (document, node) in yaml::documents(&file.source, &mut self.values)? {
            self.object(node, &file, document)?;
        }
        Ok(())
    }

    /// An object, or those of a list as `kubectl get -o yaml` prints it.
    fn object(&mut self, mut root: Node, file: &Read, document: usize) -> Checked<()> {
        let source = &file.source;
        if let Some(kind) = content::kind(&root) {
            let mut object = Object::of_file(content::GROUP, kind, root, Arc::clone(source));
            object.cluster.clone_from(&file.cluster);
            self.found.objects.push(object);
            return Ok(());
        }
        let required = |path: &str, help: &str| -> Checked<String> {
            let text = root.get(path).and_then(Node::text).filter(|it| !it.is_empty()).map(str::to_owned);
            text.ok_or_else(|| {
                let problem = Problem::new(format!("an object without `{path}`")).at(source, root.span());
                problem.help(help).into()
            })
        };
        let kind = required(
            "kind",
            "every object has one, as in `kind: Deployment`; of a chart or a kustomization give what `helm template` or `kustomize build` prints",
        )?;
        let version = required("apiVersion", "every object has one, as in `apiVersion: apps/v1`")?;
        let group = version.split_once('/').map_or("", |(group, _)| group).to_owned();
        if group == "kustomize.config.k8s.io" {
            let problem = Problem::new(format!("a {} is no manifest", clip(&kind))).at(source, root.span());
            return Err(problem.help("give what `kustomize build` prints").into());
        }
        if kind.ends_with("List") && root.get("items").is_some() {
            if let Value::Map(entries) = &mut root.value
                && let Some(at) = entries.iter().position(|(key, _)| &**key == "items")
                && let Value::List(items) = entries.swap_remove(at).1.value
            {
                return items.into_iter().try_for_each(|it| self.object(it, file, document));
            }
            let help = "items: is a list of objects";
            return Err(Problem::new(format!("a {} without objects", clip(&kind)))
                .at(source, root.span())
                .help(help)
                .into());
        }
        let name = required("metadata.name", "every object has one; `generateName` has no name to refer to")?;
        let namespace = root.get("metadata.namespace").and_then(Node::text).map(str::to_owned);
        let line = file.ends.partition_point(|end| *end < root.span().start) + 1;
        let (cluster, source) = (file.cluster.clone(), Arc::clone(source));
        self.found.objects.push(Object {
            group,
            kind,
            name,
            namespace,
            cluster,
            root,
            source,
            document,
            line,
        });
        Ok(())
    }
}
