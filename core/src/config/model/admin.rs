//! The admin listener: where it listens, and who may do what there.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use super::Listener;
use crate::{config::secrets::Masked, token::TokenDigest};

/// The port where nothing else is written.
const DEFAULT_PORT: u16 = 9000;

/// The settings of the admin listener.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminConfig {
    /// Where it listens.
    pub listen: Listener,
    /// Who may ask; empty: whoever reaches the loopback address may look, and nobody may change anything.
    pub tokens: Vec<AdminToken>,
    /// Names that requests may have as their host, beside addresses and `localhost`; lower-case.
    pub hosts: Vec<Arc<str>>,
    /// Who may read the metrics.
    pub metrics: MetricsAccess,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: Listener {
                host: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                port: DEFAULT_PORT,
            },
            tokens: Vec::new(),
            hosts: Vec::new(),
            metrics: MetricsAccess::Token,
        }
    }
}

impl AdminConfig {
    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        self.listen.host.is_some_and(|host| host.is_loopback())
    }

    /// The token that was presented, if it is one. All of them are compared, whichever it is.
    pub fn find(&self, presented: &TokenDigest) -> Option<&AdminToken> {
        let is_it = |token: &&AdminToken| token.digest.as_ref().is_some_and(|own| own.is_same(presented));
        self.tokens
            .iter()
            .filter(is_it)
            .fold(None, |_, found| Some(found))
    }
}

/// A secret that opens the admin API.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AdminToken {
    /// What the log calls it.
    pub name: Arc<str>,
    /// What it may do.
    pub role: AdminRole,
    /// The file that holds it, where one does.
    pub file: Option<Masked>,
    /// What it is compared with; `None` until its file has been read.
    pub digest: Option<TokenDigest>,
    /// Whether it is written as `token`, and does not stand in the list.
    pub is_short: bool,
}

impl AdminToken {
    /// The name of the one that is written as `token`.
    pub const SHORT_NAME: &'static str = "admin";

    /// The one that is written as `token`; it comes before those of the list.
    pub fn short(digest: TokenDigest) -> Self {
        Self {
            name: Self::SHORT_NAME.into(),
            role: AdminRole::Admin,
            file: None,
            digest: Some(digest),
            is_short: true,
        }
    }
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdminRole {
    /// Look.
    #[default]
    Read,
    /// Look and change.
    Admin,
}

impl AdminRole {
    /// As it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// Who may read the metrics, where there are tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Whoever has a token.
    Token,
    /// Everybody who reaches the listener.
    Open,
}
