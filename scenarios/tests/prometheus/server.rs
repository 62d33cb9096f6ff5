//! The real Prometheus over a file of metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server; it ends with the test, however that ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether Prometheus and its promtool (Debian's package `prometheus`) are installed; says which test is skipped if not.
pub(crate) fn is_installed(test: &str) -> bool {
    let is_there =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success());
    let both = is_there("promtool") && is_there("prometheus");
    if !both {
        eprintln!("skipped: {test} (no prometheus and promtool here)");
    }
    both
}

/// An empty folder of this name for a test's files.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes blocks of a file of metrics and serves them.
pub(crate) fn serve(folder: &Path, metrics: &Path) -> Server {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("config.yml"), "global: {}\n").unwrap();
    let output = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", metrics.to_str().unwrap(), &path("data")])
        .output()
        .unwrap();
    assert!(output.status.success(), "promtool: {}", String::from_utf8_lossy(&output.stderr));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", path("config.yml")))
        .arg(format!("--storage.tsdb.path={}", path("data")))
        .arg("--storage.tsdb.retention.time=100y")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server { child, url: format!("http://127.0.0.1:{port}") };
    for _ in 0..200 {
        if !answer(&server.url, "1", "vector(1)").is_empty() {
            return server;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("Prometheus does not answer");
}

/// What an instant query answers, by the labels of each series.
pub(crate) fn answer(url: &str, time: &str, expression: &str) -> BTreeMap<BTreeMap<String, String>, f64> {
    let output = Command::new("promtool")
        .args(["query", "instant", "-o", "json", &format!("--time={time}"), url, expression])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(&text) else { return BTreeMap::new() };
    let labels = |it: &serde_json::Value| {
        let all = it["metric"].as_object().unwrap().iter();
        all.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
    };
    let value = |it: &serde_json::Value| it["value"][1].as_str().unwrap().parse().unwrap();
    values.iter().map(|it| (labels(it), value(it))).collect()
}
