//! The thread of a server: accepts connections, obeys its handle, and takes everything with it when it ends.

use std::{
    io,
    sync::{Arc, mpsc as std_mpsc},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use crate::{connection::Connection, shared::Shared};

/// How long accepting rests when it fails, which it does for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the handle asks of the thread, which answers through the sender when it is done.
#[derive(Debug)]
pub(crate) enum Command {
    Listen(Vec<std::net::TcpListener>, std_mpsc::Sender<io::Result<()>>),
    Kill(std_mpsc::Sender<io::Result<()>>),
}

/// Runs until the handle is gone.
pub(crate) async fn run(shared: Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Listen(sockets, done)) => {
                    let adopted = sockets.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>();
                    // Nobody waits for the answer if the handle's thread is gone.
                    let _ = done.send(adopted.map(|adopted| listeners = adopted));
                }
                Some(Command::Kill(done)) => {
                    listeners.drain(..).for_each(stop_listening);
                    connections.shutdown().await;
                    let _ = done.send(Ok(()));
                }
                None => break,
            },
            accepted = accept(&listeners) => match accepted {
                Ok(stream) => {
                    connections.spawn(Connection::new(stream, Arc::clone(&shared)).serve());
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listeners);
    connections.shutdown().await;
}

/// Ends a listener for good. A process that is being started elsewhere holds a copy of every socket for a moment, and a
/// copy that is merely closed here would go on listening there.
fn stop_listening(listener: TcpListener) {
    // Fails only where there is nothing to end.
    let _ = socket2::SockRef::from(&listener).shutdown(std::net::Shutdown::Both);
}

/// The next connection of whichever listener has one.
async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    let (stream, _) = match listeners {
        [] => std::future::pending().await,
        [only] => only.accept().await,
        [first, second, ..] => tokio::select! {
            accepted = first.accept() => accepted,
            accepted = second.accept() => accepted,
        },
    }?;
    Ok(stream)
}
