//! The other end of the control socket, for `--reload`, `--stop` and `status`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use actix_service::fn_service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::{
    Client, Connector,
    http::{Method, Uri},
};
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// A status report of ten thousand backends is some 4 MB.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// An instance that does not answer in words.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No answer.
    #[error("the instance does not answer on {}: {reason}", .socket.display())]
    NoAnswer {
        /// Its socket.
        socket: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// An answer that this program does not understand, as another version may give.
    #[error("the instance's answer is not understood: {0}")]
    NotUnderstood(String),
}

/// Talks to one instance.
pub struct ControlClient {
    client: Client,
    socket: PathBuf,
}

impl ControlClient {
    /// A client for the instance that listens on `socket`.
    pub fn new(socket: &Path) -> Self {
        let path = socket.to_path_buf();
        let connect = fn_service(move |info: ConnectInfo<Uri>| {
            let path = path.clone();
            async move {
                let stream = UnixStream::connect(path).await.map_err(ConnectError::Io)?;
                Ok::<_, ConnectError>(Connection::new(info.request().clone(), stream))
            }
        });
        let client = Client::builder()
            .connector(Connector::new().connector(connect))
            .disable_timeout()
            .finish();
        Self {
            client,
            socket: socket.to_path_buf(),
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
        let no_answer = |reason: String| ControlError::NoAnswer {
            socket: self.socket.clone(),
            reason,
        };
        let exchange = async {
            let mut answer = self
                .client
                .request(method, format!("http://control{path}"))
                .send()
                .await
                .map_err(|error| no_answer(error.to_string()))?;
            if !answer.status().is_success() {
                return Err(ControlError::NotUnderstood(answer.status().to_string()));
            }
            let body = answer.body().limit(LARGEST_ANSWER).await;
            let body = body.map_err(|error| no_answer(error.to_string()))?;
            serde_json::from_slice(&body).map_err(|error| ControlError::NotUnderstood(error.to_string()))
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(no_answer(format!("nothing within {} s", timeout.as_secs()))),
        }
    }
}
