//! Any bytes as a request's head: no panic, and what is accepted is written as one head that is accepted again with
//! the same framing.
#![no_main]

use lb_wire::{ClientAddress, ForwardContext, Limits, Lines, Parsed, parse_request, write_request_head};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (mut lines, limits) = (Lines::new(), Limits::default());
    let Ok(Parsed::Complete(head)) = parse_request(data, &mut lines, &limits) else {
        return;
    };
    let client = ClientAddress::new([192, 0, 2, 1].into());
    let context = ForwardContext {
        edits: None,
        client: &client,
        secure: false,
        trusted: data.len() % 2 == 0,
        forwarded: false,
        via: None,
        request_id: Some(b"0123456789abcdef"),
        default_host: "backend:80",
        close: false,
    };
    let mut out = Vec::new();
    write_request_head(&head.view(data, &lines), &context, &mut out);
    let wide = Limits {
        head_bytes: 1 << 20,
        header_count: 1000,
        target_bytes: 1 << 20,
    };
    let mut again = Lines::new();
    match parse_request(&out, &mut again, &wide) {
        Ok(Parsed::Complete(second)) => {
            assert_eq!(second.len, out.len(), "bytes behind the head");
            assert_eq!((second.method, second.framing), (head.method, head.framing));
        }
        other => panic!(
            "what was written is not accepted: {other:?}\n{}",
            out.escape_ascii()
        ),
    }
});
