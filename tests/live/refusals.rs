use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use super::{balancer, done};
use crate::harness::{Balancer, DEADLINE, Place, backends};

#[test]
fn an_unknown_backend_is_answered_with_those_that_there_are() {
    let [a, b] = backends();
    let balancer = balancer(&[&a, &b]);
    let wrong = balancer
        .place
        .run(&format!("drain {}/", a.url().replace("127", "12")));
    assert_eq!((wrong.code, wrong.stdout.as_str()), (1, ""));
    let lines: Vec<_> = wrong.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{wrong:?}");
    assert!(
        lines[0].ends_with(&format!("; did you mean `{}`?", a.url())),
        "{wrong:?}"
    );
    assert_eq!(lines[1], "the backends are:");
    assert!(
        lines[2..].contains(&format!("  {}", b.url()).as_str()),
        "{wrong:?}"
    );
    let wrong = balancer
        .place
        .run(&format!("drain {} --pool api --json", a.url()));
    assert_eq!((wrong.code, wrong.json()["applied"].as_bool()), (1, Some(false)));
    assert!(
        balancer.status().pools[0]
            .backends
            .iter()
            .all(|one| one.live.is_empty())
    );
}

#[test]
fn what_is_typed_wrongly_changes_nothing() {
    let [a] = backends();
    let balancer = balancer(&[&a]);
    for arguments in [
        "drain",
        "drain --for 10 http://a",
        "maintenance --for 0s http://a",
        "weight http://a",
        "weight http://a=0",
        "weight http://a=257",
        "weight http://a=1 --wait",
        "--reload drain http://a",
    ] {
        let wrong = balancer.place.run(arguments);
        assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""), "{arguments}");
        assert!(
            wrong.stderr.starts_with("error: "),
            "{arguments}: {}",
            wrong.stderr
        );
    }
    for verb in ["drain", "maintenance", "undrain", "weight"] {
        let help = done(&balancer, &format!("{verb} --help"));
        assert!(help.stdout.contains("Examples:"), "{verb}");
    }
    let nobody = Place::new().run("undrain http://a");
    assert_eq!(
        (nobody.code, nobody.stderr.lines().next()),
        (3, Some("no running instance"))
    );
}

/// What the control socket answers to these bytes.
fn told(balancer: &Balancer, body: &str) -> String {
    let sockets = fs::read_dir(balancer.place.runtime()).unwrap();
    let mut sockets = sockets.map(|entry| entry.unwrap().path());
    let socket = sockets.find(|path| path.extension().is_some_and(|end| end == "sock"));
    let mut stream = UnixStream::connect(socket.unwrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "POST /live HTTP/1.1\r\nHost: control\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // May be answered before all of it is read.
    let _answered = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_control_socket_takes_no_more_and_nothing_else_than_a_change() {
    let [a] = backends();
    let balancer = balancer(&[&a]);
    let url = a.url();
    for (body, status) in [
        ("{}".to_owned(), "400"),
        ("[".repeat(10_000), "400"),
        (format!("{{\"url\": \"{url}\", \"change\": \"explode\"}}"), "400"),
        (
            format!("{{\"url\": \"{url}\", \"change\": {{\"weight\": 0}}}}"),
            "400",
        ),
        (format!("{{\"url\": \"{url}\", \"until\": \"10m\"}}"), "400"),
        (format!("{{\"url\": \"{}\"}}", "x".repeat(20_000)), "413"),
    ] {
        let answer = told(&balancer, &body);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {answer}"
        );
    }
    for lasts in ["0s", "10", "999999999999d"] {
        let answer = told(
            &balancer,
            &format!("{{\"url\": \"{url}\", \"change\": \"drain\", \"for\": \"{lasts}\"}}"),
        );
        assert!(
            answer.contains("\"applied\":false") && answer.contains("for: must be"),
            "{answer}"
        );
    }
    assert!(balancer.backend(&url).live.is_empty());
    let answer = told(
        &balancer,
        &format!("{{\"url\": \"{url}\", \"change\": {{\"weight\": 7}}}}"),
    );
    assert!(answer.contains("\"applied\":true"), "{answer}");
    assert_eq!(balancer.backend(&url).weight, 7);
}
