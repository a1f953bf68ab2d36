//! This same suite on the handler lane: the test program starts itself again. What has nothing to do with the lane, or
//! holds on the wire lane only, is left out.

use std::process::Command;

use lb_core::config::Lane;

use crate::harness::lane::{VARIABLE, lane};

/// The first holds on the wire lane only; the others are the same whatever carries the requests.
const LEFT_OUT: [&str; 9] = [
    "conformance::",
    "handler_lane::",
    "command_line::",
    "demo::",
    "dummies::",
    "health::",
    "instances::",
    "layering::",
    "verbatim::",
];

#[test]
fn the_suite_holds_on_the_handler_lane() {
    if lane() == Lane::Handler {
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env(VARIABLE, "handler").env("RUST_TEST_THREADS", "2");
    for module in LEFT_OUT {
        again.args(["--skip", module]);
    }
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("test result: ok. "),
        "{}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains(" 0 passed"), "nothing ran: {text}");
}
