//! How sockets are written, as configured and as the machine allows.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use fantail_tests::harness::{http, require};

use super::cli::{Server, fantail};

const SMALL: [&str; 4] = ["demo", "--calm", "--symbols", "1"];

/// The program where io_uring is forbidden, as Docker's profile forbids it.
fn forbidden() -> Option<Command> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("end_to_end/without_io_uring.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script);
    let works = Command::new("python3").arg("-B").arg("-c").arg("").status();
    if !works.is_ok_and(|status| status.success()) {
        require::skip("python3", "python3 does not start");
        return None;
    }
    command.arg(fantail());
    Some(command)
}

async fn paths(server: &Server) -> (String, String) {
    let url = server.1["admin"].as_str().expect("an address");
    let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let admin: SocketAddr = host.and_then(|host| host.parse().ok()).expect("ip:port");
    let (_, metrics) = http::get(admin, "/metrics").await.expect("metrics");
    let path = metrics.lines().find(|line| line.starts_with("fantail_gateway_flush_path{"));
    let (_, sessions) = http::get(admin, "/v1/sessions").await.expect("sessions");
    let listed: serde_json::Value = serde_json::from_str(&sessions).expect("JSON");
    let listed = listed[0]["flush_path"].as_str().expect("a path").to_owned();
    (path.expect("a figure").to_owned(), listed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_io_uring_is_forbidden_sockets_are_written_by_send() {
    let Some(program) = forbidden() else { return };
    let log = tempfile::NamedTempFile::new().expect("a log");
    let file = log.reopen().expect("the log again");
    let set = ["--set", "gateway.shards=1", "--set", "log.level=info"];
    let args = [&SMALL[..], &set].concat();
    let server = Server::of(program, &args, Stdio::from(file));
    let (figure, listed) = paths(&server).await;
    assert!(figure.contains(r#"path="send"} 1"#), "{figure}");
    assert_eq!(listed, "send");
    let told = std::fs::read_to_string(log.path()).expect("the log");
    let lines: Vec<_> = told.lines().filter(|line| line.contains("io_uring")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains("Operation not permitted"), "the reason is named: {lines:?}");
}

#[test]
fn io_uring_that_must_be_had_and_is_forbidden_is_no_start() {
    let Some(mut program) = forbidden() else { return };
    let set = ["--listen", "127.0.0.1:0", "--set", "gateway.flush=io_uring"];
    let ended = program.args(SMALL).args(set).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(said.contains("gateway.flush") && said.contains("not permitted"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_that_is_configured_is_the_way_that_is_told() {
    let send = [&SMALL[..], &["--set", "gateway.flush=send"]].concat();
    let (figure, listed) = paths(&Server::logging_to(&send, Stdio::inherit())).await;
    assert!(figure.contains(r#"path="send"} 1"#) && listed == "send", "{figure}, {listed}");
    let (figure, listed) = paths(&Server::logging_to(&SMALL, Stdio::inherit())).await;
    assert!(figure.contains(&format!("path=\"{listed}\"}} 1")), "{figure}, {listed}");
}
