//! A panic within a lane: the log, which a lane calls while it holds a lease, panics when the test says so.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use lb_actors::{RegistryHandle, control_plane};
use lb_core::config::{self, Lane};
use log::{LevelFilter, Log, Metadata, Record};

use super::*;
use crate::{
    app::lane_service,
    listener::{Capacity, Server},
    proxy::Worker,
    telemetry::Traffic,
};

/// The backend that the trap waits for.
static ARMED: Mutex<Option<String>> = Mutex::new(None);

/// A log that panics once, when something is told of that backend.
struct Trap;

impl Log for Trap {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let told = record.args().to_string();
        let sprung = ARMED.lock().unwrap().take_if(|backend| told.contains(&**backend));
        if sprung.is_some() {
            panic!("asked for by a test");
        }
    }

    fn flush(&self) {}
}

/// What a lane works with: one worker, and a backend that nobody can connect to.
struct Scene {
    registry: RegistryHandle,
    traffic: Arc<Traffic>,
    socket: TcpListener,
}

impl Scene {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = format!("port: 0\nbackends: [\"http://{free}\"]\nhealth_check: false\n");
        let config = config::load(&text, "test.yaml", &|_| None).unwrap();
        Self {
            registry: control_plane::first_snapshot(config, 1),
            traffic: Traffic::new(1),
            socket: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    fn worker(&self) -> impl Fn(usize) -> Worker + Send + Sync + Clone + 'static {
        let (registry, traffic) = (self.registry.clone(), Arc::clone(&self.traffic));
        move |index| Worker::new(index, registry.clone(), Arc::clone(&traffic))
    }

    /// Requests in flight: all, and those at the backend.
    fn in_flight(&self) -> (u64, u64) {
        let snapshot = self.registry.snapshot();
        let backend = &snapshot.pools()[0].members()[0].backend;
        (self.traffic.in_flight(), backend.in_flight())
    }

    /// Two requests, in the first of which the lane panics.
    async fn play(&self, lane: &str) {
        let (before, address) = (count_panics(), self.socket.local_addr().unwrap());
        let backend = self.registry.snapshot().pools()[0].members()[0]
            .backend
            .url()
            .to_string();
        let answers = actix_web::web::block(move || {
            *ARMED.lock().unwrap() = Some(backend);
            (get(address), get(address))
        });
        let (panicked, answered) = answers.await.unwrap();
        assert_eq!(panicked, "", "{lane}: the connection ends without an answer");
        assert_eq!(count_panics(), before + 1, "{lane}");
        assert!(
            answered.starts_with("HTTP/1.1 502 "),
            "{lane}: the only worker serves on: {answered:?}"
        );
        assert_eq!(self.in_flight(), (0, 0), "{lane}: nothing is held any more");
    }
}

fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    // A reset ends the answer like any other end; what came before it counts.
    let _end = stream.read_to_string(&mut answer);
    answer
}

#[actix_web::test]
async fn a_panic_ends_its_connection_gives_back_what_it_held_and_leaves_the_worker_alive() {
    log::set_boxed_logger(Box::new(Trap)).unwrap();
    log::set_max_level(LevelFilter::Trace);

    for lane in [Lane::Wire, Lane::Handler] {
        let scene = Scene::new();
        let (socket, worker) = (scene.socket.try_clone().unwrap(), scene.worker());
        let start = move |index| lane_service(lane, worker(index));
        let capacity = Capacity {
            workers: 1,
            connections: 10,
        };
        let server = Server::start(vec![socket.into()], capacity, start).await.unwrap();
        scene.play(&lane.to_string()).await;
        server.stop().await;
    }
}
