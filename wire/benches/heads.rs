//! What a head costs: parsing, and parsing and rewriting; and what following a chunked body costs.
#![allow(missing_docs)]
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lb_wire::{
    AnswerContext, Asked, BodyFilter, BodyPlan, BodyTracker, ClientAddress, ForwardContext, Framing, Limits,
    Lines, Method, Parsed, Version, parse_request, parse_response, write_chunk, write_request_head,
    write_response_head,
};
use std::hint::black_box;

const SMALL: &[u8] =
    b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: wrk/4.2\r\nAccept: */*\r\n\r\n";

const TYPICAL: &[u8] = b"GET /api/v1/items?page=3&sort=name HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Connection: keep-alive\r\n\
    Referer: https://www.example.com/items\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: backend\r\n\
    Date: Tue, 01 Jul 2025 10:00:00 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 62\r\n\
    Connection: keep-alive\r\n\
    Cache-Control: no-cache\r\n\r\n";

fn heads(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut lines = Lines::new();
    let mut out = Vec::with_capacity(4096);
    let client = ClientAddress::new([192, 0, 2, 17].into());
    let context = ForwardContext {
        edits: None,
        client: &client,
        secure: false,
        trusted: false,
        forwarded: false,
        via: None,
        request_id: None,
        default_host: "127.0.0.1:9001",
        close: false,
    };
    for (name, bytes) in [("3 lines", SMALL), ("8 lines", TYPICAL)] {
        criterion.bench_function(&format!("request, {name}: parse"), |bencher| {
            bencher.iter(|| parse_request(black_box(bytes), &mut lines, &limits))
        });
        criterion.bench_function(&format!("request, {name}: parse and rewrite"), |bencher| {
            bencher.iter(|| {
                out.clear();
                if let Ok(Parsed::Complete(head)) = parse_request(black_box(bytes), &mut lines, &limits) {
                    write_request_head(&head.view(bytes, &lines), &context, &mut out);
                }
                out.len()
            })
        });
    }
    let asked = Asked {
        method: Method::Get,
        offers: b"",
    };
    let answer = AnswerContext {
        edits: None,
        client: Version::Http11,
        keep_alive: true,
        body: BodyPlan::Copy,
        length_without_body: true,
        date: Some(b"Tue, 01 Jul 2025 10:00:00 GMT"),
        via: None,
    };
    criterion.bench_function("answer, 6 lines: parse and rewrite", |bencher| {
        bencher.iter(|| {
            out.clear();
            if let Ok(Parsed::Complete(head)) = parse_response(black_box(ANSWER), &mut lines, &limits, asked)
            {
                write_response_head(&head.view(ANSWER, &lines), &answer, &mut out);
            }
            out.len()
        })
    });
}

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunked, 1 MiB");
    for size in [64, 4096, 65536] {
        let mut body = Vec::new();
        let chunk = vec![b'x'; size];
        for _ in 0..(1 << 20) / size {
            write_chunk(&chunk, &mut body);
        }
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("chunks of {size}"), |bencher| {
            bencher.iter(|| BodyTracker::new(Framing::Chunked).feed(black_box(&body)))
        });
        group.bench_function(format!("chunks of {size}, passed on"), |bencher| {
            bencher.iter(|| {
                let mut instead = Vec::new();
                let mut filter = BodyFilter::of_answer(Framing::Chunked, Vec::new());
                filter.pass(black_box(&body), &mut instead)
            })
        });
    }
    group.finish();
}

criterion_group!(benches, heads, bodies);
criterion_main!(benches);
