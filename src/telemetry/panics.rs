//! A panic ends the connection that caused it and nothing else: the runtime catches it at the task's edge. Here it is
//! counted and logged, so that it is not overlooked.

use std::{
    panic,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

static PANICS: AtomicU64 = AtomicU64::new(0);
static HOOK: Once = Once::new();

/// Starts counting, and returns how many panics there were so far.
pub fn count_panics() -> u64 {
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| {
            PANICS.fetch_add(1, Relaxed);
            log::error!("panic, this is a defect of simple-lb, please report it: {info}");
        }));
    });
    PANICS.load(Relaxed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpStream},
        time::Duration,
    };

    use actix_web::{App, HttpResponse, HttpServer, web};

    use super::*;

    fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        // A reset ends the answer like any other end; what came before it counts.
        let _end = stream.read_to_string(&mut answer);
        answer
    }

    async fn panics() -> HttpResponse {
        panic!("asked for by a test")
    }

    #[actix_web::test]
    async fn a_panic_ends_its_connection_is_counted_and_leaves_the_worker_alive() {
        let before = count_panics();
        let server = HttpServer::new(|| {
            App::new()
                .route("/panic", web::get().to(panics))
                .default_service(web::to(|| async { HttpResponse::Ok().body("alive") }))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let answers = web::block(move || {
            let thread = get(address, "/panic");
            (thread, get(address, "/"))
        });
        let (panicked, alive) = answers.await.unwrap();
        handle.stop(false).await;
        assert_eq!(panicked, "", "the connection ends without an answer");
        assert!(alive.ends_with("alive"), "the only worker serves on: {alive}");
        assert_eq!(count_panics(), before + 1);
    }
}
