//! Chromium: a page with a style, a script and an image, which posts, listens to events and talks over a WebSocket.

use super::{LONGEST, is_installed};
use crate::harness::{Finished, Page, Process, Site};

const PAGES: &[Page] = &[
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/style.css", "text/css", "#styled { width: 123px }"),
    ("/script.js", "text/javascript", include_str!("page.js")),
    (
        "/image.svg",
        "image/svg+xml",
        "<svg xmlns='http://www.w3.org/2000/svg' width='17' height='4'/>",
    ),
    ("/report", "text/plain", "thanks"),
];

/// As root there is no sandbox, and a test wants no network but its own.
const ARGUMENTS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
     --disable-background-networking --disable-component-update --disable-sync --disable-extensions --no-proxy-server";

#[test]
fn chromium_shows_a_page_that_uses_all_that_pages_use() {
    if !is_installed("chromium") {
        return;
    }
    let (site, balancer) = Site::with_balancer(PAGES);
    let profile = balancer.place.folder().join("profile");
    let mut browser = balancer.place.command("chromium");
    browser
        .args(ARGUMENTS.split_whitespace())
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("http://{}/", balancer.address()))
        .env("HOME", balancer.place.folder());
    let mut browser = Process::start(&mut browser);
    assert_eq!(browser.wait_within(LONGEST), 0);
    let page = Finished::of(browser).stdout;
    for result in [
        "style: 123px",
        "image: 17 x 4",
        "post: 200 300000 bytes back",
        "events: event 1, event 2, event 3",
        "socket: hello, binary 70000, closed 1000",
    ] {
        assert!(page.contains(&format!("<li>{result}</li>")), "{result}: {page}");
    }
    assert_eq!(site.seen("/echo")[0].body.len(), 300_000);
    assert_eq!(site.seen("/socket").len(), 1);
}
