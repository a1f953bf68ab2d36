//! Reading bodies of requests: little, soon, and JSON.

use std::time::Duration;

use actix_web::{http::StatusCode, web};
use futures::StreamExt;
use lb_core::config::Weight;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};

use super::problem::Problem;

/// A URL, a name, a number and a duration.
const LARGEST_BODY: usize = 16 * 1024;

/// A body so small comes in one piece with its head.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads a body as what it must be, whatever its `Content-Type` says: `curl -d` says that it is a form.
pub(super) async fn read<T: DeserializeOwned>(payload: web::Payload) -> Result<T, Problem> {
    let bytes = match tokio::time::timeout(READ_TIMEOUT, collect(payload)).await {
        Ok(bytes) => bytes?,
        Err(_over) => {
            let detail = format!("the body did not arrive within {} s", READ_TIMEOUT.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        }
    };
    let refused = |why: String| {
        Problem::bad_request(format!("the body is not what it must be: {why}"))
            .hint("send JSON such as {\"url\": \"http://localhost:9001\"}; /openapi.json has its fields")
    };
    // serde would also take the fields one after the other, as a list.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(refused("a list, and no object".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))
}

/// A weight as JSON may have it: for JSON `3.0` is a whole number, too. `null` is none.
pub(super) fn weight<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Weight>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(from)? else {
        return Ok(None);
    };
    let is_weight = number.fract() == 0.0 && (1.0..=f64::from(Weight::MAX)).contains(&number);
    let weight = is_weight.then_some(number as u16).and_then(Weight::new);
    let refused = || D::Error::custom("the weight must be a whole number from 1 to 256");
    weight.map(Some).ok_or_else(refused)
}

async fn collect(mut payload: web::Payload) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = payload.next().await {
        let piece =
            piece.map_err(|error| Problem::bad_request(format!("the body cannot be read: {error}")))?;
        if bytes.len() + piece.len() > LARGEST_BODY {
            let detail = format!("the body is longer than {} KiB", LARGEST_BODY / 1024);
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
