//! Names to addresses, by one of two sources: [`dns`], and [`system`] where the configuration says so.
//!
//! Every look-up is bounded, in time by `resolver.timeout`, in number by two lanes. A look-up begins in the usual lane; one
//! that takes long goes on in the lane of those that hang, and its name begins there the next time. So names whose servers are
//! silent wait for each other, and no other name waits for them. A name is looked up once at a time, however many backends
//! have it.
//!
//! Nothing is kept after a look-up: backends are asked for by their names at each probe, so that a change is seen at the next
//! one, whatever time to live its server gives it.

mod dns;
mod system;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    io,
    net::IpAddr,
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{LocalBoxFuture, Shared},
};
use hickory_resolver::net::NetError;
use lb_core::{
    config::{NameSource, ResolverConfig, format_duration},
    health::is_out_of_files,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use self::{dns::Dns, system::System};

/// A look-up that takes longer than this goes on in the lane of those that hang.
const PATIENCE: Duration = Duration::from_millis(500);

/// More addresses of one name are left out: each may be connected to.
const MOST_ADDRESSES: usize = 256;

/// Names that are remembered as hanging. Those of earlier configurations are among them, so there is an end to it.
const MOST_HANGING: usize = 10_000;

/// Why a name has no addresses.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// No server knows it.
    #[error("there is no such name")]
    NoSuchName,
    /// It is known, and has no address.
    #[error("the name has no address")]
    NoAddress,
    /// No server replied.
    #[error("no reply within {}", format_duration(*.0))]
    TimedOut(Duration),
    /// It takes long, and so many others do that there is no place for it.
    #[error("no reply yet, and too many other names hang")]
    Crowded,
    /// Its last look-up has not ended, long after its time.
    #[error("its last look-up still hangs")]
    Hanging,
    /// A server said no, or could not be asked.
    #[error("{0}")]
    Dns(#[source] NetError),
    /// The system said no, or could not be asked.
    #[error("{0}")]
    System(#[source] Arc<io::Error>),
}

impl LookupError {
    /// Whether nothing is known of the name, because the balancer had no file descriptor left to ask with.
    pub(crate) fn is_ours(&self) -> bool {
        match self {
            Self::System(error) | Self::Dns(NetError::Io(error)) => is_out_of_files(error),
            _ => false,
        }
    }
}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        Self::System(Arc::new(error))
    }
}

/// The addresses of a name, at least one.
type Looked = Result<Vec<IpAddr>, LookupError>;

/// A place among the look-ups, held for as long as one may use threads or descriptors; it can be changed for another.
#[derive(Clone)]
struct Seat(Arc<Mutex<OwnedSemaphorePermit>>);

impl Seat {
    fn change(&self, to: OwnedSemaphorePermit) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

/// How many look-ups there are at once.
struct Lanes {
    usual: Arc<Semaphore>,
    hanging: Arc<Semaphore>,
}

impl Lanes {
    fn new(usual: usize, hanging: usize) -> Self {
        Self {
            usual: Arc::new(Semaphore::new(usual)),
            hanging: Arc::new(Semaphore::new(hanging)),
        }
    }
}

/// Looks names up, on one thread.
#[derive(Clone)]
pub(crate) struct Resolver {
    shared: Rc<Sharing>,
}

struct Sharing {
    running: RefCell<HashMap<String, Shared<LocalBoxFuture<'static, Looked>>>>,
    /// Names whose last look-up took long.
    hanging: RefCell<HashSet<String>>,
    dns: Dns,
    dns_lanes: Lanes,
    system: System,
    system_lanes: Lanes,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::with(Dns::default())
    }
}

impl Resolver {
    fn with(dns: Dns) -> Self {
        Self {
            shared: Rc::new(Sharing {
                running: RefCell::default(),
                hanging: RefCell::default(),
                dns,
                // A look-up that hangs has up to sixteen sockets: two families, two servers, four tries.
                dns_lanes: Lanes::new(32, 16),
                system: System::default(),
                // A thread each.
                system_lanes: Lanes::new(4, 4),
            }),
        }
    }

    /// The addresses of a name; never none.
    pub(crate) fn look_up(
        &self,
        host: &str,
        config: &ResolverConfig,
    ) -> impl Future<Output = Looked> + use<> {
        if let Some(running) = self.shared.running.borrow().get(host) {
            return running.clone();
        }
        let (sharing, name, config) = (Rc::clone(&self.shared), host.to_owned(), config.clone());
        let look_up = async move {
            let looked = sharing.ask(&name, &config).await;
            sharing.running.borrow_mut().remove(&name);
            let mut addresses = looked?;
            addresses.truncate(MOST_ADDRESSES);
            match addresses.is_empty() {
                true => Err(LookupError::NoAddress),
                false => Ok(addresses),
            }
        };
        let look_up = look_up.boxed_local().shared();
        let mut running = self.shared.running.borrow_mut();
        running.insert(host.to_owned(), look_up.clone());
        // Somebody has to see it through, even when the probe that asked has given up.
        actix_rt::spawn(look_up.clone());
        look_up
    }
}

impl Sharing {
    async fn ask(&self, host: &str, config: &ResolverConfig) -> Looked {
        match config.source {
            NameSource::Dns => {
                let ask = |_seat| self.dns.ask(host, config);
                self.in_turn(host, &self.dns_lanes, config.timeout, ask).await
            }
            NameSource::System => {
                let ask = |seat| self.system.ask(host, seat);
                self.in_turn(host, &self.system_lanes, config.timeout, ask).await
            }
        }
    }

    async fn in_turn<F: Future<Output = Looked>>(
        &self,
        host: &str,
        lanes: &Lanes,
        limit: Duration,
        ask: impl FnOnce(Seat) -> F,
    ) -> Looked {
        let hung = self.hanging.borrow().contains(host);
        let lane = if hung { &lanes.hanging } else { &lanes.usual };
        let Ok(permit) = Arc::clone(lane).acquire_owned().await else {
            return Err(LookupError::Crowded); // Nobody closes a lane.
        };
        let seat = Seat(Arc::new(Mutex::new(permit)));
        let mut asked = pin!(ask(seat.clone()));
        let quick = PATIENCE.min(limit);
        if let Ok(looked) = timeout(quick, &mut asked).await {
            self.hanging.borrow_mut().remove(host);
            return looked;
        }
        if !hung {
            self.note_hanging(host);
            match Arc::clone(&lanes.hanging).try_acquire_owned() {
                Ok(permit) => seat.change(permit),
                Err(_) => return Err(LookupError::Crowded),
            }
        }
        let looked = timeout(limit - quick, asked).await;
        looked.unwrap_or(Err(LookupError::TimedOut(limit)))
    }

    fn note_hanging(&self, host: &str) {
        let mut hanging = self.hanging.borrow_mut();
        if hanging.len() >= MOST_HANGING {
            hanging.clear();
        }
        hanging.insert(host.to_owned());
    }
}

#[cfg(test)]
mod tests;
