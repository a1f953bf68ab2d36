//! The floor: accepts, connects to the next backend, copies bytes both ways. It parses nothing and knows no health, so
//! that nothing which does can cost less in the same runtime; except without keep-alive on the client side, where it
//! opens a connection to a backend for each client, which a proxy that reads requests need not.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    net::{SocketAddr, TcpListener},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use anyhow::Result;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    runtime::Builder,
    task::LocalSet,
};

use crate::args::RelayArgs;

/// One for each worker, not for each connection: what does not fit into a socket waits in a buffer of its own. A little
/// less than the kernel puts into one segment: a longer write costs more.
const SCRATCH: usize = 60 * 1024;

/// Runs until it is killed.
///
/// # Errors
/// If it cannot listen.
pub(crate) fn run(args: &RelayArgs) -> Result<()> {
    let socket = Socket::new(Domain::for_address(args.listen), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&args.listen.into())?;
    socket.listen(4096)?;
    let listener = TcpListener::from(socket);
    println!("listening on http://{}", listener.local_addr()?);
    let backends: Arc<[SocketAddr]> = args.backends.clone().into();
    let mut workers = Vec::new();
    for _ in 0..args.workers.max(1) {
        let (listener, backends) = (listener.try_clone()?, Arc::clone(&backends));
        workers.push(std::thread::spawn(move || work(listener, &backends)));
    }
    for worker in workers {
        worker
            .join()
            .map_err(|_| anyhow::anyhow!("a worker panicked"))??;
    }
    Ok(())
}

fn work(listener: TcpListener, backends: &[SocketAddr]) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let scratch = Rc::new(RefCell::new(vec![0; SCRATCH]));
        for backend in backends.iter().cycle() {
            let (client, _) = listener.accept().await?;
            let (backend, scratch) = (*backend, Rc::clone(&scratch));
            tokio::task::spawn_local(async move {
                // A connection that breaks is nobody's business but its two ends'.
                let _ = serve(client, backend, &scratch).await;
            });
        }
        Ok(())
    })
}

async fn serve(mut client: TcpStream, backend: SocketAddr, scratch: &RefCell<Vec<u8>>) -> io::Result<()> {
    let mut backend = TcpStream::connect(backend).await?;
    client.set_nodelay(true)?;
    backend.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_backend, to_backend) = backend.split();
    let up = Copying::new(from_client, to_backend).run(scratch);
    let down = Copying::new(from_backend, to_client).run(scratch);
    tokio::try_join!(up, down)?;
    Ok(())
}

/// One direction of one connection.
struct Copying<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    /// Read and not yet written, from `written` on.
    left: Vec<u8>,
    written: usize,
}

impl<'a> Copying<'a> {
    fn new(from: ReadHalf<'a>, to: WriteHalf<'a>) -> Self {
        Self {
            from,
            to,
            left: Vec::new(),
            written: 0,
        }
    }

    async fn run(mut self, scratch: &RefCell<Vec<u8>>) -> io::Result<()> {
        poll_fn(|context| self.poll(context, &mut scratch.borrow_mut())).await?;
        self.to.shutdown().await
    }

    /// Copies until there is nothing to copy; ready at the end of the stream.
    fn poll(&mut self, context: &mut Context<'_>, scratch: &mut [u8]) -> Poll<io::Result<()>> {
        loop {
            while self.written < self.left.len() {
                let rest = &self.left[self.written..];
                self.written += ready!(Pin::new(&mut self.to).poll_write(context, rest))?;
            }
            self.left.clear();
            self.written = 0;
            let mut bytes = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.from).poll_read(context, &mut bytes))?;
            let mut bytes = bytes.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            while !bytes.is_empty() {
                match Pin::new(&mut self.to).poll_write(context, bytes) {
                    Poll::Ready(written) => bytes = &bytes[written?..],
                    Poll::Pending => {
                        self.left.extend_from_slice(bytes);
                        break;
                    }
                }
            }
        }
    }
}
