//! What each path answers.

use std::{borrow::Cow, time::Duration};

use serde::Serialize;

use crate::{
    answer::{Fields, Head, Length, TEXT},
    connection::{Body, Connection, End},
    hits::RecordedRequest,
    request::Request,
    route::Route,
};

/// How often `/drip` sends at most: timers are good to a millisecond, so that 10 ms spread evenly.
const DRIP_PAUSE: Duration = Duration::from_millis(10);

const COOKIE_A: (&str, &str) = ("Set-Cookie", "a=1");
const COOKIE_B: (&str, &str) = ("Set-Cookie", "b=2");

/// `hello`, as gzip writes it.
const GZIP_HELLO: [u8; 25] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00,
    0x86, 0xa6, 0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
];

#[derive(Serialize)]
struct Echo<'a> {
    server: &'a str,
    method: &'a str,
    path: &'a str,
    version: &'a str,
    headers: &'a [(String, String)],
    body: &'a str,
    body_length: u64,
}

/// Answers a request whose body has been read.
pub(crate) async fn answer(connection: &mut Connection, request: &Request, body: &Body) -> Result<(), End> {
    let name = connection.server_name();
    let (status, fields, content): (u16, Fields<'_>, Cow<'_, [u8]>) = match request.route {
        Route::Bytes(count) => return send_bytes(connection, request, count).await,
        Route::Drip { bytes, over } => return send_drip(connection, request, bytes, over).await,
        Route::Status(status @ (204 | 304)) => {
            let head = Head {
                status,
                fields: &[],
                length: Length::NoBody,
            };
            return connection.send_head(request, &head).await;
        }
        Route::Status(205) => (205, &[], text("")),
        Route::Status(status) => (status, &[TEXT], text(format!("{status}\n"))),
        Route::Hello => (200, &[TEXT], text(format!("Hello from {name}\n"))),
        Route::Health => (200, &[TEXT], text("OK\n")),
        Route::Count => (200, &[TEXT], text(format!("{}\n", body.length))),
        Route::Headers => (
            200,
            &[TEXT, COOKIE_A, COOKIE_B, ("Connection", "X-Hop"), ("X-Hop", "1")],
            text("see my head\n"),
        ),
        Route::Redirect => (302, &[TEXT, ("Location", "/")], text("see /\n")),
        Route::GzipClaim => (
            200,
            &[TEXT, ("Content-Encoding", "gzip")],
            Cow::Borrowed(&GZIP_HELLO),
        ),
        Route::Refused(status, why) => (status, &[TEXT], text(format!("{why}\n"))),
        Route::Echo => {
            let seen = request.text.as_deref();
            let json = seen.and_then(|seen| echo(name, seen, body)).unwrap_or_default();
            (200, &[("Content-Type", "application/json")], Cow::Owned(json))
        }
    };
    connection.reply(request, status, fields, &content).await
}

fn text(content: impl Into<Cow<'static, str>>) -> Cow<'static, [u8]> {
    match content.into() {
        Cow::Borrowed(content) => Cow::Borrowed(content.as_bytes()),
        Cow::Owned(content) => Cow::Owned(content.into_bytes()),
    }
}

fn echo(server: &str, request: &RecordedRequest, body: &Body) -> Option<Vec<u8>> {
    let echo = Echo {
        server,
        method: &request.method,
        path: &request.path,
        version: request.version,
        headers: &request.headers,
        body: &String::from_utf8_lossy(&body.kept),
        body_length: body.length,
    };
    // Text and numbers always become JSON.
    serde_json::to_vec(&echo).ok()
}

async fn send_bytes(connection: &mut Connection, request: &Request, count: u64) -> Result<(), End> {
    let fields = &[("Content-Type", "application/octet-stream")];
    connection
        .send_head(
            request,
            &Head {
                status: 200,
                fields,
                length: Length::Exact(count),
            },
        )
        .await?;
    if request.is_head {
        Ok(())
    } else {
        connection.send_pattern(0, count).await
    }
}

async fn send_drip(
    connection: &mut Connection,
    request: &Request,
    bytes: u64,
    over: Duration,
) -> Result<(), End> {
    // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
    let length = if request.is_http_10 {
        Length::UntilClose
    } else {
        Length::Chunked
    };
    connection
        .send_head(
            request,
            &Head {
                status: 200,
                fields: &[TEXT],
                length,
            },
        )
        .await?;
    if request.is_head {
        return Ok(());
    }
    let start = tokio::time::Instant::now();
    let steps = u64::try_from(over.as_millis() / DRIP_PAUSE.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, bytes.max(1));
    let mut sent = 0;
    for step in 1..=steps {
        let micros = over.as_micros() * u128::from(step) / u128::from(steps);
        connection
            .pause_until(start + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
            .await?;
        let due = u64::try_from(u128::from(bytes) * u128::from(step) / u128::from(steps)).unwrap_or(bytes);
        connection
            .send_pattern_piece(sent, due - sent, !request.is_http_10)
            .await?;
        sent = due;
    }
    if request.is_http_10 {
        Err(End::Close)
    } else {
        connection.send(b"0\r\n\r\n").await
    }
}
