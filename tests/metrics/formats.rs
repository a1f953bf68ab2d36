use super::*;
use crate::harness::{backends, eventually};

#[test]
fn a_scrape_is_in_the_format_that_is_preferred() {
    let [a] = backends();
    let balancer = Balancer::start(&config(&[a.url()], ""));
    let mut client = Client::connect(address(&balancer));
    let text = client.get("/metrics");
    assert_eq!(
        text.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert!(text.text().contains("# TYPE simple_lb_panics_total counter\n"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4";
    let open_metrics = client.request("GET", "/metrics", &[accept], b"");
    assert_eq!(
        open_metrics.header("Content-Type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open_metrics.text().ends_with("\n# EOF\n"));
    assert!(open_metrics.text().contains("# TYPE simple_lb_panics counter\n"));
}

#[test]
fn requests_are_counted_at_their_backend_and_route() {
    let [a, b] = backends();
    let balancer = Balancer::start(&config(&[a.url(), b.url()], ""));
    (0..10).for_each(|_| assert_eq!(balancer.get("/").status, 200));
    let at = |name: &str, backend: &str, more: &str| {
        format!("{name}{{pool=\"default\",backend=\"{backend}\"{more}}}")
    };
    let series = eventually("all is over", || {
        let series = Series::of(&balancer);
        let held = |url: &str| series.get(&at("simple_lb_backend_in_flight", url, ""));
        (held(&a.url()) + held(&b.url()) == 0.0).then_some(series)
    });
    for url in [a.url(), b.url()] {
        assert_eq!(series.get(&at("simple_lb_backend_requests_total", &url, "")), 5.0);
        let class = |class: &str| {
            series.get(&at(
                "simple_lb_backend_responses_total",
                &url,
                &format!(",class=\"{class}\""),
            ))
        };
        assert_eq!((class("2xx"), class("5xx")), (5.0, 0.0));
        let health = |health: &str| {
            series.get(&at(
                "simple_lb_backend_health",
                &url,
                &format!(",health=\"{health}\""),
            ))
        };
        assert_eq!((health("up"), health("down")), (1.0, 0.0));
    }
    assert_eq!(series.get("simple_lb_config_generation"), 1.0);
    assert!(series.get("process_resident_memory_bytes") > 1e6);
}
