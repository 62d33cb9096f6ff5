//! A scenario that was opened: its text, where its files are, and what it comes to.

use crate::document::{Document, Setting};
use crate::expanded::expanded;
use crate::experiment::axes::{Axis, Combine};
use crate::keys::{self, values};
use crate::library;
use crate::origin::{self, Origin};
use crate::problem::{Checked, Problem, Problems, SourceText, clip, nearest};
use crate::resolve::{self, Resolved, WorkModels};
use crate::schema::spanned::Spanned;
use crate::schema::sweep::Values;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A scenario: of the library, of a file or of texts.
#[derive(Clone, Debug)]
pub struct Scenario {
    document: Document,
    files: Files,
    strategies: Vec<String>,
}

/// Where a scenario's files are.
#[derive(Clone, Debug)]
enum Files {
    Library,
    Directory(PathBuf),
    /// Not where the scenario was: their bytes by their names.
    Texts(Arc<BTreeMap<String, Vec<u8>>>),
}

/// A scenario or one of its files is at most so large (bytes). A million services fit.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Scenario {
    /// Opens a scenario by the name of a library scenario or by a path, and changes values. The path of a folder of results
    /// is that of the scenario that they come from, without what was changed for them.
    ///
    /// # Errors
    /// If there is none, it cannot be read, or it is not TOML.
    pub fn open(name_or_path: &str, settings: &[Setting]) -> Checked<Self> {
        let folder = Path::new(name_or_path);
        if library::scenario(name_or_path).is_none() && origin::is_of_results(folder) {
            let Origin { about, text, inputs, .. } = Origin::read(folder)?;
            let files = about.inputs.into_iter().map(|it| it.path).zip(inputs).collect();
            let name = folder.join(origin::SCENARIO).display().to_string();
            return Self::with_settings(Document::new(&name, &text), Files::Texts(Arc::new(files)), settings);
        }
        let (document, files) = match library::scenario(name_or_path) {
            Some(text) => (Document::new(&format!("{name_or_path}.toml"), text), Files::Library),
            None => {
                let path = Path::new(name_or_path);
                let bytes = read_bytes(path).map_err(|problem| suggest_library(name_or_path, problem))?;
                let text =
                    as_text(name_or_path, bytes).map_err(|problem| suggest_library(name_or_path, problem))?;
                let directory = path.parent().unwrap_or(Path::new("")).to_path_buf();
                (Document::new(name_or_path, &text), Files::Directory(directory))
            }
        };
        Self::with_settings(document, files, settings)
    }

    /// Takes a scenario's text, which messages call `name`, and those of the `files` that it names, each with its name;
    /// then changes values. Nothing is read from a disk. Files of the library are there too, as in
    /// `workmodel = "library:ten-services.workmodel.json"`.
    ///
    /// # Errors
    /// If the text is not TOML or two strategies have one name.
    pub fn from_text(name: &str, text: &str, files: &[(&str, &str)], settings: &[Setting]) -> Checked<Self> {
        let files = files.iter().map(|&(name, text)| (name.to_owned(), text.as_bytes().to_vec())).collect();
        let text = text.trim_start_matches('\u{feff}');
        Self::with_settings(Document::new(name, text), Files::Texts(Arc::new(files)), settings)
    }

    fn with_settings(document: Document, files: Files, settings: &[Setting]) -> Checked<Self> {
        Self::with_settings_for("--set", document, files, settings)
    }

    fn with_settings_for(
        origin: &str,
        mut document: Document,
        files: Files,
        settings: &[Setting],
    ) -> Checked<Self> {
        for setting in settings {
            document.set_for(origin, setting);
        }
        let heads = document.strategies()?;
        let mut strategies: Vec<String> = Vec::new();
        for head in heads {
            let (span, name) = (head.name.span(), head.name.into_inner());
            let problem = if name.trim().is_empty() {
                "a strategy has an empty name".to_owned()
            } else if strategies.contains(&name) {
                format!("two strategies are named `{name}`")
            } else {
                strategies.push(name);
                continue;
            };
            return Err(document.problem(problem, span).help("give each strategy a name of its own").into());
        }
        Ok(Self { document, files, strategies })
    }

    /// The same scenario with further settings.
    ///
    /// # Errors
    /// As [`Scenario::open`].
    pub fn with(&self, settings: &[Setting]) -> Checked<Self> {
        Self::with_settings(self.document.clone(), self.files.clone(), settings)
    }

    /// The same scenario with further settings, which messages call `origin` instead of `--set`.
    ///
    /// # Errors
    /// As [`Scenario::open`].
    pub fn with_for(&self, origin: &str, settings: &[Setting]) -> Checked<Self> {
        Self::with_settings_for(origin, self.document.clone(), self.files.clone(), settings)
    }

    /// Its text with locations.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// The path by which a scenario in `directory` names the same file as this one by `path`.
    ///
    /// # Errors
    /// If one of them does not exist, or the file is a text that was given and not on a disk.
    pub fn path_from(&self, path: &str, directory: &Path) -> Checked<String> {
        if path.starts_with(library::FILE_OF_LIBRARY) {
            return Ok(path.to_owned());
        }
        let home = match &self.files {
            Files::Library if library::file(path).is_some() => {
                return Ok(format!("{}{path}", library::FILE_OF_LIBRARY));
            }
            Files::Library => Path::new(""),
            Files::Directory(home) => home,
            Files::Texts(_) => {
                return Err(Problem::new(format!("`{path}` was given as a text and is not on a disk"))
                    .help("write it to a file, and open the scenario from one")
                    .into());
            }
        };
        let whole = |path: &Path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            std::fs::canonicalize(path)
                .map_err(|error| Problem::new(format!("cannot find `{}`: {error}", path.display())))
        };
        let (home, there) = (whole(home)?, whole(directory)?);
        if home == there || Path::new(path).is_absolute() {
            return Ok(path.to_owned());
        }
        Ok(relative(&whole(&home.join(path))?, &there))
    }

    /// The names of its strategies.
    #[must_use]
    pub fn strategies(&self) -> &[String] {
        &self.strategies
    }

    /// The index of a strategy; the first one's without a name, none if the scenario has none.
    ///
    /// # Errors
    /// If there is no strategy of this name.
    pub fn strategy(&self, name: Option<&str>) -> Checked<Option<usize>> {
        let Some(name) = name else { return Ok((!self.strategies.is_empty()).then_some(0)) };
        let found = self.strategies.iter().position(|known| known == name);
        found.map(Some).ok_or_else(|| {
            let known = self.strategies.iter().map(String::as_str);
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", self.strategies.join(", ")),
            };
            Problem::new(format!("the scenario has no strategy `{name}`")).help(help).into()
        })
    }

    /// What the scenario comes to under a strategy.
    ///
    /// # Errors
    /// Everything that is wrong with it; what is so under the strategy alone names it.
    pub fn resolve(&self, strategy: Option<usize>) -> Checked<Resolved> {
        let Some(index) = strategy else { return self.resolve_as(None) };
        self.resolve_as(strategy).map_err(|Problems(found)| {
            let of_base = self.resolve_as(None).map_or_else(|Problems(list)| list, |_| Vec::new());
            let name = format!("strategy `{}`", clip(&self.strategies[index]));
            let named = |problem: Problem| {
                if of_base.contains(&problem) || problem.message.contains(&name) {
                    return problem;
                }
                let merged = "what the strategy's `set` does not name is as the base has it";
                let help = problem.help.map_or(merged.to_owned(), |help| format!("{help}; {merged}"));
                Problem { message: format!("{name}: {}", problem.message), help: Some(help), ..problem }
            };
            Problems(found.into_iter().map(named).collect())
        })
    }

    fn resolve_as(&self, strategy: Option<usize>) -> Checked<Resolved> {
        let schema = self.document.read(strategy)?;
        let read = |path: &Spanned<String>| {
            let location = || self.document.location(path.span());
            self.file(path.get_ref())
                .map_err(|problem| Problems::from(Problem { location: location(), ..problem }))
        };
        let workmodels = schema.workmodels().map(|(name, path)| Ok((name.to_owned(), read(path)?)));
        let workmodels: WorkModels = workmodels.collect::<Checked<_>>()?;
        let name = strategy.map_or("base", |index| &self.strategies[index]);
        let files = |path: &str| self.bytes(path);
        let mut resolved = resolve::resolve(&self.document, &schema, &workmodels, &files, name)?;
        resolved.overridden = self.document.overridden(strategy)?;
        Ok(resolved)
    }

    /// The scenario with its settings as a file without templates.
    ///
    /// # Errors
    /// If its templates or changes are wrong.
    pub fn expanded(&self) -> Checked<String> {
        expanded(&self.document)
    }

    /// Every value that holds under a strategy, or in the base, and where each comes from.
    ///
    /// # Errors
    /// As [`Scenario::expanded`].
    pub fn values(&self, strategy: Option<usize>) -> Checked<Vec<values::Resolved>> {
        values::resolved(&self.document, strategy, &keys::json_schema())
    }

    /// What its table `[sweep]` varies, with `more` axes: one of the same path replaces that of the file. Also which values
    /// are taken together, where the file says so.
    ///
    /// # Errors
    /// If the table cannot be read, or one of its axes is none.
    pub fn sweep(&self, more: Vec<Axis>) -> Checked<(Vec<Axis>, Option<Combine>)> {
        let schema = self.document.read(self.strategy(None)?)?;
        let (mut axes, mut combine) = (Vec::new(), None);
        if let Some(table) = schema.sweep {
            let span = table.span();
            let table = table.into_inner();
            for axis in table.axes {
                let written = match axis.values.get_ref() {
                    Values::Text(text) => Axis::new(axis.path, text),
                    Values::List(values) => Axis::of(axis.path, values),
                };
                axes.push(written.map_err(|problems| self.at(problems, axis.values.span()))?);
            }
            if let Some(word) = table.combine {
                let known: Combine =
                    word.get_ref().parse().map_err(|message| self.document.problem(message, word.span()))?;
                let points = table.points.map(|it| it as usize);
                combine = Some(known.with_points(points).map_err(|problems| self.at(problems, word.span()))?);
            } else if table.points.is_some() {
                let problem = self.document.problem("`points` without `combine` has no effect", span);
                return Err(problem.help("write combine = \"latin_hypercube\", or leave it out").into());
            }
        }
        for axis in more {
            match axes.iter_mut().find(|it| it.path == axis.path) {
                Some(same) => *same = axis,
                None => axes.push(axis),
            }
        }
        Ok((axes, combine))
    }

    /// The same problems, at a location of the document where they have none.
    fn at(&self, problems: Problems, span: Range<usize>) -> Problems {
        let located = |it: Problem| Problem {
            location: it.location.or_else(|| self.document.location(span.clone())),
            ..it
        };
        Problems(problems.0.into_iter().map(located).collect())
    }

    /// Where the results of a command on it come from, which `settings` have changed; the command is in normal form.
    /// `variants` are what it was run as too, as by a sweep: the files that they name are needed as well.
    ///
    /// # Errors
    /// As [`Scenario::expanded`].
    pub fn origin(&self, command: Vec<String>, settings: &[Setting], variants: &[Self]) -> Checked<Origin> {
        let mut named: Vec<String> = Vec::new();
        for path in std::iter::once(self).chain(variants).flat_map(|it| it.named_files().concat()) {
            if !named.contains(&path) {
                named.push(path);
            }
        }
        let files =
            named.into_iter().filter_map(|path| Some((path.clone(), self.bytes(&path).ok()?))).collect();
        let settings = settings.iter().map(|it| format!("{}={}", it.path, it.value)).collect();
        let text = self.document.source().text.clone();
        Ok(Origin::new(command, settings, (text, Some(self.expanded()?)), files))
    }

    /// SHA-256 of everything that the results depend on: the scenario's text, its settings, and the
    /// work models and recordings of its strategies, in hexadecimal.
    ///
    /// # Errors
    /// None at present: a strategy that cannot be read has not run, and changes no result.
    pub fn sha256(&self) -> Checked<String> {
        let mut hash = Sha256::new();
        hash.update(self.document.whole_text());
        let [work_models, recordings] = self.named_files();
        for path in work_models {
            if let Ok(workmodel) = self.file(&path) {
                hash.update(&workmodel.text);
            }
        }
        for path in recordings {
            if let Ok(recording) = self.bytes(&path) {
                hash.update(&recording);
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The paths of the work models and of the recorded arrivals under all strategies, or those of the
    /// base if it has none; each once. A base that only its strategies complete need not be readable.
    fn named_files(&self) -> [Vec<String>; 2] {
        let indices: Vec<Option<usize>> = match self.strategies.len() {
            0 => vec![None],
            count => (0..count).map(Some).collect(),
        };
        let mut paths = [Vec::new(), Vec::new()];
        for schema in indices.into_iter().filter_map(|index| self.document.read(index).ok()) {
            let recordings = schema.users.values().filter_map(|users| users.get_ref().recording());
            let work_models = schema.workmodels().map(|(_, path)| path.get_ref().as_str());
            let named = [work_models.collect::<Vec<_>>(), recordings.collect()];
            for (known, named) in paths.iter_mut().zip(named) {
                for path in named {
                    if !known.iter().any(|known| known == path) {
                        known.push(path.to_owned());
                    }
                }
            }
        }
        paths
    }

    /// A file that the scenario names. To a library scenario, `--set` gives files of the user's own.
    pub(crate) fn file(&self, path: &str) -> Result<Arc<SourceText>, Problem> {
        let text = as_text(path, self.bytes(path)?)?;
        Ok(Arc::new(SourceText { name: path.to_owned(), text }))
    }

    /// The bytes of such a file.
    fn bytes(&self, path: &str) -> Result<Vec<u8>, Problem> {
        if let Some(name) = path.strip_prefix(library::FILE_OF_LIBRARY) {
            let text = library::file(name).ok_or_else(|| {
                let known: Vec<&str> = library::files().map(|(name, _)| name).collect();
                let problem = Problem::new(format!("the library has no file `{name}`"));
                problem.help(format!("it has {}", known.join(", ")))
            })?;
            return Ok(text.as_bytes().to_vec());
        }
        match &self.files {
            Files::Library => match library::file(path) {
                Some(text) => Ok(text.as_bytes().to_vec()),
                None => read_bytes(Path::new(path)).map_err(|problem| match problem.help {
                    Some(_) => problem,
                    None => problem.help(
                        "the library has no file of this name, so it was looked for in the current directory",
                    ),
                }),
            },
            Files::Directory(directory) => read_bytes(&directory.join(path)),
            Files::Texts(texts) => {
                let text = texts.get(path).ok_or_else(|| {
                    let known: Vec<&str> = texts.keys().map(String::as_str).collect();
                    let help = match known.is_empty() {
                        true => "none was given beside the scenario's".to_owned(),
                        false => format!("given are {}", known.join(", ")),
                    };
                    Problem::new(format!("no text was given for the file `{path}`")).help(help)
                })?;
                Ok(text.clone())
            }
        }
    }
}

/// The way from a directory to a file, both absolute, with slashes.
pub(crate) fn relative(file: &Path, directory: &Path) -> String {
    let common = file.components().zip(directory.components()).take_while(|(a, b)| a == b).count();
    let up = directory.components().skip(common).map(|_| "..".to_owned());
    let down = file.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Reads a whole text file, without the byte order mark that some editors put before it.
pub(crate) fn read_text(path: &Path) -> Result<String, Problem> {
    as_text(&path.display().to_string(), read_bytes(path)?)
}

/// Reads a whole file.
fn read_bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let name = path.display();
    let unreadable = |error| Problem::new(format!("cannot read `{name}`: {error}"));
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Err(Problem::new(format!("`{name}` is a directory")).help("name a file"));
    }
    // A device has no size and no end: what is read counts, not what the metadata say.
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::new(format!("`{name}` is too large"))
            .help(format!("at most {FILE_BYTES_MAX} bytes are read")));
    }
    Ok(bytes)
}

/// The text of a file, without the byte order mark that some editors put before it.
fn as_text(name: &str, mut bytes: Vec<u8>) -> Result<String, Problem> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Problem::new(format!("`{name}` is not UTF-8 text: line {} has other bytes", line + 1))
    })
}

fn suggest_library(name: &str, problem: Problem) -> Problem {
    if name.contains(['/', '.']) {
        return problem;
    }
    let names: Vec<&str> = library::names().collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean the library scenario `{near}`?"),
        None => format!("give a path, or one of the library scenarios {}", names.join(", ")),
    };
    problem.help(help)
}
