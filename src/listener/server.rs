//! Workers that accept for themselves.
//!
//! actix-server accepts on a thread of its own and wakes a worker for each connection: measured, a third of all that a
//! short connection costs. Here the first worker accepts on the first listener, the second on the second, and so on. It
//! serves a connection itself or hands it to the worker that has fewer; with one worker nothing crosses a thread.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_rt::{Arbiter, net::TcpStream};
use futures::FutureExt;
use log::{info, warn};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    BACKLOG,
    seats::{Seat, Seats},
    shortage::Shortage,
};

/// Connections accepted in a row before those that are there get their turn.
const A_TURN: u32 = 16;

/// How long accepting pauses when the process or the machine is out of what a connection needs.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(100);

/// How long the end of a worker's thread is waited for.
const THREAD_END: Duration = Duration::from_secs(1);

/// A connection on the worker that is to serve it. It counts until `seat` is dropped.
pub struct Accepted {
    /// Its socket.
    pub stream: TcpStream,
    /// The client's address.
    pub peer: SocketAddr,
    /// Its place at this worker.
    pub seat: Seat,
}

/// What crosses to another worker.
type Handed = (std::net::TcpStream, SocketAddr, Seat);

/// Running workers.
pub struct Server {
    arbiters: Vec<Arbiter>,
    seats: Arc<Seats>,
    accepting: watch::Sender<bool>,
    acceptors: Vec<oneshot::Receiver<()>>,
}

impl Server {
    /// Starts `workers` threads that take `connections` each. On each, `start` is called with the worker's number and
    /// gives what serves its connections.
    ///
    /// # Errors
    /// When a thread cannot be started or a socket not be taken over.
    pub fn start<F, S>(
        sockets: Vec<TcpListener>,
        (workers, connections): (usize, usize),
        start: F,
    ) -> io::Result<Self>
    where
        F: Fn(usize) -> S + Send + Sync + 'static,
        S: Fn(Accepted) + 'static,
    {
        let workers = workers.max(1);
        let start = Arc::new(start);
        let seats = Seats::new(workers, connections);
        let accepting = watch::Sender::new(true);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::unbounded_channel::<Handed>()).unzip();
        let mut listening: Vec<Vec<(TcpListener, oneshot::Sender<()>)>> = Vec::new();
        listening.resize_with(workers, Vec::new);
        let mut acceptors = Vec::with_capacity(sockets.len());
        for (index, socket) in sockets.into_iter().enumerate() {
            socket.set_nonblocking(true)?;
            let (ended, end) = oneshot::channel();
            listening[index % workers].push((socket, ended));
            acceptors.push(end);
        }
        let mut arbiters = Vec::with_capacity(workers);
        for (index, (receiver, sockets)) in receivers.into_iter().zip(listening).enumerate() {
            let arbiter = Arbiter::try_new()?;
            let (start, seats, senders) = (Arc::clone(&start), Arc::clone(&seats), senders.clone());
            let accepting = accepting.subscribe();
            arbiter.spawn_fn(move || {
                let serve: Rc<dyn Fn(Accepted)> = Rc::new(start(index));
                actix_rt::spawn(take_over(receiver, Rc::clone(&serve)));
                for (socket, ended) in sockets {
                    let acceptor = Acceptor {
                        worker: index,
                        seats: Arc::clone(&seats),
                        others: senders.clone(),
                        serve: Rc::clone(&serve),
                        no_seat: Shortage::default(),
                        no_resources: Shortage::default(),
                    };
                    let accepting = accepting.clone();
                    actix_rt::spawn(async move {
                        acceptor.run(socket, accepting).await;
                        // Nobody waits for it before a stop.
                        let _ = ended.send(());
                    });
                }
            });
            arbiters.push(arbiter);
        }
        Ok(Self {
            arbiters,
            seats,
            accepting,
            acceptors,
        })
    }

    /// Stops accepting: takes what has connected so far, then closes the listeners.
    pub async fn close_listeners(&mut self) {
        self.accepting.send_replace(false);
        for acceptor in self.acceptors.drain(..) {
            // An error: it ended before.
            let _ = acceptor.await;
        }
    }

    /// Waits until every connection has ended.
    pub async fn until_idle(&self) {
        self.seats.until_empty().await;
    }

    /// Ends the workers, and with them whatever they still hold.
    pub async fn stop(self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        let arbiters = self.arbiters;
        let ended = tokio::task::spawn_blocking(move || {
            for arbiter in arbiters {
                // A worker that panicked has said so.
                let _ = arbiter.join();
            }
        });
        let _in_time = tokio::time::timeout(THREAD_END, ended).await;
    }
}

/// Serves what other workers have accepted.
async fn take_over(mut receiver: mpsc::UnboundedReceiver<Handed>, serve: Rc<dyn Fn(Accepted)>) {
    while let Some((stream, peer, seat)) = receiver.recv().await {
        // Fails only when the runtime is out of resources; the connection is closed then.
        if let Ok(stream) = TcpStream::from_std(stream) {
            serve(Accepted { stream, peer, seat });
        }
    }
}

/// Accepts on one listener.
struct Acceptor {
    worker: usize,
    seats: Arc<Seats>,
    others: Vec<mpsc::UnboundedSender<Handed>>,
    serve: Rc<dyn Fn(Accepted)>,
    no_seat: Shortage,
    no_resources: Shortage,
}

impl Acceptor {
    async fn run(mut self, socket: TcpListener, mut accepting: watch::Receiver<bool>) {
        let listener = match actix_rt::net::TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => return warn!("cannot accept connections: {error}"),
        };
        {
            let closing = accepting.wait_for(|accepting| !accepting);
            let accept = self.accept(&listener);
            futures::pin_mut!(closing, accept);
            futures::future::select(closing, accept).await;
        }
        // Whoever has connected by now is served; a listener that closes resets what waits in its queue.
        let mut left = BACKLOG;
        while left > 0 && !self.seats.are_full() {
            left -= 1;
            match listener.accept().now_or_never() {
                Some(Ok((stream, peer))) => self.hand(stream, peer),
                _ => break,
            }
        }
    }

    async fn accept(&mut self, listener: &actix_rt::net::TcpListener) {
        let mut in_a_row = 0;
        loop {
            if self.seats.are_full() {
                self.wait_for_a_seat().await;
            }
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (seat, resources) = (self.no_seat.ends(), self.no_resources.ends());
                    if seat || resources {
                        info!("connections are accepted again");
                    }
                    self.hand(stream, peer);
                }
                Err(error) => self.failed(&error).await,
            }
            in_a_row += 1;
            if in_a_row == A_TURN {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    fn hand(&self, stream: TcpStream, peer: SocketAddr) {
        let seat = self.seats.take();
        if seat.worker() == self.worker {
            return (self.serve)(Accepted { stream, peer, seat });
        }
        // Fails only when a worker is gone, in the middle of a stop.
        if let Ok(stream) = stream.into_std() {
            let _ = self.others[seat.worker()].send((stream, peer, seat));
        }
    }

    async fn wait_for_a_seat(&mut self) {
        if self.no_seat.begins(Instant::now()) {
            let all = self.seats.count();
            warn!(
                "all {all} places for connections are taken: new ones wait in the listener's queue until others end; \
                 a higher limit of open files makes more (`ulimit -n`, or LimitNOFILE in a systemd unit)"
            );
        }
        self.seats.until_free().await;
    }

    /// Out of descriptors or memory, waiting is all that helps: connections stay in the listener's queue.
    async fn failed(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        // The client left before it was its turn.
        if matches!(
            error.kind(),
            ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
        ) {
            return;
        }
        if self.no_resources.begins(Instant::now()) {
            warn!("cannot accept connections for now: {error}; they wait until it is possible again");
        }
        tokio::time::sleep(OUT_OF_RESOURCES).await;
    }
}
