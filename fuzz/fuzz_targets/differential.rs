//! The same bytes to our parser and to actix-http's: where both accept a head, they agree on its method and on how
//! its body is framed. A difference here is how requests are smuggled.
#![no_main]

use actix_http::{
    HttpMessage,
    h1::{Codec, Message},
};
use bytes::BytesMut;
use lb_wire::{Framing, Limits, Lines, Parsed, parse_request};
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::Decoder;

thread_local! {
    static SYSTEM: actix_rt::SystemRunner = actix_rt::System::new();
}

fuzz_target!(|data: &[u8]| {
    let mut lines = Lines::new();
    let Ok(Parsed::Complete(ours)) = parse_request(data, &mut lines, &Limits::default()) else {
        return;
    };
    let view = ours.view(data, &lines);
    SYSTEM.with(|system| {
        system.block_on(async {
            let mut codec = Codec::default();
            let mut bytes = BytesMut::from(data);
            let Ok(Some(Message::Item(theirs))) = codec.decode(&mut bytes) else {
                return;
            };
            assert_eq!(theirs.method().as_str().as_bytes(), view.method());
            let headers = theirs.headers();
            let chunked = headers.contains_key("transfer-encoding");
            assert_eq!(chunked, ours.framing == Framing::Chunked, "chunked");
            if let Framing::Length(length) = ours.framing {
                let said = headers
                    .get("content-length")
                    .and_then(|value| value.to_str().ok());
                assert_eq!(
                    said.and_then(|value| value.trim().parse().ok()),
                    Some(length),
                    "length"
                );
            }
        });
    });
});
