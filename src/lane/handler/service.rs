//! The lane as a service of the fronts: the actix-web `App`, called in this process.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::{
    ConnectionType, Request,
    body::{BodySize, BoxBody, MessageBody},
};
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::{
    App, Error, HttpResponse,
    dev::{AppConfig, ServiceResponse},
    web,
};
use bytes::Bytes;
use futures::{FutureExt, future::LocalBoxFuture};
use lb_wire::Version;

use super::{HandlerWorker, handle, request};
use crate::front::{self, BrokenOff, Call, Length};

/// The handler lane of one worker thread.
pub(super) struct HandlerLane<A> {
    app: A,
    worker: Rc<HandlerWorker>,
}

/// The lane for the requests of this worker.
///
/// # Errors
/// When the application cannot be made.
pub fn service(worker: Rc<HandlerWorker>) -> io::Result<impl front::Service> {
    let app = App::new()
        .app_data(Rc::clone(&worker))
        .default_service(web::to(handle));
    // Nothing in it waits for anything.
    let made = app
        .into_factory()
        .new_service(AppConfig::default())
        .now_or_never();
    match made {
        Some(Ok(app)) => Ok(HandlerLane { app, worker }),
        Some(Err(())) | None => Err(io::Error::other(
            "the application of the handler lane cannot be made",
        )),
    }
}

impl<A> front::Service for HandlerLane<A>
where
    A: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    type Response = HandlerResponse;

    fn call(&self, call: Call<'_>) -> LocalBoxFuture<'static, HandlerResponse> {
        let request = request::of_call(call, &self.worker);
        match request {
            Ok(request) => {
                let responding = self.app.call(request);
                Box::pin(async move {
                    match responding.await {
                        Ok(response) => HttpResponse::from(response).into(),
                        // The handler gives a response whatever happens; this is the framework's own.
                        Err(error) => error.error_response().into(),
                    }
                })
            }
            Err(response) => Box::pin(std::future::ready((*response).into())),
        }
    }
}

/// A response of the handler.
pub(super) struct HandlerResponse {
    head: HttpResponse<()>,
    body: BoxBody,
}

impl From<HttpResponse> for HandlerResponse {
    fn from(response: HttpResponse) -> Self {
        let (head, body) = response.into_parts();
        Self { head, body }
    }
}

impl front::Response for HandlerResponse {
    fn status(&self) -> u16 {
        self.head.status().as_u16()
    }

    fn version(&self) -> Version {
        match self.head.head().version {
            actix_http::Version::HTTP_10 => Version::Http10,
            _ => Version::Http11,
        }
    }

    fn lines(&self, line: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self.head.headers() {
            line(name.as_str().as_bytes(), value.as_bytes());
        }
    }

    fn length(&self) -> Length {
        match self.body.size() {
            BodySize::None => Length::Absent,
            BodySize::Sized(length) => Length::Known(length),
            BodySize::Stream => Length::Unknown,
        }
    }

    fn closes(&self) -> bool {
        // The version is the backend's, and old ones say nothing of the client's connection.
        let head = self.head.head();
        head.version == actix_http::Version::HTTP_11 && head.connection_type() == ConnectionType::Close
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        let body = Pin::new(&mut self.body);
        body.poll_next(cx)
            .map(|piece| piece.map(|piece| piece.map_err(|_| BrokenOff)))
    }
}
