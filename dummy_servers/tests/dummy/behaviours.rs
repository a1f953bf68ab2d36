use std::time::{Duration, Instant};

use dummy_servers::{Behaviour, DummyServer, body_byte};

use crate::client::{Client, eventually};

fn server(behaviour: &str) -> DummyServer {
    let server = DummyServer::start("Server 2").unwrap();
    server.set_behaviour(behaviour.parse().unwrap());
    server
}

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn ok_answers_and_keeps_the_connection() {
    let server = server("ok");
    let mut client = Client::to(&server);
    for _ in 0..3 {
        assert_eq!(client.ask("GET", "/").text(), "Hello from Server 2\n");
    }
    assert_eq!((server.connections(), server.connections_total()), (1, 1));
}

#[test]
fn slow_answers_after_its_time_and_others_meanwhile() {
    let server = server("slow:150ms");
    let start = Instant::now();
    let mut slow = Client::to(&server);
    slow.send(GET);
    eventually("the slow request is counted", || server.hits() == 1);
    server.set_behaviour(Behaviour::Ok);
    assert_eq!(Client::to(&server).ask("GET", "/").status, 200);
    assert_eq!(slow.answer(false).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[test]
fn slow_and_hang_notice_a_client_that_leaves() {
    for behaviour in ["slow:1m", "hang"] {
        let server = server(behaviour);
        let mut client = Client::to(&server);
        client.send(GET);
        eventually("the request has come", || server.hits() == 1);
        assert_eq!(server.connections(), 1);
        drop(client);
        eventually("the server has let go", || server.connections() == 0);
    }
}

#[test]
fn fail_answers_500_with_a_body_and_keeps_the_connection() {
    let server = server("fail");
    let mut client = Client::to(&server);
    for path in ["/", "/health"] {
        let answer = client.ask("GET", path);
        assert_eq!(
            (answer.status, answer.text()),
            (500, "Server 2 fails, as it was told to\n")
        );
    }
    server.set_behaviour(Behaviour::Ok);
    assert_eq!(client.ask("GET", "/").status, 200);
}

#[test]
fn hang_reads_the_request_and_never_answers() {
    let server = server("hang");
    let mut client = Client::to(&server);
    let body = vec![b'x'; 8 * 1024 * 1024];
    client.send(format!(
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n",
        body.len() / 8
    ));
    client.send(&body);
    assert!(client.is_silent_for(Duration::from_millis(100)));
    drop(server);
    client.expect_reset();
}

#[test]
fn reset_resets_before_any_byte_of_an_answer() {
    let server = server("reset");
    let mut client = Client::to(&server);
    client.send(GET);
    client.expect_reset();
    let mut client = Client::to(&server);
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n");
    client.expect_reset();
    assert_eq!(server.hits(), 2);
}

#[test]
fn cut_sends_part_of_what_it_promised_and_closes_in_order() {
    let server = server("cut");
    let mut client = Client::to(&server);
    client.send(GET);
    let all = String::from_utf8(client.rest().expect("an orderly end")).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Length: 1000"),
        "{head}"
    );
    assert_eq!(body.as_bytes(), (0..100).map(body_byte).collect::<Vec<_>>());
}

#[test]
fn flaky_fails_exactly_its_share() {
    let server = server("flaky:10%");
    let mut client = Client::to(&server);
    for _ in 0..5 {
        let fails = (0..10).filter(|_| client.ask("GET", "/").status == 500).count();
        assert_eq!(fails, 1);
    }
}

#[test]
fn health_follows_the_rest_until_it_has_a_behaviour_of_its_own() {
    let server = server("fail");
    let mut client = Client::to(&server);
    assert_eq!(client.ask("GET", "/health").status, 500);
    server.set_health_behaviour(Some(Behaviour::Ok));
    let answer = client.ask("GET", "/health");
    assert_eq!((answer.status, answer.text()), (200, "OK\n"));
    assert_eq!(client.ask("GET", "/").status, 500);
    server.set_health_behaviour(None);
    assert_eq!(client.ask("GET", "/health").status, 500);
}
