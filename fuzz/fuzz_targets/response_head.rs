//! Any bytes as the head of an answer: no panic, and what is accepted is written as one head that is accepted again.
#![no_main]

use lb_wire::{
    AnswerContext, Asked, BodyPlan, Limits, Lines, Method, Parsed, Version, parse_response,
    write_response_head,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let method = [Method::Get, Method::Head, Method::Post, Method::Options][usize::from(choice & 3)];
    let asked = Asked {
        method,
        offers: if choice & 4 != 0 { b"websocket, foo/1" } else { b"" },
    };
    let (mut lines, limits) = (Lines::new(), Limits::default());
    let Ok(Parsed::Complete(head)) = parse_response(data, &mut lines, &limits, asked) else {
        return;
    };
    let client = if choice & 8 != 0 {
        Version::Http10
    } else {
        Version::Http11
    };
    let context = AnswerContext {
        edits: None,
        client,
        keep_alive: choice & 16 != 0,
        body: BodyPlan::choose(head.framing, client),
        length_without_body: true,
        date: Some("Sun, 22 Nov 2026 10:00:00 GMT"),
        via: None,
    };
    let mut out = Vec::new();
    write_response_head(&head.view(data, &lines), &context, &mut out);
    let wide = Limits {
        head_bytes: 1 << 20,
        header_count: 1000,
        target_bytes: 1 << 20,
    };
    match parse_response(&out, &mut Lines::new(), &wide, asked) {
        Ok(Parsed::Complete(second)) => assert_eq!((second.len, second.status), (out.len(), head.status)),
        other => panic!(
            "what was written is not accepted: {other:?}\n{}",
            out.escape_ascii()
        ),
    }
});
