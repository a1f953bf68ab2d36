//! The C library's getaddrinfo, which knows every source of `/etc/nsswitch.conf`, and blocks. Each look-up has a thread of its
//! own, never one of the runtime's: reading the configuration needs these. A seat is held until the thread ends, however
//! long after its time.

use std::{cell::RefCell, collections::HashSet, net::ToSocketAddrs, rc::Rc, thread};

use tokio::sync::oneshot;

use super::{Looked, LookupError, Seat};

/// Enough for what name services do, which is not little.
const STACK: usize = 512 * 1024;

/// Look-ups that block.
#[derive(Default)]
pub(super) struct System {
    /// Names whose thread has not ended.
    running: Rc<RefCell<HashSet<String>>>,
}

impl System {
    pub(super) async fn ask(&self, host: &str, seat: Seat) -> Looked {
        if !self.running.borrow_mut().insert(host.to_owned()) {
            return Err(LookupError::Hanging);
        }
        let (reply, replied) = oneshot::channel();
        let (running, name) = (Rc::clone(&self.running), host.to_owned());
        // It is told when the thread has ended, also to nobody.
        let ended = actix_rt::spawn(async move {
            let looked = replied.await;
            running.borrow_mut().remove(&name);
            looked
        });
        let name = host.to_owned();
        let thread = thread::Builder::new()
            .name("resolver".to_owned())
            .stack_size(STACK);
        thread.spawn(move || {
            let looked = (name.as_str(), 0).to_socket_addrs();
            let looked = looked.map(|all| {
                let mut addresses: Vec<_> = all.map(|address| address.ip()).collect();
                addresses.dedup();
                addresses
            });
            drop(seat);
            // Nobody waits for it where its time was up.
            let _ = reply.send(looked);
        })?;
        match ended.await {
            Ok(Ok(looked)) => Ok(looked?),
            // The thread panicked, or the process ends.
            _ => Err(LookupError::Hanging),
        }
    }
}
