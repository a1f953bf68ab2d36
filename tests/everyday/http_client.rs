//! Python's `http.client`: what it gets is checked by a script in Python, what arrives by the site.

use super::{is_installed, run};
use crate::harness::{FILE_LENGTH, Site};

const SCRIPT: &str = include_str!("http_client.py");

#[test]
fn http_client_keeps_its_connection_and_sends_and_gets_any_body() {
    if !is_installed("python3") {
        return;
    }
    let (site, balancer) = Site::with_balancer(&[("/hello", "text/plain", "hello\n")]);
    balancer.place.write("client.py", SCRIPT);
    let port = balancer.address().port();
    let said = run(&balancer.place, &format!("python3 client.py {port}"));
    assert_eq!(said, "all is well\n");
    let uploads = site.seen("/echo");
    let lengths: Vec<_> = uploads.iter().map(|request| request.body.len()).collect();
    assert_eq!(lengths, [5, 11, 0, FILE_LENGTH, FILE_LENGTH]);
    let codings: Vec<_> = uploads
        .iter()
        .map(|request| request.all("transfer-encoding").len())
        .collect();
    assert_eq!(codings, [0, 1, 1, 0, 1]);
}
