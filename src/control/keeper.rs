//! Keeps a running instance findable: what a cleaner of temporary files has deleted is made again.

use std::{fs, io, sync::Arc, time::Duration};

use log::{info, warn};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use super::{Claim, ControlServer};
use crate::admin::AdminState;

/// Between two looks, each of two system calls. As long as the file is gone, the same configuration can be started again.
const TICK: Duration = Duration::from_secs(1);

/// A control socket that is served, and the claim that it belongs to.
pub struct Control {
    end: oneshot::Sender<()>,
    task: JoinHandle<Kept>,
}

struct Kept {
    server: ControlServer,
    claim: Claim,
    state: Arc<AdminState>,
    /// A failure is said once.
    fails: bool,
}

impl Control {
    /// Serves the control socket of a claim.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(claim: Claim, state: Arc<AdminState>) -> io::Result<Self> {
        let server = ControlServer::start(&claim.info().socket, Arc::clone(&state))?;
        let mut kept = Kept {
            server,
            claim,
            state,
            fails: false,
        };
        let (end, mut ends) = oneshot::channel();
        let task = actix_rt::spawn(async move {
            loop {
                tokio::select! {
                    _ended = &mut ends => return kept,
                    () = sleep(TICK) => kept.look().await,
                }
            }
        });
        Ok(Self { end, task })
    }

    /// Ends the server after the answers that are under way, and gives the identity up.
    pub async fn stop(self) {
        // The task ends either way: it hears this, or that the sender is gone.
        let _heard = self.end.send(());
        if let Ok(Kept { server, claim, .. }) = self.task.await {
            server.stop().await;
            drop(claim);
        }
    }
}

impl Kept {
    async fn look(&mut self) {
        match self.renew().await {
            Ok(false) => self.fails = false,
            Ok(true) => {
                self.fails = false;
                info!("the control socket or its lock file was deleted, and is made again");
            }
            Err(error) if !self.fails => {
                self.fails = true;
                warn!("the control socket was deleted and cannot be made again: {error}; signals still work");
            }
            Err(_) => {}
        }
    }

    /// Whether something was missing.
    async fn renew(&mut self) -> io::Result<bool> {
        let claimed = self.claim.renew()?;
        let socket = &self.claim.info().socket;
        if !claimed && fs::symlink_metadata(socket).is_ok() {
            return Ok(false);
        }
        let server = ControlServer::start(socket, Arc::clone(&self.state))?;
        // It ends after the responses that are under way, which nobody waits for here.
        actix_rt::spawn(std::mem::replace(&mut self.server, server).stop());
        Ok(true)
    }
}
