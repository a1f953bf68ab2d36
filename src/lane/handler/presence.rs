//! Whether the client is still there while its request waits in a queue. actix-http tells nobody that it has left, so each
//! connection that may come to wait keeps its socket once more, and looks at it.

use std::{future::pending, io, mem::MaybeUninit, rc::Rc, time::Duration};

use actix_rt::net::TcpStream;
use actix_web::HttpRequest;
use socket2::{SockRef, Socket};
use tokio::time::{Instant, sleep};

use crate::proxy::HALF_CLOSED;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection's socket, to look at.
#[derive(Clone)]
pub(super) struct Presence(Rc<Socket>);

/// What a look shows.
#[derive(PartialEq, Eq)]
enum Look {
    There,
    SendsNoMore,
    Gone,
}

impl Presence {
    /// Of a new connection; costs a file descriptor. `None` if there is none left: then its wait ends by time.
    pub(super) fn new(stream: &TcpStream) -> Option<Self> {
        let again = SockRef::from(stream).try_clone().ok()?;
        Some(Self(Rc::new(again)))
    }

    /// That of a request's connection.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        request.conn_data().cloned()
    }

    fn look(&self) -> Look {
        let mut byte = [MaybeUninit::uninit()];
        match self.0.peek(&mut byte) {
            Ok(0) => Look::SendsNoMore,
            Ok(_) => Look::There,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Look::There
            }
            Err(_) => Look::Gone,
        }
    }
}

/// Waits until the client has left; for ever where nobody can tell.
pub(super) async fn left(presence: Option<&Presence>) {
    let Some(presence) = presence else {
        return pending().await;
    };
    let mut silent = None;
    loop {
        match presence.look() {
            Look::There => silent = None,
            Look::SendsNoMore if silent.get_or_insert_with(Instant::now).elapsed() < HALF_CLOSED => {}
            Look::SendsNoMore | Look::Gone => return,
        }
        sleep(PAUSE).await;
    }
}
