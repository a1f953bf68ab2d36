//! The lane as a service of actix-server's workers.

use std::{cell::RefCell, rc::Rc, time::Duration};

use actix_http::{HttpService, KeepAlive, error::DispatchError};
use actix_rt::net::TcpStream;
use actix_server::GracefulShutdownSignal;
use actix_service::{Service as _, ServiceFactory, apply_fn_factory, map_config};
use actix_web::{App, dev::AppConfig, web};

use super::{Guarded, Shared, connection::Connection, ending::Refusal};
use crate::{lane::handler::handle, proxy::Worker};

/// What serves the connections of one worker. It has our own time limits, read anew for each request; the server's would
/// be fixed at the start. `stop`: idle connections end when it comes.
pub fn service(
    worker: Rc<Worker>,
    stop: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let shared = Shared::new(Rc::clone(&worker));
    let app = App::new().app_data(worker).default_service(web::to(handle));
    let http = HttpService::build()
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(Duration::ZERO)
        .on_connect_ext(|guarded: &Guarded<TcpStream>, data| {
            data.insert(Rc::clone(&guarded.0.borrow().link));
        })
        .h1(map_config(app, |()| AppConfig::default()));
    apply_fn_factory(http, move |stream: TcpStream, http: &_| {
        let peer = stream.peer_addr().ok();
        let limits = shared.worker.registry.snapshot().config().limits;
        let open = peer.and_then(|peer| shared.worker.traffic.connect(peer.ip(), &limits));
        // Linux lets it be inherited from the listener.
        let usable = cfg!(target_os = "linux") || stream.set_nodelay(true).is_ok();
        let stop = stop.clone();
        let stop = Box::pin(async move { stop.notified().await });
        let address = peer.map(|peer| peer.ip());
        let connection = Connection::new(stream, address, Rc::clone(&shared), stop);
        let connection = Rc::new(RefCell::new(connection));
        let served = (usable && open.is_some()).then(|| http.call((Guarded(Rc::clone(&connection)), peer)));
        async move {
            let orderly = match served {
                Some(served) => served.await.is_ok(),
                None => {
                    connection.borrow_mut().refusal = Some(Refusal::new(503, "too many connections"));
                    true
                }
            };
            // The server has let go of it.
            if let Ok(connection) = Rc::try_unwrap(connection) {
                connection.into_inner().end(orderly).await;
            }
            drop(open);
            Ok(())
        }
    })
}
