//! `simple-lb demo`, where nobody watches: plain lines, and an end.

use crate::harness::{Place, get};

#[test]
fn the_demo_tells_its_story_without_a_terminal_and_ends_by_itself() {
    let place = Place::new();
    let mut demo = place.start(&["demo", "--port", "0", "--seconds", "4"]);
    let line = demo.wait_for_line("http://127.0.0.1:");
    let after = line.split("http://").nth(1).unwrap();
    let address = after.split(['/', ' ']).next().unwrap().parse().unwrap();
    assert_eq!(get(address, "/").status, 200, "anybody may join in");

    assert_eq!(demo.wait(), 0);
    let output = demo.stdout();
    let summary = output.lines().last().unwrap_or_default();
    for text in ["ok ", "failed 0;", "Server 1 ", "Server 2 ", "Server 3 "] {
        assert!(summary.contains(text), "{text}: {output}");
    }
    let sent: u64 = summary.split(&[' ', ','][..]).nth(1).unwrap().parse().unwrap();
    assert!(sent > 100, "{summary}");
    for event in ["Server 2 killed", "Server 2 revived", "Server 3 slow"] {
        assert!(output.contains(event), "{event}: {output}");
    }
    assert!(
        !output.contains('\x1b'),
        "plain lines have no colours: {output:?}"
    );
    assert!(!place.runtime().exists(), "the demo claims nothing");
}
