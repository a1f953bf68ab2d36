//! `timeouts`: how long to wait for whom.
//!
//! Those of the client's side are the whole balancer's. Pools and routes have those of the backend's side, routes without
//! what belongs to connections, which all routes of a pool share.

use super::{
    Keys, Place, Setting, Settings,
    field::{Leaf, lens},
    forms::{OrNone, TIMEOUT},
    known,
};
use crate::config::model::{ClientTimeouts, UpstreamTimeouts};

impl Settings for UpstreamTimeouts {
    const SHORT: Option<&'static str> = Some("response_idle");
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "connect",
            &Leaf(lens!(UpstreamTimeouts, connect), &TIMEOUT),
            "How long opening a connection to a backend may take, all of its addresses together.",
        )
        .danger("Longer hides a dead backend, shorter fails on a slow network.")
        .see(&["retries.attempts"])
        .on_routes(),
        Setting::new(
            "response_idle",
            &Leaf(lens!(UpstreamTimeouts, response_idle), &TIMEOUT),
            "How long a backend may be silent, before its response and between two pieces of it.",
        )
        .danger("Shorter than the slowest page turns it into a 504.")
        .see(&["timeouts.request"])
        .on_routes(),
        Setting::new(
            "body_stall",
            &Leaf(lens!(UpstreamTimeouts, body_stall), &TIMEOUT),
            "How long a client may send less than 256 bytes of its upload, or take nothing of its response.",
        )
        .danger("Short values disconnect clients on bad networks, long ones let slow clients hold a backend's connection.")
        .on_routes(),
        Setting::new(
            "upstream_idle",
            &Leaf(lens!(UpstreamTimeouts, upstream_idle), &TIMEOUT),
            "How long a connection to a backend is kept without a request.",
        )
        .danger("Keep it below the backend's own limit (60s is common), or requests meet connections that are being closed.")
        .see(&["timeouts.upstream_age"]),
        Setting::new(
            "upstream_age",
            &Leaf(lens!(UpstreamTimeouts, upstream_age), &TIMEOUT),
            "The age from which a connection to a backend is not used again, so that changes of its address are seen.",
        )
        .see(&["timeouts.upstream_idle"]),
        Setting::new(
            "tunnel_idle",
            &Leaf(lens!(UpstreamTimeouts, tunnel_idle), &TIMEOUT),
            "How long a tunnel may be silent in both directions: what an upgraded connection is, such as a WebSocket.",
        )
        .danger("Too short cuts quiet chats, too long keeps connections of peers that are gone.")
        .on_routes(),
        Setting::new(
            "request",
            &Leaf(
                lens!(UpstreamTimeouts, request),
                &OrNone {
                    form: TIMEOUT,
                    expects: "a duration or none",
                },
            ),
            "How long a request may take as a whole, from its headers to the end of the response.",
        )
        .danger("It cuts streams and downloads.")
        .see(&["timeouts.response_idle"])
        .on_routes(),
    ];

    fn keys(place: Place) -> Keys {
        timeout_keys(place)
    }
}

impl Settings for ClientTimeouts {
    const SHORT: Option<&'static str> = None;
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "request_header",
            &Leaf(lens!(ClientTimeouts, request_header), &TIMEOUT),
            "How long a client may take for its request line and headers, to their end.",
        )
        .danger("Longer lets slow clients hold connections, shorter refuses clients on bad networks.")
        .at(&[Place::Top]),
        Setting::new(
            "client_idle",
            &Leaf(lens!(ClientTimeouts, client_idle), &TIMEOUT),
            "How long a client's kept-alive connection may be without a request.",
        )
        .at(&[Place::Top]),
    ];

    fn keys(place: Place) -> Keys {
        timeout_keys(place)
    }
}

/// Of both sides: at the top of the file they stand in one mapping.
fn timeout_keys(place: Place) -> Keys {
    let mut all = known::<UpstreamTimeouts>(place);
    all.extend(known::<ClientTimeouts>(place));
    Keys {
        known: all,
        later: &[],
        elsewhere: &[],
        place,
    }
}
