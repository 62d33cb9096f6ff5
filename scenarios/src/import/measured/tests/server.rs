//! Servers that answer, do not, or answer something else.

use super::super::queries;
use super::super::{Answers, Measured, Server};
use super::{WINDOW, answers};
use serde_json::Value;

/// Answers with a status and a body to one question after the other; with what was asked.
fn answering(answers: Vec<(&'static str, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || {
        let each = answers.into_iter().map(|(status, body)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = vec![0; 8192];
            let read = stream.read(&mut bytes).unwrap();
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .unwrap();
            String::from_utf8_lossy(&bytes[..read]).into_owned()
        });
        each.collect()
    };
    (url, std::thread::spawn(answer))
}

#[test]
fn a_server_that_does_not_answer_as_prometheus_does_is_told_from_one_that_does() {
    let error = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    for (status, body, expected) in [
        ("401 Unauthorized", "who are you?", "HTTP 401 Unauthorized"),
        ("404 Not Found", "<html></html>", "HTTP 404 Not Found"),
        ("502 Bad Gateway", "", "HTTP 502 Bad Gateway"),
        ("200 OK", "<!doctype html><html></html>", "a page of HTML"),
        ("200 OK", r#"{"status":"success","data":{"resultType":"#, "none of Prometheus"),
        ("503 Service Unavailable", error, "query timed out"),
    ] {
        let answers = queries::ALL.iter().map(|_| (status, body.to_owned())).collect();
        let (url, _) = answering(answers);
        let said = Answers::ask(&url, 1.0, WINDOW)
            .and_then(|it| Measured::of_block(&it, WINDOW))
            .unwrap_err()
            .to_string();
        assert!(said.contains(expected), "{said}");
    }
    let wrong = |url: &str, headers: &[&str]| {
        Server::new(url, &headers.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
            .unwrap_err()
            .to_string()
    };
    assert!(wrong("https://prometheus", &[]).contains("meshsim import --queries"));
    let said = wrong("http://me:secret@prometheus", &[]);
    assert!(said.contains("--header \"Authorization: Basic") && !said.contains("secret"), "{said}");
    assert!(wrong("localhost:9090", &[]).contains("no http:// address"));
    let said = wrong("http://prometheus", &["Bearer secret"]);
    assert!(said.contains("NAME: VALUE") && !said.contains("secret"), "{said}");
    assert!(wrong("http://prometheus", &["@no-such-file"]).contains("no-such-file"));
}

#[test]
fn a_server_is_told_who_asks() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("headers");
    std::fs::write(&file, "X-Scope-OrgID: shop\n\n").unwrap();
    let answers = answers();
    let one_by_one =
        queries::ALL.iter().map(|it| ("200 OK", answers[&it.over(WINDOW)].to_string())).collect();
    let (url, asked) = answering(one_by_one);
    let headers = ["Authorization: Bearer secret".to_owned(), format!("@{}", file.display())];
    let server = Server::new(&format!("{url}/thanos/?dedup=true"), &headers).unwrap();
    let found = server.answers(1.0, WINDOW).unwrap();
    assert_eq!(found.to_json(), serde_json::from_value::<Answers>(Value::Object(answers)).unwrap().to_json());
    for it in asked.join().unwrap() {
        let it = it.to_lowercase();
        assert!(it.starts_with("get /thanos/api/v1/query?dedup=true&query="), "{it}");
        assert!(it.contains("authorization: bearer secret") && it.contains("x-scope-orgid: shop"), "{it}");
    }
}
