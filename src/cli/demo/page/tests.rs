use super::{super::sample::Sample, *};
use block::{Same, show};

/// The blocks of output in the documents, shared with the black-box tests.
#[path = "../../../../tests/documented/block.rs"]
mod block;

fn text(sample: &Sample, width: usize, height: usize) -> Vec<String> {
    render(&sample.state(), Size { width, height })
        .iter()
        .map(Line::text)
        .collect()
}

#[test]
fn the_page_at_80_by_24() {
    let expected = "\
simple-lb demo  a load balancer and three backends in one process
in another terminal:  curl http://127.0.0.1:8000/

    BACKEND                 HEALTH   REQUESTS  REQ/S   SHARE  FAILED   LATENCY
  1 http://127.0.0.1:40001  up            800    100   50.0%       0     0.4ms
> 2 http://127.0.0.1:40002  down          800      0    0.0%       0         -
  3 http://127.0.0.1:40003  up            800    100   50.0%       0     0.4ms
    Server 1 is ok, Server 2 is killed, Server 3 is slow 300ms

clients  load 200/s, last second 201 answers, p50 0.5ms, p99 1.2ms
         sent 2401, ok 2400, failed 0
         \n
keys  1 2 3 select  k kill  r revive  s slow on/off  l load off/200/2000  q quit

events
  13.0s  event 13
  14.0s  event 14
  15.0s  event 15
  16.0s  event 16
  17.0s  event 17
  18.0s  event 18
  19.0s  event 19
  20.0s  event 20";
    assert_eq!(text(&Sample::new(), 80, 24).join("\n"), expected);
}

#[test]
fn nothing_is_wider_than_80_columns_even_with_large_numbers() {
    let mut sample = Sample::new();
    for backend in &mut sample.now.pools[0].backends {
        backend.counts.requests = 99_999_999;
        backend.counts.failures = 123_456;
        backend.counts.latency_micros_total = 300_400 * 99_999_999;
        backend.counts.answers = 99_999_999;
    }
    sample.seen = Seen {
        sent: 299_999_999,
        ok: 299_999_998,
        rate: 99_999,
        ..sample.seen
    };
    sample.seen.p50 = Some(Duration::from_secs(9));
    sample.seen.p99 = Some(Duration::from_secs(9));
    for line in text(&sample, 80, 24) {
        assert!(line.len() <= 80, "{} characters: {line}", line.len());
    }
}

#[test]
fn a_wide_terminal_shows_more_of_the_table_and_a_tall_one_more_events() {
    let lines = text(&Sample::new(), 150, 60);
    assert!(lines[3].contains("LAST PROBE"), "{}", lines[3]);
    assert_eq!(lines.last().map(String::as_str), Some("  20.0s  event 20"));
    assert!(lines.iter().any(|line| line.ends_with("  event 1")));
}

#[test]
fn a_small_terminal_shows_what_matters_most() {
    let expected = "\
simple-lb demo  a load balancer and three backends in one process
    BACKEND                 HEALTH
  1 http://127.0.0.1:40001  up
> 2 http://127.0.0.1:40002  down
  3 http://127.0.0.1:40003  up
    Server 1 is ok, Server 2 is killed, Server 3 is slow 300ms
clients  load 200/s, last second 201 answers, p50 0.5ms, p99 1.2ms
         sent 2401, ok 2400, failed 0
 k kill r revive s slow l load q quit";
    let lines = text(&Sample::new(), 40, 9);
    assert_eq!(lines.join("\n"), expected);
    // The keys are all there, whatever else is cut.
    for height in 5..30 {
        let lines = text(&Sample::new(), 40, height);
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with("q quit") && line.len() <= 40),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_tiny_terminal_gets_no_more_lines_than_it_has() {
    for height in 0..30 {
        assert!(text(&Sample::new(), 20, height).len() <= height);
    }
}

#[test]
fn health_and_what_a_backend_does_are_coloured() {
    let lines = render(
        &Sample::new().state(),
        Size {
            width: 80,
            height: 24,
        },
    );
    let style = |line: &Line, word: &str| {
        line.spans()
            .iter()
            .find(|(_, text)| text == word)
            .map(|span| span.0)
    };
    assert_eq!(style(&lines[4], "up"), Some(Style::Good));
    assert_eq!(style(&lines[5], "down"), Some(Style::Bad));
    assert_eq!(style(&lines[7], "killed"), Some(Style::Bad));
    assert_eq!(style(&lines[7], "slow 300ms"), Some(Style::Warning));
}

#[test]
fn failures_of_backends_are_told_apart_from_those_of_clients() {
    let mut sample = Sample::new();
    sample.now.pools[0].backends[1].counts.failures = 7;
    let lines = text(&sample, 80, 24);
    assert!(lines[11].ends_with("7 requests met a dead backend, and another one answered them"));
    sample.seen.failed = 2;
    let lines = render(
        &sample.state(),
        Size {
            width: 80,
            height: 24,
        },
    );
    assert_eq!(
        lines[10].spans().last(),
        Some(&(Style::Bad, "failed 2".to_owned()))
    );
}

/// The page as the documents show it: the second backend killed, the third one slow.
#[test]
fn the_documented_page_is_what_the_demo_draws() {
    let mut sample = Sample::new();
    let slow = 301_000;
    sample.now.pools[0].backends[1].counts.failures = 76;
    sample.now.pools[0].backends[2].counts.latency_micros_total =
        sample.before.pools[0].backends[2].counts.latency_micros_total + 100 * slow;
    sample.seen.p99 = Some(Duration::from_micros(slow + 500));
    let event = |at: u64, text: &str| Event {
        at: Duration::from_millis(at),
        style: Style::Plain,
        text: text.to_owned(),
    };
    sample.events = vec![
        event(0, "load 200 requests/s"),
        event(5_400, "Server 2 killed: it refuses connections, as after a crash"),
        event(
            6_500,
            "balancer noticed: http://127.0.0.1:40002 down, the others take over",
        ),
        event(9_800, "Server 3 slow: it answers after 300ms, probes too"),
    ];
    let lines = text(&sample, 80, 24);
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    show("demo", &lines.join("\n"), Same::Bytes);
}
