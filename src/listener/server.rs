//! Workers that accept for themselves.
//!
//! actix-server accepts on a thread of its own and wakes a worker for each connection: measured, a third of all that a
//! short connection costs. Here the first worker accepts on the first listener, the second on the second, and so on. It
//! serves a connection itself or hands it to the worker that has fewer; with one worker nothing crosses a thread.

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_rt::{Arbiter, ArbiterHandle, net::TcpStream};
use log::{info, warn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{mpsc, oneshot, watch},
};

use crate::proxy::{Connection, Scheme};

use super::{
    BoundListener,
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
    /// What is known of it.
    pub connection: Connection,
    /// Its place at this worker.
    pub seat: Seat,
}

/// What may cross to another worker.
type Handed = (std::net::TcpStream, SocketAddr, Seat);

/// What serves the connections of one worker thread.
pub type Serve = Box<dyn Fn(Accepted)>;

/// A worker that is being started, on its own thread.
struct Started {
    index: usize,
    seats: Arc<Seats>,
    others: Vec<mpsc::UnboundedSender<Handed>>,
    accepting: watch::Receiver<bool>,
}

impl Started {
    /// Takes what others hand over, and accepts on its sockets.
    fn run(
        self,
        serve: Serve,
        receiver: mpsc::UnboundedReceiver<Handed>,
        bound: Vec<(BoundListener, oneshot::Sender<()>)>,
    ) -> io::Result<()> {
        let serve: Rc<dyn Fn(Accepted)> = Rc::from(serve);
        let mut listeners = Vec::with_capacity(bound.len());
        for (BoundListener { socket, backlog }, ended) in bound {
            listeners.push((listen(socket)?, backlog, ended));
        }
        for (listener, backlog, ended) in listeners {
            let acceptor = Acceptor {
                backlog,
                worker: self.index,
                seats: Arc::clone(&self.seats),
                others: self.others.clone(),
                serve: Rc::clone(&serve),
                no_seat: Shortage::default(),
                no_resources: Shortage::default(),
            };
            let accepting = self.accepting.clone();
            actix_rt::spawn(async move {
                acceptor.run(listener, accepting).await;
                // Nobody waits for it before a stop.
                let _ = ended.send(());
            });
        }
        actix_rt::spawn(take_over(receiver, serve));
        Ok(())
    }
}

/// A listener of which the runtime says when a connection waits.
type Listening = AsyncFd<mio::net::TcpListener>;

fn listen(socket: std::net::TcpListener) -> io::Result<Listening> {
    let listener = mio::net::TcpListener::from_std(socket);
    #[expect(
        deprecated,
        reason = "unsound only for types whose descriptor changes; what replaces it is unsafe"
    )]
    AsyncFd::with_interest(listener, Interest::READABLE)
}

/// How many connections are served at once.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Threads that serve them.
    pub workers: usize,
    /// Connections that each of them takes.
    pub connections: usize,
}

/// Running workers.
pub struct Server {
    arbiters: Vec<Arbiter>,
    seats: Arc<Seats>,
    accepting: watch::Sender<bool>,
    acceptors: Vec<oneshot::Receiver<()>>,
}

impl Server {
    /// Starts the workers. On each, `start` is called with the worker's number and gives what serves its connections. Returns
    /// when all of them accept.
    ///
    /// # Errors
    /// When a thread or what serves its connections cannot be started, or a socket not be taken over. Nothing is left
    /// running then.
    pub async fn start<F>(listeners: Vec<BoundListener>, capacity: Capacity, start: F) -> io::Result<Self>
    where
        F: Fn(usize) -> io::Result<Serve> + Send + Sync + 'static,
    {
        let workers = capacity.workers.max(1);
        let mut server = Self {
            arbiters: Vec::with_capacity(workers),
            seats: Seats::new(workers, capacity.connections),
            accepting: watch::Sender::new(true),
            acceptors: Vec::with_capacity(listeners.len()),
        };
        match server.start_workers(listeners, workers, Arc::new(start)).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    async fn start_workers<F>(
        &mut self,
        listeners: Vec<BoundListener>,
        workers: usize,
        start: Arc<F>,
    ) -> io::Result<()>
    where
        F: Fn(usize) -> io::Result<Serve> + Send + Sync + 'static,
    {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::unbounded_channel::<Handed>()).unzip();
        let mut shares: Vec<Vec<(BoundListener, oneshot::Sender<()>)>> = Vec::new();
        shares.resize_with(workers, Vec::new);
        for (index, listener) in listeners.into_iter().enumerate() {
            listener.socket.set_nonblocking(true)?;
            let (ended, end) = oneshot::channel();
            shares[index % workers].push((listener, ended));
            self.acceptors.push(end);
        }
        let mut started = Vec::with_capacity(workers);
        for (index, (receiver, share)) in receivers.into_iter().zip(shares).enumerate() {
            let arbiter = Arbiter::try_new()?;
            let worker = Started {
                index,
                seats: Arc::clone(&self.seats),
                others: senders.clone(),
                accepting: self.accepting.subscribe(),
            };
            let start = Arc::clone(&start);
            let (tell, told) = oneshot::channel();
            arbiter.spawn_fn(move || {
                let result = start(index).and_then(|serve| worker.run(serve, receiver, share));
                // Nobody waits for it where another worker has failed.
                let _ = tell.send(result);
            });
            self.arbiters.push(arbiter);
            started.push(told);
        }
        for told in started {
            // An error: it panicked, and has said so.
            told.await
                .unwrap_or_else(|_| Err(io::Error::other("a worker ended while it started")))?;
        }
        Ok(())
    }

    /// Its workers' threads.
    pub fn threads(&self) -> Vec<ArbiterHandle> {
        self.arbiters.iter().map(Arbiter::handle).collect()
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
    while let Some(handed) = receiver.recv().await {
        serve_here(handed, &*serve);
    }
}

/// Serves a connection on this thread. Made from a bare socket, its stream waits for the first bytes; the runtime's own
/// `accept` would read at once, in vain wherever the client's request is still on its way.
fn serve_here((stream, peer, seat): Handed, serve: &dyn Fn(Accepted)) {
    // Fails only when the runtime is out of resources; the connection is closed then.
    if let Ok(stream) = TcpStream::from_std(stream) {
        let connection = Connection::new(peer, Scheme::Http);
        serve(Accepted {
            stream,
            connection,
            seat,
        });
    }
}

/// Whether another connection waits. Asking costs a fifth of an `accept` in vain, for which the kernel makes a socket
/// before it looks.
fn has_more(listener: &mio::net::TcpListener) -> bool {
    let mut listeners = [PollFd::new(listener, PollFlags::IN)];
    // Where it cannot be asked, accepting tells.
    !matches!(
        poll(
            &mut listeners,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0
            })
        ),
        Ok(0)
    )
}

/// Accepts on one listener.
struct Acceptor {
    /// Connections that the kernel holds for it, at most.
    backlog: u32,
    worker: usize,
    seats: Arc<Seats>,
    others: Vec<mpsc::UnboundedSender<Handed>>,
    serve: Rc<dyn Fn(Accepted)>,
    no_seat: Shortage,
    no_resources: Shortage,
}

impl Acceptor {
    async fn run(mut self, listener: Listening, mut accepting: watch::Receiver<bool>) {
        {
            let closing = accepting.wait_for(|accepting| !accepting);
            let accept = self.accept(&listener);
            futures::pin_mut!(closing, accept);
            futures::future::select(closing, accept).await;
        }
        // Whoever has connected by now is served; a listener that closes resets what waits in its queue.
        let mut left = self.backlog;
        while left > 0 && !self.seats.are_full() {
            left -= 1;
            match listener.get_ref().accept() {
                Ok((stream, peer)) => self.hand(stream.into(), peer),
                Err(_) => break,
            }
        }
    }

    async fn accept(&mut self, listener: &Listening) {
        loop {
            if self.seats.are_full() {
                self.wait_for_a_seat().await;
            }
            match listener.readable().await {
                Ok(mut ready) => match self.accept_some(listener.get_ref()) {
                    // Those that are there get their turn.
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => ready.clear_ready(),
                    Err(error) => self.failed(&error).await,
                },
                Err(error) => self.failed(&error).await,
            }
        }
    }

    /// Accepts connections that wait, as many as get a turn; whether there may be more.
    fn accept_some(&mut self, listener: &mio::net::TcpListener) -> io::Result<bool> {
        for _ in 0..A_TURN {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let (seat, resources) = (self.no_seat.ends(), self.no_resources.ends());
                    if seat || resources {
                        info!("connections are accepted again");
                    }
                    self.hand(stream.into(), peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if !has_more(listener) {
                return Ok(false);
            }
            if self.seats.are_full() {
                break;
            }
        }
        Ok(true)
    }

    fn hand(&self, stream: std::net::TcpStream, peer: SocketAddr) {
        let seat = self.seats.take();
        if seat.worker() == self.worker {
            serve_here((stream, peer, seat), &*self.serve);
        } else {
            // Fails only when a worker is gone, in the middle of a stop.
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
