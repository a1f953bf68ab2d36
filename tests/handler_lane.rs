//! This same suite on the handler lane: the test program starts itself again. What has nothing to do with the lane, or
//! holds on the wire lane only, is left out.

use std::process::Command;

use lb_core::config::Lane;

use crate::harness::lane::{VARIABLE, lane};

/// What has nothing to do with the lane.
const THE_SAME: [&str; 10] = [
    "handler_lane::",
    "command_line::",
    "demo::",
    "documented::",
    "dummies::",
    "health::",
    "instances::",
    "layering::",
    "verbatim::",
    "conformance::documented",
];

/// What the types of actix-web and awc cannot hold. No test of security or data is among them.
const WIRE_ONLY: [&str; 15] = [
    // Each head and chunk is compared byte by byte.
    "conformance::generated",
    // Header maps have names in lower case, and no order among different ones.
    "case_order_and_repetition_survive",
    "headers_of_answers_keep_case_order_and_bytes",
    "white_space_before_the_colons_of_answers_is_taken_out",
    // actix-web's reason phrases are those of the standard.
    "the_reason_phrase_is_the_backends",
    // awc skips trailers and has no place for them; bodies are data, of which chunks are made anew.
    "a_body_that_breaks_off_is_never_ended_cleanly",
    "chunks_and_trailers_pass_both_ways",
    "requests_may_come_byte_by_byte",
    "trailers_of_answers_that_are_to_be_headers_are_left_out",
    "trailers_pass_unless_they_would_change_the_message",
    "trailers_that_a_route_removes_end_here",
    "trailers_that_connection_names_end_here",
    "white_space_in_the_chunk_sizes_of_answers_is_taken_out",
    // The crate `http` takes fewer characters in methods and targets.
    "any_token_is_a_method_and_case_matters",
    "targets_pass_as_they_are",
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
