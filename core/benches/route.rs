//! What finding the route of a request costs, by the number of routes.
#![allow(missing_docs, clippy::unwrap_used)]
use std::{fmt::Write, hint::black_box};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lb_core::{
    config,
    route::{Matcher, NoHeaders, Request},
};

/// Routes by host, by path, and by both; a tenth of each with a wildcard or a further condition.
fn matcher(routes: usize) -> Matcher {
    let mut text = "port: 0\nbackends: [http://a]\nroutes:\n".to_owned();
    for index in 0..routes {
        let line = match index % 10 {
            0 => format!("{{host: \"*.w{index}.example.com\", pool: default}}"),
            1 => format!("{{host: h{index}.example.com, path: /api/v{index}, method: POST, pool: default}}"),
            2..6 => format!(
                "{{host: h{}.example.com, path: /api/v{index}/items, pool: default}}",
                index / 10
            ),
            _ => format!("{{path: /service-{index}/api, pool: default}}"),
        };
        writeln!(text, "  - {line}").unwrap();
    }
    text.push_str("  - {pool: default}\n");
    Matcher::new(&config::load(&text, "config.yaml", &|_| None).unwrap().routes)
}

fn find(criterion: &mut Criterion) {
    for routes in [1, 10, 100, 1_000, 10_000] {
        let matcher = matcher(routes);
        let last = routes.saturating_sub(1) / 10 * 10;
        let mut group = criterion.benchmark_group(format!("find, {routes} routes"));
        for (name, host, path) in [
            (
                "host and path",
                format!("h{}.example.com", last / 10),
                format!("/api/v{}/items/4711", last + 3),
            ),
            (
                "path",
                "www.example.com".to_owned(),
                format!("/service-{}/api/items/4711", last + 7),
            ),
            (
                "wildcard",
                format!("a.b.w{last}.example.com"),
                "/api/v1/items/4711".to_owned(),
            ),
            (
                "the rest",
                "www.example.com".to_owned(),
                "/static/css/site.css".to_owned(),
            ),
        ] {
            let request = Request {
                host: host.as_bytes(),
                method: b"GET",
                path: path.as_bytes(),
                query: b"a=1",
                headers: &NoHeaders,
                client: [192, 0, 2, 1].into(),
            };
            assert!(matcher.find(&request).is_some());
            let id = BenchmarkId::from_parameter(name);
            group.bench_function(id, |bencher| bencher.iter(|| matcher.find(black_box(&request))));
        }
        group.finish();
    }
}

criterion_group!(benches, find);
criterion_main!(benches);
