//! A scenario under a strategy as manifests of Kubernetes, Istio and Liqo, with what these cannot say beside them.
//!
//! # Models
//! The scenario's tables are written out, so that every value stands where it holds (`written_out`). From these come the
//! objects: a Deployment per service and cluster, required to run on nodes of the cluster's zone, with its autoscaler
//! (`workloads`); a Service and a DestinationRule per service, VirtualServices, a Gateway and who may call whom (`mesh`); what
//! Liqo is told (`liqo`). The manifests are then imported again: what they do not come to is the overlay (`overlay`), so nothing
//! can be missing in both. [`difference`] is what a change of strategy changes, [`workmodel`] the application as µBench's
//! work model.
//!
//! # Assumptions
//! Names of hosts outside the clusters and of images that the scenario does not know are examples, to be replaced:
//! `NAME.example.com`, `NAME:latest`. Effect on results: none, for the importer does not look at them.
//!
//! # Source
//! The API references of Kubernetes 1.33, Istio 1.26 and Liqo 1.0; the layout of FLUIDOS-MESH's manifests.

pub mod difference;
mod liqo;
mod mesh;
mod objects;
mod overlay;
#[cfg(test)]
mod tests;
mod workloads;
pub mod workmodel;
mod written_out;

pub use objects::Manifest;
pub use overlay::reason;

use crate::expanded::tables;
use crate::import::manifests::overlay::{beside, recordings};
use crate::import::manifests::{self, Options, Overlay, Text};
use crate::problem::{Checked, Problem, SourceText};
use crate::scenario::Scenario;
use objects::{Exporter, SHARED};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::{Table, Value};

/// The first line of a file of manifests that was exported.
pub const BEGIN: &str = "# Exported by meshsim";

/// The file of the overlay.
pub const OVERLAY: &str = "overlay.toml";

/// A scenario under a strategy as manifests.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The objects, in the order of their files.
    pub manifests: Vec<Manifest>,
    /// What they cannot say, as TOML.
    pub overlay: String,
    /// The clusters that have a folder of their own.
    pub clusters: Vec<String>,
    /// Recorded arrivals that the overlay names.
    pub recordings: Vec<(String, String)>,
}

impl Exported {
    /// The files with their paths: the manifests, recordings, and the overlay last.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = texts(&self.manifests).into_iter().map(|it| (it.name, it.text)).collect::<Vec<_>>();
        files.extend(self.recordings.iter().cloned());
        files.push((OVERLAY.to_owned(), self.overlay.clone()));
        files
    }

    /// What they come to, if they are imported again with their overlay.
    ///
    /// # Errors
    /// As [`manifests::import`].
    pub fn imported(&self) -> Checked<manifests::Imported> {
        let overlay = Overlay::from_text(OVERLAY, &self.overlay)?.with_recordings(self.recordings.clone());
        let overlay = Some(overlay);
        let texts = texts(&self.manifests);
        manifests::import(&Options { name: "imported".to_owned(), texts, overlay, ..Options::default() })
    }
}

/// The manifests of a scenario under a strategy (the base if it has none).
///
/// # Errors
/// If the scenario is wrong, or has names that no object of Kubernetes can have.
pub fn export(scenario: &Scenario, strategy: Option<usize>) -> Checked<Exported> {
    let resolved = scenario.resolve(strategy)?;
    let tables = tables(scenario.document(), strategy)?;
    let model = work_model(scenario, &tables)?;
    let mut tables = tables;
    written_out::federation(&mut tables, &resolved.description);
    let whole = written_out::written_out(tables, &resolved.description);
    let exporter = Exporter::new(&whole, &resolved.description)?;
    let mut manifests = Vec::new();
    workloads::add(&exporter, model.as_ref().map(|it| it.text.as_str()), &mut manifests);
    mesh::add(&exporter, &mut manifests);
    liqo::add(&exporter, &mut manifests);
    manifests.sort_by_key(Manifest::path);
    let options = Options { name: "imported".to_owned(), texts: texts(&manifests), ..Options::default() };
    let again = manifests::tables(&options, &Overlay::of(whole.clone()))?;
    let again = written_out::written_out(again, &resolved.description);
    let overlay = overlay::text(&again, &whole);
    let folders: BTreeSet<&String> =
        manifests.iter().map(|it| &it.folder).filter(|it| *it != SHARED).collect();
    let clusters = folders.into_iter().cloned().collect();
    let read = |path: String| {
        beside(Path::new(""), &path)?;
        let text = scenario.file(&path)?.text.clone();
        Checked::Ok((path, text))
    };
    let recordings = recordings(&whole).into_iter().map(read).collect::<Checked<_>>()?;
    Ok(Exported { manifests, overlay, clusters, recordings })
}

/// The work model of the only application, if it has one.
fn work_model(scenario: &Scenario, tables: &Table) -> Checked<Option<std::sync::Arc<SourceText>>> {
    let tenants = tables.get("applications").and_then(Value::as_table).into_iter().flatten();
    for (name, tenant) in tenants {
        if tenant.get("workmodel").is_some() {
            let help = "write their services out, or export them one by one";
            return Err(Problem::new(format!("application `{name}` of several has a work model"))
                .help(help)
                .into());
        }
    }
    let path = tables.get("application").and_then(|it| it.get("workmodel")?.as_str());
    Ok(path.map(|path| scenario.file(path)).transpose()?)
}

/// The files of manifests.
fn texts(manifests: &[Manifest]) -> Vec<Text> {
    let mut files: BTreeMap<String, Text> = BTreeMap::new();
    for it in manifests {
        let file = files.entry(it.path()).or_insert_with(|| {
            let cluster = (it.folder != SHARED).then(|| it.folder.clone());
            Text { name: it.path(), cluster, text: format!("{BEGIN}\n") }
        });
        file.text += "---\n";
        file.text += &it.text();
    }
    files.into_values().collect()
}
