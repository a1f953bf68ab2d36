//! Names of backends: how they become addresses, several addresses of one name, and names that lead back to the balancer.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use dummy_servers::NameServer;
use lb_core::status::HealthStatus::{Down, Up};

use crate::harness::{
    Balancer, DEADLINE, FAST_CHECKS, Place, RawBackend, backends, read_request, wait_until,
};

/// One server of several behind a name: replies with the last number of its address.
struct Replica {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Replica {
    fn over(listener: TcpListener, status: &'static str) -> Self {
        let replica = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            open: Arc::default(),
        };
        let (requests, open) = (Arc::clone(&replica.requests), Arc::clone(&replica.open));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, open) = (Arc::clone(&requests), Arc::clone(&open));
                thread::spawn(move || {
                    open.fetch_add(1, SeqCst);
                    serve(stream, status, &requests);
                    open.fetch_sub(1, SeqCst);
                });
            }
        });
        replica
    }

    fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }
}

fn serve(mut stream: TcpStream, status: &str, requests: &AtomicUsize) {
    stream.set_read_timeout(Some(3 * DEADLINE)).unwrap();
    let IpAddr::V4(own) = stream.local_addr().unwrap().ip() else {
        return;
    };
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        while let Some((request, length)) = read_request(&bytes).unwrap() {
            bytes.drain(..length);
            if request.target != "/health" {
                requests.fetch_add(1, SeqCst);
            }
            let body = own.octets()[3].to_string();
            let length = body.len();
            let response = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
}

/// Listeners of one port at 127.0.0.2, 127.0.0.3 and so on.
fn listeners(count: u8) -> Vec<TcpListener> {
    loop {
        let first = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let others =
            (3..2 + count).map(|last| TcpListener::bind(SocketAddr::from(([127, 0, 0, last], port))));
        if let Ok(mut all) = others.collect::<Result<Vec<_>, _>>() {
            all.insert(0, first);
            return all;
        }
    }
}

fn replicas(count: u8) -> Vec<Replica> {
    let listeners = listeners(count).into_iter();
    listeners
        .map(|listener| Replica::over(listener, "200 OK"))
        .collect()
}

/// A name server that knows `web.test` at these replicas, and a balancer for it.
fn balancer_for(replicas: &[&Replica], more: &str) -> (NameServer, Balancer, String) {
    let names = NameServer::start().unwrap();
    let addresses: Vec<IpAddr> = replicas.iter().map(|replica| replica.ip()).collect();
    names.set("web.test", &addresses);
    let url = format!("http://web.test:{}", replicas[0].address.port());
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nresolver: {{nameservers: [\"{}\"]}}\nbackends: [\"{url}\"]\n{more}\n",
        names.address()
    ));
    balancer.wait_for_health(&url, Up);
    (names, balancer, url)
}

fn counts(replicas: &[Replica]) -> Vec<usize> {
    replicas.iter().map(Replica::requests).collect()
}

#[test]
fn names_that_hang_keep_no_reload_and_no_other_name_from_its_way() {
    let [a, b] = backends();
    let names = NameServer::start().unwrap();
    names.be_silent_about(".hang");
    // Far more than may be looked up at once, and few enough for all to be asked for in seconds.
    let hang: String = (0..200)
        .map(|number| format!("  - \"http://n{number}.hang\"\n"))
        .collect();
    let config = |other: &str| {
        format!(
            "port: 0\nresolver: {{nameservers: [\"{}\"]}}\nhealth_check: {{interval: 1s, timeout: 1s}}\nbackends:\n  - \"{}\"\n{other}{hang}",
            names.address(),
            a.url()
        )
    };
    let balancer = Balancer::start(&config(""));
    wait_until("look-ups of all of them", || {
        let asked = names.asked();
        (0..200).all(|number| asked.contains(&format!("n{number}.hang")))
    });
    let threads = std::fs::read_dir(format!("/proc/{}/task", balancer.process.id()));
    assert!(threads.unwrap().count() < 64);
    let port = b.url().rsplit(':').next().unwrap().to_owned();
    let url = format!("http://localhost:{port}");
    balancer.reload_with(&config(&format!("  - \"{url}\"\n")));
    balancer.wait_for_health(&url, Up);
    wait_until("the end of what was not known of them", || {
        let backends = balancer.status().pools.remove(0).backends;
        backends
            .iter()
            .all(|backend| (backend.health == Down) == backend.url.contains(".hang"))
    });
    for _ in 0..20 {
        assert_eq!(balancer.get("/").status, 200);
    }
    assert!(b.hits() > 0);
}

#[test]
fn new_connections_take_the_addresses_of_a_name_in_turn() {
    let mut all = listeners(4);
    // Nobody listens at the last one.
    let gone = all.pop().unwrap().local_addr().unwrap().ip();
    let replicas: Vec<_> = all
        .into_iter()
        .map(|listener| Replica::over(listener, "200 OK\r\nConnection: close"))
        .collect();
    let refs: Vec<_> = replicas.iter().collect();
    let (names, balancer, url) = balancer_for(&refs, FAST_CHECKS);
    let mut addresses: Vec<_> = replicas.iter().map(Replica::ip).collect();
    addresses.push(gone);
    let asked = names.asked().len();
    names.set("web.test", &addresses);
    wait_until("a look-up", || names.asked().len() > asked + 2);
    let before = counts(&replicas);
    for _ in 0..30 {
        let response = balancer.get("/");
        assert_eq!(response.status, 200);
    }
    let shares: Vec<_> = counts(&replicas)
        .iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    assert!(shares.iter().all(|share| (7..=13).contains(share)), "{shares:?}");
    let status = balancer.backend(&url);
    assert_eq!(
        (status.counts.failures, status.health, status.counts.requests),
        (0, Up, 30)
    );
}

#[test]
fn kept_connections_of_all_addresses_are_used_evenly_and_end_with_their_address() {
    let replicas = replicas(3);
    let refs: Vec<_> = replicas.iter().collect();
    let (names, balancer, url) = balancer_for(&refs, FAST_CHECKS);
    // Uploads that go on at once need a connection each.
    let mut uploads: Vec<_> = (0..3).map(|_| balancer.peer()).collect();
    for upload in &mut uploads {
        upload.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbegun");
    }
    wait_until("a connection to each", || {
        balancer.backend(&url).counts.in_flight == 3
            && replicas.iter().all(|replica| replica.open.load(SeqCst) > 0)
    });
    for upload in &mut uploads {
        upload.send("x".repeat(100_000 - 5));
        assert_eq!(upload.read_head().status(), 200);
    }
    wait_until("the end of the uploads", || {
        balancer.backend(&url).counts.in_flight == 0
    });
    let before = counts(&replicas);
    assert_eq!(before, [1, 1, 1]);
    let mut client = balancer.connect();
    for _ in 0..30 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(counts(&replicas), [11, 11, 11]);
    // Only one address is left: connections to the others are closed, except for probes that are just done.
    names.set("web.test", &[replicas[1].ip()]);
    wait_until("the end of connections to addresses that are gone", || {
        replicas[0].open.load(SeqCst) == 0 && replicas[2].open.load(SeqCst) == 0
    });
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "3");
    }
}

#[test]
fn a_probe_passes_when_one_address_passes() {
    let mut all = listeners(3);
    let ill = Replica::over(all.pop().unwrap(), "500 Ill");
    let fine = Replica::over(all.pop().unwrap(), "200 OK");
    // Nobody listens at the first one.
    let gone = all.pop().unwrap().local_addr().unwrap().ip();
    let (names, balancer, url) = balancer_for(&[&fine], FAST_CHECKS);
    names.set("web.test", &[gone, fine.ip(), ill.ip()]);
    let asked = names.asked().len();
    wait_until("some probes", || names.asked().len() > asked + 20);
    assert_eq!(balancer.backend(&url).health, Up);
    assert!(!balancer.log().contains("down"), "{}", balancer.log());
    // What the probes have found keeps new connections away from it.
    for _ in 0..10 {
        assert_eq!(balancer.get("/").status, 200);
    }
    names.set("web.test", &[gone, ill.ip()]);
    balancer.wait_for_health(&url, Down);
}

#[test]
fn localhost_with_a_server_of_one_family_costs_no_time() {
    let a = RawBackend::start("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na");
    let port = a.port();
    let balancer = Balancer::start(&format!(
        "port: 0\nworkers: 1\nbackends: [\"http://localhost:{port}\"]\n{FAST_CHECKS}\n"
    ));
    let begun = Instant::now();
    for _ in 0..40 {
        assert_eq!(balancer.get("/").text(), "a");
    }
    // 40 times the wait for another family would be 10 s.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(
        balancer
            .backend(&format!("http://localhost:{port}"))
            .counts
            .failures,
        0
    );
}

#[test]
fn a_backend_that_is_the_balancer_itself_gets_no_request() {
    let [a] = backends();
    let config = |backends: &str, more: &str| {
        format!("port: \"127.0.0.1:0\"\nbackends: [{backends}]\nretries: 1\nall_down: try\n{more}\n")
    };
    let balancer = Balancer::start(&config(&format!("\"{}\"", a.url()), "health_check: off"));
    let own = format!("http://localhost:{}", balancer.address().port());
    balancer.reload_with(&config(&format!("\"{own}\""), "health_check: off"));
    wait_until("the name's address", || {
        let response = balancer.get("/");
        assert!(response.status == 508 || response.status == 502, "{response:?}");
        response.status == 508
    });
    for _ in 0..10 {
        assert_eq!(balancer.get("/").status, 508);
    }
    let status = balancer.backend(&own);
    assert_eq!((status.health, balancer.status().panics), (Up, 0));
    let failures = status.counts.failures;
    balancer.get("/");
    assert_eq!(
        balancer.backend(&own).counts.failures,
        failures,
        "nobody's health is counted down by it"
    );
    // Another backend does what this one cannot.
    let both = format!("\"{own}\", \"{}\"", a.url());
    balancer.reload_with(&config(&both, "health_check: off"));
    for _ in 0..10 {
        assert_eq!(balancer.get("/").status, 200);
    }
    // A probe finds it out.
    balancer.reload_with(&config(&both, FAST_CHECKS));
    balancer.wait_for_health(&own, Down);
    let probe = balancer.backend(&own).last_probe.unwrap();
    assert_eq!(probe.detail, "loop: this is the balancer's own listener");
}

#[test]
fn a_loop_through_several_balancers_is_found_by_their_names_in_via() {
    let [a] = backends();
    let first = Balancer::start(&format!(
        "port: 0\nbackends: [\"{}\"]\nhealth_check: off\nvia: on\n",
        a.url()
    ));
    let config = format!(
        "port: 0\nbackends: [\"http://{}\"]\nhealth_check: off\nvia: on\n",
        first.address()
    );
    let second = Balancer::start(&config);
    assert_eq!(second.get("/").server(), "a", "two that say `on` are two");
    first.reload_with(&config.replace(&first.address().to_string(), &second.address().to_string()));
    assert_eq!(second.get("/").status, 508);
    assert_eq!(first.get("/").status, 508);
}

#[test]
fn check_and_start_warn_of_a_loop() {
    let place = Place::new();
    place.write(
        "config.yaml",
        "port: 8000\nbackends: [\"http://localhost:8000\"]\n",
    );
    let check = place.run("check");
    let said = check.stdout + &check.stderr;
    assert_eq!(check.code, 0, "{said}");
    assert!(
        said.contains("backends[0]: is this balancer's own listener"),
        "{said}"
    );
}
