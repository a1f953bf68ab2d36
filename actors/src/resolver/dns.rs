//! The hosts file, then DNS servers, as `/etc/resolv.conf` names them or the configuration does. Both files are read again when
//! they have changed.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use hickory_resolver::{
    Hosts, TokioResolver,
    config::{self as hickory, LookupIpStrategy, NameServerConfig, ResolveHosts},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::{Query, ResponseCode},
        rr::{Name, RecordType},
    },
};
use lb_core::config::ResolverConfig;
use log::warn;

use super::{Looked, LookupError};
use crate::files::{self, FileError};

/// Far above any file that a person or a program writes.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// As many servers and search domains as a long configuration has.
const MOST_SERVERS: usize = 8;
const MOST_DOMAINS: usize = 32;

/// Requests over one connection to a server whose response was too long for a datagram.
const MOST_REQUESTS: usize = 1024;

/// A look-up is tried again at most so often, whatever resolv.conf says: its time is bounded as a whole.
const MOST_ATTEMPTS: usize = 3;

/// Look-ups by the hosts file and DNS.
pub(super) struct Dns {
    resolv_conf: PathBuf,
    hosts: PathBuf,
    made: RefCell<Option<Rc<Made>>>,
}

impl Default for Dns {
    fn default() -> Self {
        Self::reading("/etc/resolv.conf".into(), "/etc/hosts".into())
    }
}

/// A resolver, and what it was made of.
struct Made {
    config: ResolverConfig,
    files: [Option<Stamp>; 2],
    hosts: Hosts,
    resolver: TokioResolver,
}

/// What of a file changes with its content.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self {
            file: (meta.dev(), meta.ino()),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

impl Dns {
    pub(super) fn reading(resolv_conf: PathBuf, hosts: PathBuf) -> Self {
        Self {
            resolv_conf,
            hosts,
            made: RefCell::default(),
        }
    }

    pub(super) async fn ask(&self, host: &str, config: &ResolverConfig) -> Looked {
        let made = self.up_to_date(config)?;
        let name = Name::from_ascii(host).map_err(|error| LookupError::Dns(error.into()))?;
        let listed = in_hosts(&made.hosts, &name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let mut found = made.resolver.lookup_ip(name.clone()).await;
        if let Err(NetError::NoConnections) = found {
            // The reason is lost. If it is that no descriptor is left, nothing is known of the name; if there is one again,
            // the servers can be asked now.
            drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
            found = made.resolver.lookup_ip(name).await;
        }
        match found {
            Ok(found) => Ok(found.iter().collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(nothing))) => Err(match nothing.response_code {
                ResponseCode::NXDomain => LookupError::NoSuchName,
                _ => LookupError::NoAddress,
            }),
            Err(error) => Err(LookupError::Dns(error)),
        }
    }

    /// The resolver of these settings and of the files as they are.
    fn up_to_date(&self, config: &ResolverConfig) -> Result<Rc<Made>, LookupError> {
        let files = [Stamp::of(&self.resolv_conf), Stamp::of(&self.hosts)];
        if let Some(made) = &*self.made.borrow()
            && made.files == files
            && made.config == *config
        {
            return Ok(Rc::clone(made));
        }
        let made = Rc::new(Made {
            config: config.clone(),
            files,
            hosts: self.read_hosts()?,
            resolver: self.make(config)?,
        });
        *self.made.borrow_mut() = Some(Rc::clone(&made));
        Ok(made)
    }

    fn read_hosts(&self) -> io::Result<Hosts> {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&*read(&self.hosts)?)?;
        Ok(hosts)
    }

    fn make(&self, config: &ResolverConfig) -> Result<TokioResolver, LookupError> {
        let (conf, wrong) = resolv_conf::Config::parse_with_errors(&read(&self.resolv_conf)?);
        for error in wrong {
            warn!("{}: {error}", self.resolv_conf.display());
        }
        let local = || conf.get_nameservers_or_local().into_iter();
        let servers: Vec<_> = match config.nameservers.as_slice() {
            [] => local()
                .map(|server| SocketAddr::new(server.into(), 53))
                .take(MOST_SERVERS)
                .collect(),
            written => written.to_vec(),
        };
        let servers = servers.into_iter().map(server).collect();
        let domains = conf.get_last_search_or_domain().filter_map(|domain| {
            // glibc takes what is no domain for none.
            Name::from_str_relaxed(domain)
                .ok()
                .filter(|domain| !domain.is_root())
        });
        let domains = domains.take(MOST_DOMAINS).collect();
        let servers = hickory::ResolverConfig::from_parts(None, domains, servers);
        let mut builder = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ndots = conf.ndots as usize;
        options.edns0 = conf.edns0;
        options.attempts = (conf.attempts as usize).clamp(1, MOST_ATTEMPTS);
        let tries = options.attempts as u32 + 1;
        options.timeout =
            Duration::from_secs(conf.timeout.into()).clamp(Duration::from_millis(1), config.timeout / tries);
        options.ip_strategy = if conf.no_aaaa {
            LookupIpStrategy::Ipv4Only
        } else {
            LookupIpStrategy::Ipv6AndIpv4
        };
        // The hosts file is asked before, for both families at once.
        options.use_hosts_file = ResolveHosts::Never;
        options.cache_size = 0;
        options.max_active_requests = MOST_REQUESTS;
        builder.build().map_err(LookupError::Dns)
    }
}

/// A file that may be missing.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    match files::read(path, LARGEST_FILE) {
        Ok(bytes) => Ok(bytes),
        Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(FileError::Io(error)) => Err(error),
        Err(error) => Err(io::Error::other(format!("{} {error}", path.display()))),
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// What the hosts file says: a name that it has is asked for nowhere else, whatever its family.
fn in_hosts(hosts: &Hosts, name: &Name) -> Vec<IpAddr> {
    let of = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let found = [RecordType::AAAA, RecordType::A].into_iter().filter_map(of);
    let answers = found.flat_map(|lookup| lookup.answers().to_vec());
    answers.filter_map(|record| record.data.ip_addr()).collect()
}
