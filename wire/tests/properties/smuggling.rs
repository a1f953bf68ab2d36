//! Requests made to be read in two ways: refused, or sent on with exactly one framing.

use crate::{
    heads::{check_request, forward, parse, same_end},
    naive,
};
use lb_wire::Parsed;
use proptest::prelude::*;

const NAMES: &[&str] = &[
    "Content-Length",
    "content-length",
    "Transfer-Encoding",
    "transfer-encoding",
    "TRANSFER-ENCODING",
    "Content_Length",
    "Transfer_Encoding",
    "Content-Length ",
    "Transfer-Encoding\t",
    " Transfer-Encoding",
    "X\r\nTransfer-Encoding",
    "X: y\nTransfer-Encoding",
    "X: y\rContent-Length",
    "\0Content-Length",
    "Transfer-\u{212a}ncoding",
    "Connection",
];
const COLONS: &[&str] = &[
    ":", ": ", ":\t", " :", ":  ", ":\r\n ", ":\u{b}", ":\u{a0}", "", "::",
];
const VALUES: &[&str] = &[
    "5",
    "0",
    "05",
    "+5",
    "-0",
    "0x5",
    "5 ",
    "5,5",
    "5, 5",
    "5 5",
    "5\t",
    "",
    "1e1",
    "5;",
    "18446744073709551621",
    "chunked",
    "Chunked",
    "chunked ",
    " chunked",
    "\tchunked",
    "xchunked",
    "chunkedx",
    "chunked, identity",
    "identity, chunked",
    "identity",
    "gzip, chunked",
    "chunked, chunked",
    "chunked,",
    ",chunked",
    "chunked;q=1",
    "\"chunked\"",
    "chunked\0",
    "chunk\u{212a}ed",
    "chunked\r",
    "cow",
    "Content-Length",
    "Transfer-Encoding",
];

/// A line that is odd in some way, or a plain one: ambiguity also comes from two lines that are each in order.
fn line() -> impl Strategy<Value = String> {
    let ends = prop::sample::select(vec![
        "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n\r\n", "\0\r\n", "\r\r\n",
    ]);
    let (names, values) = (prop::sample::select(NAMES), prop::sample::select(VALUES));
    let colons = prop_oneof![3 => Just(": "), 1 => prop::sample::select(COLONS)];
    let odd = (names, colons, values, ends)
        .prop_map(|(name, colon, value, end)| format!("{name}{colon}{value}{end}"));
    let plain = [
        "Content-Length: 5\r\n",
        "Content-Length: 6\r\n",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: x\r\n",
    ];
    prop_oneof![2 => odd, 1 => prop::sample::select(plain.map(str::to_owned).to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_ambiguous_request_is_refused_or_sent_on_with_one_framing(
        lines in prop::collection::vec(line(), 1..4),
        version in prop::sample::select(vec!["1.1", "1.1", "1.1", "1.0"]),
        host_last in any::<bool>(),
    ) {
        let (first, last) = if host_last { ("", "Host: a\r\n") } else { ("Host: a\r\n", "") };
        let bytes = format!("POST / HTTP/{version}\r\n{first}{}{last}\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n", lines.concat());
        check_request(bytes.as_bytes())?;
        if let Some((head, out)) = forward(bytes.as_bytes(), false) {
            let after = naive::read(&out).ok_or_else(|| TestCaseError::fail("unreadable"))?;
            prop_assert!(same_end(head.framing, after.end()));
            let framings = |name: &str| after.headers.iter().filter(|(other, _)| other.replace('_', "-") == name).count();
            prop_assert!(framings("content-length") + framings("transfer-encoding") <= 1, "{}", out.escape_ascii());
        }
    }
}

/// Requests that are known to have fooled somebody; each must be refused, or end where the naive reader says.
#[test]
fn requests_that_fooled_others() {
    for lines in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "X: x\nTransfer-Encoding: chunked",
        "Transfer-Encoding\r\n : chunked",
        "Content-Length: 6\r\nContent-Length: 7",
        "Content-Length: 6,7",
        "Content-Length: 6\r\n 7",
        "Content-Length: 6\x0c",
        "GET / HTTP/1.1",
        "Content-Length: 5\rTransfer-Encoding: chunked",
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        assert!(parse(bytes.as_bytes()).is_err(), "{lines:?}");
    }
    for lines in [
        "Transfer_Encoding: chunked\r\nContent-Length: 6",
        "Connection: content-length\r\nContent-Length: 6",
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        assert!(
            matches!(parse(bytes.as_bytes()), Ok(Parsed::Complete(_))),
            "{lines:?}"
        );
        assert!(
            check_request(bytes.as_bytes()).is_ok_and(|accepted| accepted),
            "{lines:?}"
        );
    }
}
