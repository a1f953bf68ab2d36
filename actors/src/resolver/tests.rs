//! Look-ups against a name server of the test's own, on a real clock.
#![allow(clippy::unwrap_used)]

use std::{fs, time::Instant};

use dummy_servers::NameServer;
use tempfile::TempDir;

use super::*;

/// A resolver that reads files of its own.
struct Place {
    folder: TempDir,
    server: NameServer,
    resolver: Resolver,
    config: ResolverConfig,
}

impl Place {
    fn new(hosts: &str, conf: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = NameServer::start().unwrap();
        let dns = Dns::reading(folder.path().join("resolv.conf"), folder.path().join("hosts"));
        let place = Self {
            resolver: Resolver::with(dns),
            config: ResolverConfig {
                nameservers: vec![server.address()],
                ..ResolverConfig::default()
            },
            folder,
            server,
        };
        place.write("hosts", hosts);
        place.write("resolv.conf", conf);
        place
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn knows(&self, name: &str, addresses: &[&str]) {
        let parsed: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.server.set(name, &parsed);
    }

    async fn look_up(&self, name: &str) -> String {
        match self.resolver.look_up(name, &self.config).await {
            Ok(found) => {
                let mut found: Vec<_> = found.iter().map(ToString::to_string).collect();
                found.sort();
                found.join(" ")
            }
            Err(error) => error.to_string(),
        }
    }
}

fn on_a_system(test: impl Future<Output = ()>) {
    actix_rt::System::new().block_on(test);
}

#[test]
fn both_families_are_asked_for_and_what_has_no_address_is_said() {
    on_a_system(async {
        let place = Place::new("", "");
        place.knows("web_1.test", &["10.0.0.1", "10.0.0.2", "2001:db8::1"]);
        place.knows("empty.test", &[]);
        assert_eq!(place.look_up("web_1.test").await, "10.0.0.1 10.0.0.2 2001:db8::1");
        assert_eq!(place.look_up("empty.test").await, "the name has no address");
        assert_eq!(place.look_up("none.test").await, "there is no such name");
        // The time to live of an hour keeps nobody from a change.
        place.knows("web_1.test", &["10.0.0.3"]);
        assert_eq!(place.look_up("web_1.test").await, "10.0.0.3");
    });
}

#[test]
fn search_domains_and_ndots_are_those_of_resolv_conf_as_it_is_now() {
    on_a_system(async {
        let place = Place::new("", "search a.test b.test\noptions ndots:2\n");
        place.knows("api.b.test", &["10.0.0.1"]);
        place.knows("api.x", &["10.0.0.9"]);
        place.knows("api.x.a.test", &["10.0.0.2"]);
        assert_eq!(place.look_up("api").await, "10.0.0.1");
        assert_eq!(place.look_up("api.x").await, "10.0.0.2", "fewer dots than ndots");
        assert_eq!(place.look_up("api.x.").await, "10.0.0.9", "a dot at the end");
        place.write("resolv.conf", "search a.test b.test\noptions ndots:1\n");
        assert_eq!(place.look_up("api.x").await, "10.0.0.9", "as many");
        place.write("resolv.conf", "");
        assert_eq!(place.look_up("api").await, "there is no such name");
    });
}

#[test]
fn what_the_hosts_file_has_is_asked_for_nowhere_else() {
    on_a_system(async {
        let place = Place::new("10.1.1.1 here Here2\n", "search test\n");
        place.knows("here", &["10.9.9.9", "2001:db8::9"]);
        place.server.be_silent_about("");
        let begun = Instant::now();
        assert_eq!(place.look_up("here").await, "10.1.1.1");
        assert_eq!(place.look_up("here2").await, "10.1.1.1");
        assert!(begun.elapsed() < Duration::from_secs(2) && place.server.asked().is_empty());
        place.write("hosts", "10.1.1.2 here\n2001:db8::2 here\n");
        assert_eq!(place.look_up("here").await, "10.1.1.2 2001:db8::2");
        assert_eq!(
            place.look_up("localhost").await,
            "127.0.0.1 ::1",
            "RFC 6761 section 6.3"
        );
    });
}

#[test]
fn names_that_hang_cost_no_other_name_its_look_up() {
    on_a_system(async {
        let mut place = Place::new("", "");
        place.config.timeout = Duration::from_secs(60);
        place.server.be_silent_about(".hang");
        place.knows("fine.test", &["10.0.0.1"]);
        for number in 0..600 {
            let _hangs = place
                .resolver
                .look_up(&format!("n{number}.hang"), &place.config)
                .now_or_never();
        }
        // While they are not known to hang, they are before it.
        let begun = Instant::now();
        assert_eq!(place.look_up("fine.test").await, "10.0.0.1");
        let first = begun.elapsed();
        let limits = Duration::from_secs(2)..Duration::from_secs(40);
        assert!(limits.contains(&first), "{first:?}");
        let begun = Instant::now();
        for number in 0..600 {
            let _hangs = place
                .resolver
                .look_up(&format!("n{number}.hang"), &place.config)
                .now_or_never();
        }
        assert_eq!(place.look_up("fine.test").await, "10.0.0.1");
        let later = begun.elapsed();
        assert!(later < Duration::from_secs(3), "{later:?}");
    });
}

#[test]
fn a_look_up_ends_when_its_time_is_up_and_a_name_is_looked_up_once_at_a_time() {
    on_a_system(async {
        let mut place = Place::new("", "");
        place.config.timeout = Duration::from_secs(1);
        place.server.be_silent_about(".hang");
        let begun = Instant::now();
        let both = futures::join!(place.look_up("a.hang"), place.look_up("a.hang"));
        let expected = "no reply within 1s".to_owned();
        assert_eq!(both, (expected.clone(), expected));
        assert!(begun.elapsed() >= place.config.timeout);
        assert!(place.resolver.shared.running.borrow().is_empty());
        place.server.speak();
        place.knows("a.hang", &["10.0.0.1"]);
        assert_eq!(place.look_up("a.hang").await, "10.0.0.1");
        assert!(place.resolver.shared.hanging.borrow().is_empty());
    });
}

#[test]
fn the_systems_own_look_ups_have_threads_of_their_own() {
    on_a_system(async {
        let mut place = Place::new("10.1.1.1 localhost\n", "");
        place.config.source = NameSource::System;
        let found = place.look_up("localhost").await;
        assert!(found.contains("127.0.0.1") || found == "::1", "{found}");
        assert!(place.server.asked().is_empty());
    });
}
