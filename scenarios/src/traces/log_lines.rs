//! The lines of a container's log, without what a runtime or a tool puts before them.
//!
//! # Models
//! `kubectl logs --timestamps` puts a time before each line, `--prefix` (and `-l` with several pods)
//! `[pod/NAME/CONTAINER]`; lines of containers other than proxies are left out and counted. Files of containerd and CRI-O have a time, the stream, and `F` or, of a line
//! that is cut into several, `P`. Docker's have a JSON object a line, whose `log` ends with the line.
//!
//! # Source
//! Kubernetes, `kubectl logs` (`pkg/cmd/logs`); the CRI's log format, kubernetes
//! `pkg/kubelet/kuberuntime/logs`; Docker documentation, JSON File logging driver.

use super::collect::Collector;
use super::input::{Content, MAX_LINE, problem_of};
use super::lines::each_whole_line;
use super::time::rfc3339_us;
use crate::problem::{Checked, Problem};
use serde::Deserialize;
use std::borrow::Cow;

/// A line, and what is known of it.
pub(super) struct LogLine<'t> {
    /// The container's own.
    pub(super) text: Cow<'t, str>,
    /// To which stream it was written: 0 or 1.
    stream: usize,
    /// It goes on in the next line of the stream.
    goes_on: bool,
    /// It is of a container that is no proxy.
    pub(super) is_of_other: bool,
}

/// Hands each line of a container that is not blank to `take`, with its number from 1.
pub(super) fn each_log_line<'a>(
    content: Content<'a>,
    to: &mut Collector<'a>,
    mut take: impl FnMut(&mut Collector<'a>, &str, u64) -> Result<(), Problem>,
) -> Checked<()> {
    let mut begun = [String::new(), String::new()];
    let mut others = 0_u64;
    each_whole_line(content, to, |to, text, number| {
        let line = unwrap(text);
        if line.is_of_other {
            others += 1;
            return Ok(());
        }
        let before = &mut begun[line.stream];
        if before.is_empty() && !line.goes_on {
            let text = line.text.trim();
            return if text.is_empty() { Ok(()) } else { take(to, text, number) };
        }
        before.push_str(&line.text);
        if before.len() > MAX_LINE {
            before.clear();
            let message = format!("line {number}: its parts are longer than {MAX_LINE} bytes");
            return to.bad(problem_of(to.path, message).help("is it an access log?"));
        }
        if line.goes_on { Ok(()) } else { take(to, std::mem::take(before).trim(), number) }
    })?;
    if others > 0 {
        to.note(format!("{others} lines of containers that are no proxies are left out"));
    }
    if begun.iter().any(|text| !text.is_empty()) {
        to.bad(problem_of(to.path, "ends within a line").help("is the file cut short?"))?;
    }
    Ok(())
}

/// A line without what was put before it.
pub(super) fn unwrap(line: &str) -> LogLine<'_> {
    let mut rest = line.trim_start();
    let mut is_of_other = false;
    if let Some((pod, after)) = rest.split_once("] ").filter(|_| rest.starts_with("[pod/")) {
        rest = after;
        let container = pod.rsplit('/').next().unwrap_or_default();
        is_of_other = !["proxy", "envoy", "gateway"].iter().any(|name| container.contains(name));
    }
    if let Some((_, after)) = rest.split_once(' ').filter(|(time, _)| rfc3339_us(time).is_some()) {
        rest = after;
        let mut parts = rest.splitn(3, ' ');
        let stream = parts.next().and_then(stream);
        let is_last = parts.next().and_then(|tags| match tags.split(':').next() {
            Some("F") => Some(true),
            Some("P") => Some(false),
            _ => None,
        });
        if let Some((stream, is_last)) = stream.zip(is_last) {
            let text = Cow::Borrowed(parts.next().unwrap_or_default());
            return LogLine { text, stream, goes_on: !is_last, is_of_other };
        }
    } else if let Some(line) = of_docker(rest) {
        return line;
    }
    LogLine { text: Cow::Borrowed(rest), stream: 0, goes_on: false, is_of_other }
}

/// Its index.
fn stream(name: &str) -> Option<usize> {
    ["stdout", "stderr"].iter().position(|known| *known == name)
}

#[derive(Deserialize)]
struct DockerLine {
    log: String,
    stream: String,
}

fn of_docker(line: &str) -> Option<LogLine<'static>> {
    let inside = line.strip_prefix('{')?.trim_start();
    if !["\"log\"", "\"stream\"", "\"time\""].iter().any(|key| inside.starts_with(key)) {
        return None;
    }
    let found: DockerLine = serde_json::from_str(line).ok()?;
    let goes_on = !found.log.ends_with('\n');
    let stream = stream(&found.stream)?;
    Some(LogLine { text: Cow::Owned(found.log), stream, goes_on, is_of_other: false })
}

#[cfg(test)]
mod tests {
    use super::unwrap;

    #[test]
    fn what_is_put_before_a_line_is_taken_away() {
        let time = "2025-03-01T10:00:00.500000000Z";
        for (line, text) in [
            ("[2025-03-01T10:00:00.1Z] a", "[2025-03-01T10:00:00.1Z] a"),
            (&*format!("{time} [x] a"), "[x] a"),
            ("2025-03-01T10:00:00.5+01:00 [x] a", "[x] a"),
            (&format!("[pod/s1-7d4-x/istio-proxy] {time} [x] a"), "[x] a"),
            ("[pod/s1-7d4-x/istio-proxy] [x] a", "[x] a"),
            (&format!("{time} stdout F [x] a"), "[x] a"),
            (&format!("{time} stderr F "), ""),
            (&format!("{time} stdout is a word"), "stdout is a word"),
            (r#"{"log":"[x] \"a\"\n","stream":"stdout","time":"2025-03-01T10:00:00Z"}"#, "[x] \"a\"\n"),
            (r#"{"time":"2025-03-01T10:00:00Z","other":1}"#, r#"{"time":"2025-03-01T10:00:00Z","other":1}"#),
        ] {
            let found = unwrap(line);
            assert_eq!((&*found.text, found.goes_on), (text, false), "{line}");
        }
        let part = format!("{time} stdout P [x] ");
        assert_eq!((&*unwrap(&part).text, unwrap(&part).goes_on), ("[x] ", true));
        assert!(unwrap("[pod/s1-7d4-x/app] [x] a").is_of_other);
        assert!(unwrap(r#"{"log":"[x] ","stream":"stderr"}"#).goes_on);
    }
}
