//! `limits`: what clients may take up.

use super::{
    Place, Setting, Settings,
    field::{Leaf, lens},
    forms::{OrNone, Single, Size, Whole},
    shape::Kind,
};
use crate::config::{
    model::Limits,
    problem::Refusal,
    size::{ByteSize, MAX_SIZE, parse_size},
    written::Written,
};

/// Less refuses what browsers send.
const LEAST_HEADER_SIZE: ByteSize = ByteSize::kib(1);
/// A head is held in memory as a whole, for each connection.
/// The largest `limits.header_size`.
pub const MAX_HEADER_SIZE: ByteSize = ByteSize::kib(1024);
/// Ten times what anybody sends; each header costs time in every request.
const MAX_HEADER_COUNT: u32 = 1000;
/// More than a machine can hold.
pub(super) const MAX_CONNECTIONS: u32 = 100_000_000;

const CONNECTIONS: OrNone<Whole> = OrNone {
    form: Whole(1, MAX_CONNECTIONS),
    expects: "a whole number or none",
};

impl Settings for Limits {
    const EXAMPLE: &'static str = "limits: {body_size: 10MiB}";
    const SETTINGS: &'static [Setting<Self>] = &[
        Setting::new(
            "header_size",
            &Leaf(lens!(Limits, header_size), &Size(LEAST_HEADER_SIZE, MAX_HEADER_SIZE)),
            "The size of a request's line and headers together.",
        )
        .danger("Each connection may hold that much memory; too small refuses requests with large cookies or tokens.")
        .at(&[Place::Top]),
        Setting::new(
            "header_count",
            &Leaf(lens!(Limits, header_count), &Whole(1, MAX_HEADER_COUNT)),
            "How many header lines a request may have.",
        )
        .at(&[Place::Top]),
        Setting::new(
            "body_size",
            &Leaf(
                lens!(Limits, body_size),
                &OrNone {
                    form: BodySize,
                    expects: "a size or none",
                },
            ),
            "The size of a request's body.",
        )
        .danger("Larger uploads are refused with 413.")
        .at(&[Place::Top]),
        Setting::new(
            "connections",
            &Leaf(lens!(Limits, connections), &CONNECTIONS),
            "Connections of all clients together. Those beyond it are closed, from whomever they are.",
        )
        .see(&["limits.connections_per_client"])
        .at(&[Place::Top]),
        Setting::new(
            "connections_per_client",
            &Leaf(lens!(Limits, connections_per_client), &CONNECTIONS),
            "Connections from one client: from an IPv4 address, also one that is mapped into IPv6, or from an IPv6 network.",
        )
        .danger("Behind another proxy or a NAT, all clients are one address.")
        .see(&["limits.client_prefix", "limits.connections", "trusted_proxies"])
        .at(&[Place::Top]),
        Setting::new(
            "client_prefix",
            &Leaf(lens!(Limits, client_prefix), &Whole(1, 128)),
            "The length of the prefix that the IPv6 addresses of one client have in common; 128: each address is a client.",
        )
        .danger("A client that has a whole network can use another address for each connection.")
        .see(&["limits.connections_per_client"])
        .at(&[Place::Top]),
    ];
}

/// Any but nothing.
struct BodySize;

impl Single<ByteSize> for BodySize {
    fn expects(&self) -> &'static str {
        "a size"
    }

    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Size(ByteSize::new(1), MAX_SIZE)]
    }

    fn parse(&self, written: &Written) -> Result<ByteSize, Refusal> {
        let nothing = || Refusal::new("must be more than 0B");
        match parse_size(written.text()) {
            Ok(size) if size == ByteSize::new(0) => Err(nothing()),
            Err(_) if written.text() == "0" => Err(nothing()),
            size => size,
        }
    }

    fn write(&self, value: &ByteSize) -> String {
        value.to_string()
    }
}
