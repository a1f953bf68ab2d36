use std::time::{Duration, Instant};

use dummy_servers::{DummyServer, body_byte};

use crate::client::Client;

fn server() -> DummyServer {
    DummyServer::start("Server 2").unwrap()
}

fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(body_byte).collect()
}

#[test]
fn any_path_answers_with_the_name() {
    let server = server();
    let mut client = Client::to(&server);
    for path in ["/", "/any/path?x=1", "http://test/", "*"] {
        let answer = client.ask("GET", path);
        assert_eq!((answer.status, answer.text()), (200, "Hello from Server 2\n"));
        assert_eq!(answer.value("Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.value("X-Server"), Some("Server 2"));
    }
    assert_eq!(client.ask("GET", "/health").text(), "OK\n");
}

#[test]
fn echo_shows_the_request_as_it_came() {
    let server = server();
    let mut client = Client::to(&server);
    client.send(
        "PUT /echo?a=%20b&a HTTP/1.1\r\nzz: 1\r\nHoSt: test\r\nzz: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.send("3\r\nab\"\r\n2;x=y\r\n\n\x7f\r\n0\r\nT: 1\r\n\r\n");
    let answer = client.answer(false);
    assert_eq!(answer.value("Content-Type"), Some("application/json"));
    assert_eq!(
        answer.text(),
        concat!(
            r#"{"server":"Server 2","method":"PUT","path":"/echo?a=%20b&a","version":"HTTP/1.1","#,
            r#""headers":[["zz","1"],["HoSt","test"],["zz","2"],["Transfer-Encoding","chunked"]],"#,
            "\"body\":\"ab\\\"\\n\x7f\",\"body_length\":5}"
        )
    );
}

#[test]
fn echo_refuses_more_than_a_mebibyte_without_losing_the_answer() {
    let server = server();
    let body = vec![b'x'; 1024 * 1024 + 1];
    let mut client = Client::to(&server);
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1048576\r\n\r\n");
    client.send(&body[1..]);
    assert!(client.answer(false).text().ends_with("\"body_length\":1048576}"));
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1048577\r\n\r\n");
    client.send(&body);
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.value("Connection")), (413, Some("close")));
    assert!(client.rest().expect("an orderly end").is_empty());
    let mut client = Client::to(&server);
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n");
    client.send(&body);
    assert_eq!(client.answer(false).status, 413);
}

#[test]
fn bytes_sends_so_many_of_the_pattern() {
    let server = server();
    let mut client = Client::to(&server);
    for length in [0, 1, 65_504, 65_505, 3_000_000] {
        let answer = client.ask("GET", &format!("/bytes/{length}"));
        assert_eq!(answer.value("Content-Length"), Some(length.to_string().as_str()));
        assert!(answer.body == pattern(length), "{length}");
    }
    let answer = client.ask("HEAD", "/bytes/10737418240");
    assert_eq!(answer.value("Content-Length"), Some("10737418240"));
    assert_eq!(client.ask("GET", "/bytes/x").status, 400);
}

#[test]
fn drip_takes_its_time() {
    let server = server();
    let mut client = Client::to(&server);
    let start = Instant::now();
    client.send("GET /drip?bytes=1000&for=200ms HTTP/1.1\r\nHost: test\r\n\r\n");
    let answer = client.answer(false);
    assert_eq!(answer.value("Transfer-Encoding"), Some("chunked"));
    assert!(answer.body == pattern(1000) && start.elapsed() >= Duration::from_millis(200));
    assert_eq!(client.ask("GET", "/drip?bytes=0&for=0s").body, b"");
    let mut old = Client::to(&server);
    old.send("GET /drip?bytes=1000&for=20ms HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = old.answer(false);
    assert!(answer.body == pattern(1000) && answer.value("Transfer-Encoding").is_none());
}

#[test]
fn count_counts_the_body_and_says_continue_when_asked() {
    let server = server();
    let mut client = Client::to(&server);
    client.send(
        "POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.answer(false).status, 100);
    client.send(vec![b'x'; 5_000_000]);
    assert_eq!(client.answer(false).text(), "5000000\n");
    client.send("POST /count HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    assert_eq!(client.answer(false).status, 400);
}

#[test]
fn headers_has_two_cookies_and_a_hop_by_hop_header() {
    let server = server();
    let answer = Client::to(&server).ask("GET", "/headers");
    assert_eq!(answer.values("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(
        (answer.value("Connection"), answer.value("X-Hop")),
        (Some("X-Hop"), Some("1"))
    );
}

#[test]
fn status_answers_with_it_and_only_where_legal_with_a_body() {
    let server = server();
    let mut client = Client::to(&server);
    for (status, body) in [
        (200, "200\n"),
        (204, ""),
        (205, ""),
        (304, ""),
        (404, "404\n"),
        (599, "599\n"),
    ] {
        let answer = client.ask("GET", &format!("/status/{status}"));
        assert_eq!((answer.status, answer.text()), (status, body));
        assert_eq!(
            answer.value("Content-Length").is_none(),
            matches!(status, 204 | 304)
        );
    }
    assert_eq!(client.ask("GET", "/status/101").status, 400);
    let answer = client.ask("GET", "/redirect");
    assert_eq!((answer.status, answer.value("Location")), (302, Some("/")));
}

#[test]
fn gzip_claim_is_gzip() {
    let server = server();
    let answer = Client::to(&server).ask("GET", "/gzip-claim");
    assert_eq!(answer.value("Content-Encoding"), Some("gzip"));
    assert_eq!(
        (&answer.body[..4], answer.body.len()),
        ([0x1f, 0x8b, 8, 0].as_slice(), 25)
    );
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let server = server();
    let mut client = Client::to(&server);
    for path in [
        "/",
        "/health",
        "/bytes/7",
        "/headers",
        "/gzip-claim",
        "/status/404",
        "/drip?bytes=1&for=0s",
    ] {
        let (head, get) = (client.ask("HEAD", path), client.ask("GET", path));
        assert_eq!((head.status, head.lines), (get.status, get.lines), "{path}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_and_close_is_obeyed() {
    let server = server();
    let mut client = Client::to(&server);
    client.send(
        "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\
         GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(client.answer(false).text(), "2\n");
    let last = client.answer(false);
    assert_eq!((last.text(), last.value("Connection")), ("OK\n", Some("close")));
    assert!(client.rest().unwrap().is_empty());
}

#[test]
fn http_10_closes_unless_asked_not_to() {
    let server = server();
    let mut client = Client::to(&server);
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.answer(false).value("Connection"), Some("keep-alive"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    client.close_sending();
    assert_eq!(client.answer(false).text(), "Hello from Server 2\n");
    assert!(client.rest().unwrap().is_empty());
}

#[test]
fn a_head_that_is_no_http_is_answered_400_and_closed() {
    let server = server();
    let mut client = Client::to(&server);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx");
    let answer = client.answer(false);
    assert_eq!((answer.status, answer.value("Connection")), (400, Some("close")));
}
