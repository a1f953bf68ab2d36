//! This same suite on the handler lane: the test program starts itself again. What has nothing to do with the lane, or
//! holds on the wire lane only, is left out.

use std::process::Command;

use lb_core::config::Lane;

use crate::harness::lane::{VARIABLE, lane};

/// What has nothing to do with the lane.
const THE_SAME: [&str; 11] = [
    "handler_lane::",
    "command_line::",
    "demo::",
    "documented::",
    "dummies::",
    // Names its lane.
    "websocket::",
    "health::",
    "instances::",
    "layering::",
    "verbatim::",
    "conformance::documented",
];

/// What the framework cannot: form, or less than the wire lane gives. No test of security or data is among them.
const WIRE_ONLY: [&str; 43] = [
    // Tunnels.
    "conformance::tunnel_property",
    "conformance::upgrade",
    "everyday::browser",
    "a_tunnel_holds_its_place_as_long_as_it_lasts",
    // Interim answers: the framework asks for the body itself, and tells no backend that the client waited.
    "a_body_that_nobody_wants_is_not_asked_for",
    "an_interim_answer_with_a_length_has_no_body",
    "interim_answers_in_one_piece_with_the_final_one_are_told_apart",
    "interim_answers_pass_as_they_come",
    "interim_answers_without_end_are_a_fault",
    "the_body_is_asked_for_when_the_backend_asks",
    "who_waits_to_be_asked_for_its_body_is_not_the_one_who_is_silent",
    "a_file_is_posted_after_the_backend_has_asked_for_it",
    // Case, order, reason phrases, trailers and the bounds of chunks.
    "conformance::generated",
    "a_body_that_breaks_off_is_never_ended_cleanly",
    "case_order_and_repetition_survive",
    "chunks_and_trailers_pass_both_ways",
    "headers_of_answers_keep_case_order_and_bytes",
    "names_with_underscores_never_pass_for_ours",
    "requests_may_come_byte_by_byte",
    "rfc_9112_7_1_only_content_counts_for_the_limit_of_a_body",
    "the_reason_phrase_is_the_backends",
    "trailers_pass_unless_they_would_change_the_message",
    "trailers_of_answers_that_are_to_be_headers_are_left_out",
    "trailers_that_connection_names_end_here",
    "white_space_before_the_colons_of_answers_is_taken_out",
    "white_space_in_the_chunk_sizes_of_answers_is_taken_out",
    "a_client_s_body_is_due_only_when_it_was_asked_for",
    "an_interim_answer_that_found_no_room_goes_out_when_there_is_some",
    "conformance::leaving::in_a_tunnel",
    "a_backend_that_breaks_a_tunnel_is_noticed_too",
    "a_tunnel_whose_bytes_are_read_slowly_is_not_idle",
    // Methods and targets of characters that the framework's types have not.
    "any_token_is_a_method_and_case_matters",
    "targets_pass_as_they_are",
    "what_a_rewrite_fills_in_is_a_path_that_every_backend_can_read",
    // awc tells no version.
    "via_is_written_where_it_is_on",
    // awc enforces the age of idle connections when it next looks for one.
    "idle_connections_to_backends_are_given_up_in_time",
    // Over a kept connection that its backend has closed, only `GET` and `HEAD` are sent again, and `POST` goes.
    "a_post_goes_over_a_connection_that_was_used_just_now_or_a_new_one",
    "a_put_that_one_backend_loses_goes_whole_to_another",
    "a_request_lost_on_a_kept_connection_is_sent_again_if_that_does_no_harm",
    "a_post_gets_a_new_connection_where_the_backend_closes_idle_ones_at_once",
    // awc's pool learns nothing of backends; what they say out of turn closes one connection at a time.
    "no_connection_is_used_twice_where_the_backend_talks_out_of_turn",
    "a_body_that_must_not_be_costs_the_connection",
    "backends_that_close_without_a_word_cost_no_get_and_no_post_is_sent_twice",
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
