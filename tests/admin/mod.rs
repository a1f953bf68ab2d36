//! The admin API over its own listener and over the control socket.

/// Who may do what: tokens, roles, hosts, origins.
mod access;
/// What changes, and the line that each change leaves in the log.
mod changes;
/// Clients that do nothing, a start, a stop.
mod life;
/// Backends that come and go beside the file.
mod members;

use std::{
    io::{Read, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
};

use crate::harness::{Balancer, Client, DEADLINE, FAST_CHECKS, Response};

const OPS: &str = "ops-0123456789abcdef";
const LOOKER: &str = "looker-0123456789abcdef";

/// Two tokens on a free port of the loopback address.
fn with_tokens(more: &str) -> String {
    format!(
        "admin: {{listen: \"127.0.0.1:0\", {more}tokens: [{{name: ops, token: {OPS}, role: admin}}, \
         {{name: looker, token: {LOOKER}}}]}}"
    )
}

fn config(backends: &[String], admin: &str) -> String {
    let backends: String = backends.iter().map(|one| format!("  - {one}\n")).collect();
    format!("port: 0\n{FAST_CHECKS}\n{admin}\nbackends:\n{backends}")
}

/// Where the API of an instance listens.
#[track_caller]
fn address(balancer: &Balancer) -> SocketAddr {
    let admin = balancer.status().admin;
    admin.expect("an admin listener").parse().unwrap()
}

/// A request with this token, which may be empty.
#[track_caller]
fn ask(balancer: &Balancer, (method, path): (&str, &str), token: &str, body: &str) -> Response {
    let line = format!("Authorization: Bearer {token}");
    let lines: Vec<&str> = [line.as_str()]
        .into_iter()
        .filter(|_| !token.is_empty())
        .collect();
    Client::connect(address(balancer)).request(method, path, &lines, body.as_bytes())
}

#[track_caller]
fn get(balancer: &Balancer, path: &str, token: &str) -> Response {
    ask(balancer, ("GET", path), token, "")
}

#[track_caller]
fn post(balancer: &Balancer, path: &str, token: &str, body: &str) -> Response {
    ask(balancer, ("POST", path), token, body)
}

/// What is wrong, and what to do about it, as a refusal says it.
#[track_caller]
fn said(response: &Response) -> String {
    assert_eq!(response.header("Content-Type"), Some("application/problem+json"));
    let json = response.json();
    assert_eq!(json["status"], response.status);
    let part = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    format!("{}; {}", part("detail"), part("hint"))
}

/// One request over the control socket: status code and body.
#[track_caller]
fn over_the_socket(balancer: &Balancer, method: &str, path: &str, body: &str) -> (u16, String) {
    let runtime = std::fs::read_dir(balancer.place.runtime()).unwrap();
    let mut paths = runtime.map(|entry| entry.unwrap().path());
    let socket = paths.find(|path| path.extension().is_some_and(|extension| extension == "sock"));
    let mut stream = UnixStream::connect(socket.expect("a socket")).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: control\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
