use std::{io, sync::Arc, time::Duration};

use dummy_servers::{Behaviour, DummyServer, Options};

use crate::client::{Client, DEADLINE, eventually};

#[test]
fn a_killed_server_resets_and_refuses_and_a_revived_one_answers_on_the_same_port() {
    let server = DummyServer::start("Server 1").unwrap();
    let (mut idle, mut hanging) = (Client::to(&server), Client::to(&server));
    assert_eq!(idle.ask("GET", "/").status, 200);
    server.set_behaviour(Behaviour::Hang);
    hanging.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually("both requests have come", || server.hits() == 2);
    assert_eq!(server.connections(), 2);

    server.kill();
    assert!(!server.is_alive());
    assert_eq!(server.connections(), 0);
    idle.expect_reset();
    hanging.expect_reset();
    let address = format!("127.0.0.1:{}", server.port());
    let refused = Client::to_address(&address).err().map(|error| error.kind());
    assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused));
    server.kill();

    for _ in 0..3 {
        server.revive().unwrap();
        server.revive().unwrap();
        assert!(server.is_alive());
        server.set_behaviour(Behaviour::Ok);
        assert_eq!(Client::to(&server).ask("GET", "/").status, 200);
        server.kill();
    }
    assert_eq!(server.hits(), 5);
}

#[test]
fn hits_and_probes_are_told_apart() {
    let server = DummyServer::start("Server 1").unwrap();
    let mut client = Client::to(&server);
    client.ask("GET", "/");
    client.ask("GET", "/health?verbose");
    client.send("GET / HTTP/1.1\r\nHost: test\r\nUser-Agent: simple-lb-health/0.1\r\n\r\n");
    client.answer(false);
    client.ask("GET", "/echo");
    assert_eq!((server.hits(), server.probes(), server.hits_total()), (2, 2, 4));
}

#[test]
fn requests_are_recorded_while_it_is_wanted() {
    let server = DummyServer::start("Server 1").unwrap();
    let mut client = Client::to(&server);
    assert_eq!(server.last_request(), None);
    client.ask("DELETE", "/a?b");
    let last = server.last_request().unwrap();
    assert_eq!(
        (last.method.as_str(), last.path.as_str(), last.header("host")),
        ("DELETE", "/a?b", Some("test"))
    );
    server.record(false);
    client.ask("GET", "/unseen");
    server.record(true);
    client.ask("GET", "/c");
    let paths: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/a?b", "/c"]);
}

#[test]
fn localhost_works_either_way_and_counts_together() {
    let server = DummyServer::start("Server 1").unwrap();
    Client::to(&server).ask("GET", "/");
    let v6 = Client::to_address(&format!("[::1]:{}", server.port()));
    // A machine without IPv6 has nothing to show here.
    if let Ok(mut v6) = v6 {
        assert_eq!(v6.ask("GET", "/").status, 200);
        assert_eq!(server.hits(), 2);
        server.kill();
        v6.expect_reset();
    }
}

#[test]
fn connections_are_counted() {
    let server = DummyServer::start("Server 1").unwrap();
    let clients: Vec<_> = (0..5).map(|_| Client::to(&server)).collect();
    eventually("all are accepted", || server.connections() == 5);
    drop(clients);
    eventually("all are closed", || server.connections() == 0);
    assert_eq!(server.connections_total(), 5);
}

#[test]
fn a_dropped_server_is_gone_and_its_port_free() {
    let server = Options::new("서버\r\n3")
        .behaviour(Behaviour::Fail)
        .start()
        .unwrap();
    let port = server.port();
    assert_eq!(server.url(), format!("http://127.0.0.1:{port}"));
    let mut client = Client::to(&server);
    assert_eq!(client.ask("GET", "/").value("X-Server"), Some("서버??3"));
    let taken = DummyServer::start_on("Server 2", port).unwrap_err();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    drop(server);
    client.expect_reset();
    assert_eq!(DummyServer::start_on("Server 2", port).unwrap().port(), port);
}

#[test]
fn it_can_be_handled_from_many_threads() {
    let server = Arc::new(DummyServer::start("Server 1").unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let server = Arc::clone(&server);
            std::thread::spawn(move || {
                for _ in 0..50 {
                    server.kill();
                    server.revive().unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(Client::to(&server).ask("GET", "/").status, 200);
}

#[test]
fn it_can_be_used_from_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = DummyServer::start("Server 1").unwrap();
        server.kill();
        server.revive().unwrap();
        let connected = tokio::net::TcpStream::connect(("127.0.0.1", server.port()));
        assert!(tokio::time::timeout(DEADLINE, connected).await.unwrap().is_ok());
        tokio::time::sleep(Duration::ZERO).await;
    });
}
