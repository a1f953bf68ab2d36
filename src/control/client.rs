//! The other end of the control socket, for `--reload`, `--stop`, `status`, `drain` and the like.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use actix_service::fn_service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::{
    Client, Connector, SendClientRequest,
    http::{Method, StatusCode, Uri},
};
use lb_core::config::shown_path;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use super::claim::InstanceInfo;
use crate::admin::Problem;

/// A status report of ten thousand backends is some 4 MB.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// An instance that does not answer in words.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No answer.
    #[error("the instance does not answer on {}: {reason}", shown_path(.socket))]
    NoAnswer {
        /// Its socket.
        socket: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// It refuses what it was asked for, in words.
    #[error("{0}")]
    Refused(String),
    /// It does not know what it was asked for.
    #[error("the instance is of a version that does not know this; it is the new one after a restart")]
    NotKnown,
    /// An answer that this program does not understand, as another version may give.
    #[error("the instance's answer is not understood: {0}")]
    NotUnderstood(String),
}

/// The socket's path is only a name: who listens there is told by the kernel.
async fn connect(path: &Path, owner: u32) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path).await?;
    let peer = stream.peer_cred()?.uid();
    if peer != owner {
        let reason = format!("uid {peer} listens there, but the folder belongs to uid {owner}");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    Ok(stream)
}

/// Talks to one instance.
pub struct ControlClient {
    client: Client,
    socket: PathBuf,
}

impl ControlClient {
    /// A client for that instance. It talks to nobody but a process of the user that the instance's folder belongs to.
    pub fn new(instance: &InstanceInfo) -> Self {
        let (path, owner) = (instance.socket.clone(), instance.owner);
        let connect = fn_service(move |info: ConnectInfo<Uri>| {
            let path = path.clone();
            async move {
                let stream = connect(&path, owner).await.map_err(ConnectError::Io)?;
                Ok::<_, ConnectError>(Connection::new(info.request().clone(), stream))
            }
        });
        let client = Client::builder()
            .connector(Connector::new().connector(connect))
            .disable_timeout()
            .finish();
        Self {
            client,
            socket: instance.socket.clone(),
        }
    }

    /// One question.
    ///
    /// # Errors
    /// [`ControlError`] when there is no answer within `timeout`, or none that is understood.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        timeout: Duration,
    ) -> Result<T, ControlError> {
        let request = self.client.request(method, format!("http://control{path}"));
        self.exchange(request.send(), timeout).await
    }

    /// Posts a value as JSON.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn tell<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, ControlError> {
        let request = self.client.request(Method::POST, format!("http://control{path}"));
        self.exchange(request.send_json(value), timeout).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        request: SendClientRequest,
        timeout: Duration,
    ) -> Result<T, ControlError> {
        let no_answer = |reason: String| ControlError::NoAnswer {
            socket: self.socket.clone(),
            reason,
        };
        let exchange = async {
            let mut answer = request.await.map_err(|error| no_answer(error.to_string()))?;
            let body = answer.body().limit(LARGEST_ANSWER).await;
            let body = body.map_err(|error| no_answer(error.to_string()))?;
            if !answer.status().is_success() {
                return Err(match serde_json::from_slice::<Problem>(&body) {
                    Ok(problem) => ControlError::Refused(problem.line()),
                    Err(_) if answer.status() == StatusCode::NOT_FOUND => ControlError::NotKnown,
                    Err(_) => ControlError::NotUnderstood(answer.status().to_string()),
                });
            }
            serde_json::from_slice(&body).map_err(|error| ControlError::NotUnderstood(error.to_string()))
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(no_answer(format!("nothing within {} s", timeout.as_secs()))),
        }
    }
}
