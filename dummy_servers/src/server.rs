//! The handle of a server, by which any thread watches and changes it.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as std_mpsc},
    thread::JoinHandle,
};

use tokio::sync::mpsc;

use crate::{
    answer::header_safe,
    behaviour::{Behaviour, BehaviourCell},
    hits::{Hits, RecordedRequest},
    listeners::Port,
    options::Options,
    shared::Shared,
    worker::{self, Command},
};

/// A running server; dropping it resets its connections and ends its thread.
///
/// Every method may be called from any thread, from within a runtime too; [`kill`](Self::kill),
/// [`revive`](Self::revive) and the drop wait for the server's thread, which takes well under a millisecond.
#[derive(Debug)]
pub struct DummyServer {
    shared: Arc<Shared>,
    port: Port,
    alive: Mutex<bool>,
    /// `None` only while it is dropped: that ends the thread.
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl DummyServer {
    /// Starts a server of this name on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// See [`Options::start`].
    pub fn start(name: &str) -> io::Result<Self> {
        Options::new(name).start()
    }

    /// Starts a server of this name on this port.
    ///
    /// # Errors
    /// See [`Options::start`].
    pub fn start_on(name: &str, port: u16) -> io::Result<Self> {
        Options::new(name).port(port).start()
    }

    pub(crate) fn launch(options: Options) -> io::Result<Self> {
        let port = Port::take(options.port)?;
        let hits = Hits::default();
        hits.set_recording(options.record);
        let name = options
            .name
            .unwrap_or_else(|| format!("Server {}", port.number()));
        let shared = Arc::new(Shared {
            header_name: header_safe(&name),
            name,
            log: options.log,
            hits,
            behaviour: BehaviourCell::new(Some(options.behaviour)),
            health_behaviour: BehaviourCell::new(None),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (commands, received) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("dummy-server".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || runtime.block_on(worker::run(shared, received))
            })?;
        let server = Self {
            shared,
            port,
            alive: Mutex::new(false),
            commands: Some(commands),
            thread: Some(thread),
        };
        server.revive()?;
        Ok(server)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The name that it answers with.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Requests that came since the start and were no [`probes`](Self::probes), whatever became of them.
    pub fn hits(&self) -> u64 {
        self.shared.hits.hits()
    }

    /// Requests for `/health`, and those whose User-Agent begins with `simple-lb-health`.
    pub fn probes(&self) -> u64 {
        self.shared.hits.probes()
    }

    /// [`hits`](Self::hits) and [`probes`](Self::probes).
    pub fn hits_total(&self) -> u64 {
        self.hits() + self.probes()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> u64 {
        self.shared.hits.connections_open()
    }

    /// Connections that were accepted since the start.
    pub fn connections_total(&self) -> u64 {
        self.shared.hits.connections_total()
    }

    /// Turns recording on or off; what was recorded stays.
    pub fn record(&self, on: bool) {
        self.shared.hits.set_recording(on);
    }

    /// The newest recorded request, probes included.
    pub fn last_request(&self) -> Option<RecordedRequest> {
        self.shared.hits.last_recorded()
    }

    /// The newest 256 recorded requests, oldest first, probes included.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.hits.recorded()
    }

    /// What it does with requests.
    pub fn behaviour(&self) -> Behaviour {
        self.shared.behaviour.get().unwrap_or(Behaviour::Ok)
    }

    /// Treats every request that comes from now on like this, `/health` too unless it has a behaviour of its own.
    /// Requests that are being treated stay as they are. A flaky share starts to count anew.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.shared.behaviour.set(Some(behaviour));
    }

    /// Treats `/health` differently; `None`, as at the start, treats it like everything else.
    pub fn set_health_behaviour(&self, behaviour: Option<Behaviour>) {
        self.shared.health_behaviour.set(behaviour);
    }

    /// Stops listening and resets every connection, as if the process had been killed; all is closed when this
    /// returns. The port stays taken. Does nothing if it is dead already.
    pub fn kill(&self) {
        let mut alive = self.lock_alive();
        if *alive {
            // It fails only if the thread is gone, and then nothing listens either.
            let _ = self.order(Command::Kill);
            *alive = false;
        }
    }

    /// Listens on the same port again. Does nothing if it is alive.
    ///
    /// # Errors
    /// If somebody else has taken the port meanwhile by its number.
    pub fn revive(&self) -> io::Result<()> {
        let mut alive = self.lock_alive();
        if !*alive {
            let listeners = self.port.listen()?;
            self.order(|done| Command::Listen(listeners, done))?;
            *alive = true;
        }
        Ok(())
    }

    /// Whether it listens.
    pub fn is_alive(&self) -> bool {
        *self.lock_alive()
    }

    /// Sends a command and waits until it is done.
    fn order(&self, command: impl FnOnce(std_mpsc::Sender<io::Result<()>>) -> Command) -> io::Result<()> {
        let (done, answer) = std_mpsc::channel();
        let gone = || io::Error::other("the thread of the server is gone");
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command(done)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// The flag is set last, so a panic before leaves it true to life.
    fn lock_alive(&self) -> MutexGuard<'_, bool> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DummyServer {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
