//! Which file imports which, from `use` items outside of tests. An item that a module passes on with
//! `pub use` belongs to the file that has it.

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeMap;
use std::path::Path;
use syn::{Item, UseTree};

/// The files of a package.
pub(crate) struct Package {
    /// The text of each, by its path below `src`.
    pub(crate) texts: BTreeMap<String, String>,
    /// A file, and a crate that it imports.
    pub(crate) foreign: Vec<(String, String)>,
    /// A file, and another of the package that it imports.
    edges: Vec<(String, String)>,
}

type Module = Vec<String>;

/// What a file has of `use` items.
struct Imports {
    module: Module,
    uses: Vec<(Vec<String>, bool)>,
}

impl Package {
    pub(crate) fn read(source: &Path) -> Self {
        let mut texts = BTreeMap::new();
        read_files(source, source, &mut texts);
        let imports: BTreeMap<&String, Imports> =
            texts.iter().map(|(file, text)| (file, imports_of(file, text))).collect();
        let files: BTreeMap<&[String], &String> =
            imports.iter().map(|(file, it)| (it.module.as_slice(), *file)).collect();
        let (mut foreign, mut edges) = (Vec::new(), Vec::new());
        for (&file, it) in &imports {
            for (path, _) in &it.uses {
                match absolute(&it.module, path, &files) {
                    None => foreign.push((file.clone(), path[0].clone())),
                    Some(path) => {
                        let target = home(&path, &files, &imports, 8);
                        edges.extend(target.filter(|it| *it != file).map(|it| (file.clone(), it.clone())));
                    }
                }
            }
        }
        Self { foreign, edges, texts }
    }

    /// Sets of files of which each imports every other, directly or through others of the set.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let graph: DiGraphMap<&str, ()> = self.edges.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let circles = tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1);
        let sorted = circles.map(|mut files| {
            files.sort_unstable();
            files.into_iter().map(String::from).collect()
        });
        let mut sorted: Vec<Vec<String>> = sorted.collect();
        sorted.sort();
        sorted
    }
}

fn read_files(root: &Path, directory: &Path, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            read_files(root, &path, texts);
        } else if path.extension().is_some_and(|it| it == "rs") && !is_test(&path) {
            let name = path.strip_prefix(root).expect("it lies below").to_string_lossy().replace('\\', "/");
            texts.insert(name, std::fs::read_to_string(&path).expect("a readable file"));
        }
    }
}

/// Tests in files of their own.
fn is_test(path: &Path) -> bool {
    path.components().any(|it| it.as_os_str() == "tests")
        || path.file_stem().is_some_and(|it| it == "tests" || it == "test_random")
}

fn imports_of(file: &str, text: &str) -> Imports {
    let mut module: Module = file.trim_end_matches(".rs").split('/').map(String::from).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut uses = Vec::new();
    for item in syntax.items {
        if let Item::Use(item) = item
            && !item.attrs.iter().any(|it| it.path().is_ident("cfg"))
        {
            let is_public = !matches!(item.vis, syn::Visibility::Inherited);
            flatten(&item.tree, &mut Vec::new(), &mut |path| uses.push((path.to_vec(), is_public)));
        }
    }
    Imports { module, uses }
}

fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut impl FnMut(&[String])) {
    match tree {
        UseTree::Path(it) => {
            before.push(it.ident.to_string());
            flatten(&it.tree, before, found);
            before.pop();
        }
        UseTree::Group(it) => it.items.iter().for_each(|tree| flatten(tree, before, found)),
        UseTree::Name(it) => with(before, &it.ident.to_string(), found),
        UseTree::Rename(it) => with(before, &it.ident.to_string(), found),
        UseTree::Glob(_) => with(before, "*", found),
    }
}

fn with(before: &mut Vec<String>, name: &str, found: &mut impl FnMut(&[String])) {
    if name == "self" {
        return found(before);
    }
    before.push(name.into());
    found(before);
    before.pop();
}

/// The path from the package's root; nothing for another crate's.
fn absolute(module: &[String], path: &[String], files: &BTreeMap<&[String], &String>) -> Option<Module> {
    let mut base: Module = match path[0].as_str() {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        first => {
            // A child of this module, or another crate.
            let child = [module, &[first.to_string()]].concat();
            return files.contains_key(child.as_slice()).then(|| [module, path].concat());
        }
    };
    for part in &path[1..] {
        if part == "super" {
            base.pop();
        } else {
            base.push(part.clone());
        }
    }
    Some(base)
}

/// The file that has what a path names.
fn home<'a>(
    path: &[String],
    files: &BTreeMap<&[String], &'a String>,
    imports: &BTreeMap<&'a String, Imports>,
    depth: u32,
) -> Option<&'a String> {
    let length = (0..=path.len()).rev().find(|&length| files.contains_key(&path[..length]))?;
    let file = files[&path[..length]];
    let Some(name) = path.get(length).filter(|_| depth > 0) else { return Some(file) };
    let imported = &imports[file];
    let passed_on = imported.uses.iter().filter(|(_, is_public)| *is_public);
    let through = passed_on.filter(|(used, _)| used.last().is_some_and(|last| last == name));
    let through = through.filter_map(|(used, _)| absolute(&imported.module, used, files)).next();
    match through {
        Some(further) => home(&further, files, imports, depth - 1),
        None => Some(file),
    }
}
