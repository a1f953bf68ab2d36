//! Parses and rewrites one hostile head of a given size, to count its instructions: `bench/linear` runs it under callgrind with
//! two sizes and compares. `costs KIND BYTES`, with BYTES up to 32,000.
use std::process::ExitCode;

use lb_wire::{
    AnswerContext, Asked, BodyPlan, ClientAddress, ForwardContext, Limits, Lines, Method, Parsed, Version,
    parse_request, parse_response, write_request_head, write_response_head,
};

/// The kinds of heads: lists and lines whose elements could be compared with each other.
const KINDS: [&str; 7] = [
    "lines",
    "upgrade",
    "switch",
    "forwarded",
    "connection",
    "trailer",
    "cookie",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (kind, size) = match &arguments[..] {
        [kind, size] if KINDS.contains(&kind.as_str()) => (kind.as_str(), size.parse().unwrap_or(0)),
        _ => {
            eprintln!("usage: costs {} BYTES", KINDS.join("|"));
            return ExitCode::from(2);
        }
    };
    let mut out = Vec::new();
    match kind {
        "switch" => response(&list("x", size), &mut out),
        _ => request(&head(kind, size), &mut out),
    }
    println!("{kind}, {size} bytes: {} bytes written", out.len());
    ExitCode::SUCCESS
}

/// `element,element,…`
fn list(element: &str, size: usize) -> String {
    format!("{element},").repeat(size / (element.len() + 1))
}

fn head(kind: &str, size: usize) -> String {
    // As many lines as a head may have, each of its part.
    let lines = |name: &str, value: &str| {
        let count = 90;
        let part = size / count;
        let value = value.repeat(part.saturating_sub(name.len() + 4) / value.len());
        format!("{name}: {value}\r\n").repeat(count)
    };
    let more = match kind {
        "lines" => lines("X-Some", "v"),
        "upgrade" => format!("Connection: upgrade\r\nUpgrade: {}\r\n", list("x", size)),
        // The last line is malformed, which is seen only at the end.
        "forwarded" => lines("Forwarded", "for=a,") + "Forwarded: =\r\n",
        "connection" => lines("X-Some", "v") + &format!("Connection: {}\r\n", list("a", 60)),
        "trailer" => format!(
            "Transfer-Encoding: chunked\r\nConnection: {}\r\nTrailer: {}\r\n",
            list("a", 60),
            list("x", size)
        ),
        _ => lines("Cookie", "a=b;"),
    };
    format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n")
}

fn limits() -> Limits {
    Limits {
        head_bytes: 64 * 1024,
        ..Limits::default()
    }
}

fn request(head: &str, out: &mut Vec<u8>) {
    let mut lines = Lines::new();
    let client = ClientAddress::new([192, 0, 2, 1].into());
    let context = ForwardContext {
        client: &client,
        secure: false,
        trusted: true,
        forwarded: true,
        via: None,
        request_id: None,
        default_host: "backend",
        close: false,
        edits: None,
    };
    match parse_request(head.as_bytes(), &mut lines, &limits()) {
        Ok(Parsed::Complete(parsed)) => {
            write_request_head(&parsed.view(head.as_bytes(), &lines), &context, out)
        }
        other => eprintln!("{other:?}"),
    }
}

fn response(protocols: &str, out: &mut Vec<u8>) {
    let head =
        format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocols}\r\n\r\n");
    let offers = protocols.to_owned() + "y";
    let asked = Asked {
        method: Method::Get,
        offers: offers.as_bytes(),
    };
    let context = AnswerContext {
        client: Version::Http11,
        keep_alive: true,
        body: BodyPlan::Copy,
        length_without_body: true,
        date: None,
        via: None,
        edits: None,
    };
    let mut lines = Lines::new();
    match parse_response(head.as_bytes(), &mut lines, &limits(), asked) {
        Ok(Parsed::Complete(parsed)) => {
            write_response_head(&parsed.view(head.as_bytes(), &lines), &context, out);
        }
        other => eprintln!("{other:?}"),
    }
}
