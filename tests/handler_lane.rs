//! This same suite on the handler lane: the test program starts itself again. What has nothing to do with the lane, or
//! holds on the wire lane only, is left out.

use std::process::Command;

use lb_core::config::Lane;

use crate::harness::lane::{VARIABLE, lane};

/// What has nothing to do with the lane.
const THE_SAME: [&str; 9] = [
    "handler_lane::",
    "command_line::",
    "demo::",
    "dummies::",
    // Names its lane.
    "websocket::",
    "health::",
    "instances::",
    "layering::",
    "verbatim::",
];

/// What the framework cannot: form, or less than the wire lane gives. Of the conformance tests those remain that no
/// fault of security or data may escape: answers that leave something in doubt.
const WIRE_ONLY: [&str; 25] = [
    "conformance::deadlines",
    "conformance::documented",
    "conformance::forwarded",
    "conformance::generated",
    "conformance::interim",
    "conformance::leaving",
    "conformance::limits",
    "conformance::message_forms",
    "conformance::pipelining",
    "conformance::request_fields",
    "conformance::request_framing",
    "conformance::request_line",
    "conformance::stale",
    "conformance::streams",
    "conformance::tunnel_property",
    "conformance::upgrade",
    "conformance::volume",
    // With a WebSocket.
    "everyday::browser",
    "everyday::load",
    // The framework asks for the body itself, and tells no backend that the client waited.
    "a_file_is_posted_after_the_backend_has_asked_for_it",
    // A client that leaves is noticed when the answer comes.
    "a_place_is_free_again_when_a_client_leaves",
    // Tunnels.
    "a_tunnel_holds_its_place_as_long_as_it_lasts",
    // Chunks are made anew, so that their bounds differ.
    "a_body_that_breaks_off_is_never_ended_cleanly",
    // The framework closes where only a reset would tell an HTTP/1.0 client.
    "_client_could_not_see_is_a_reset",
    "resets_a_close_delimited_answer",
];

#[test]
fn the_suite_holds_on_the_handler_lane() {
    if lane() == Lane::Handler {
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env(VARIABLE, "handler").env("RUST_TEST_THREADS", "2");
    for name in THE_SAME.iter().chain(&WIRE_ONLY) {
        again.args(["--skip", name]);
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
