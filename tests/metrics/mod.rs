//! Metrics: what a scrape says, in which format, and that its figures are those of the load.

/// Both formats, and who prefers which.
mod formats;

use std::{collections::BTreeMap, net::SocketAddr};

use crate::harness::{Balancer, Client, FAST_CHECKS};

/// A configuration with an admin listener that everybody on this machine may read.
fn config(backends: &[String], more: &str) -> String {
    let backends: String = backends.iter().map(|one| format!("  - {one}\n")).collect();
    format!("port: \"127.0.0.1:0\"\n{FAST_CHECKS}\nadmin: \"127.0.0.1:0\"\n{more}backends:\n{backends}")
}

#[track_caller]
fn address(balancer: &Balancer) -> SocketAddr {
    let admin = balancer.status().admin;
    admin.expect("an admin listener").parse().unwrap()
}

/// The series of a scrape, by name and labels as they are written.
#[derive(Debug, Clone, PartialEq)]
struct Series(BTreeMap<String, f64>);

impl Series {
    #[track_caller]
    fn of(balancer: &Balancer) -> Self {
        let response = Client::connect(address(balancer)).get("/metrics");
        assert_eq!(response.status, 200);
        Self::parse(&response.text())
    }

    #[track_caller]
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut all = BTreeMap::new();
        for line in lines {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let before = all.insert(series.to_owned(), value.parse().expect(line));
            assert_eq!(before, None, "{series} is there twice");
        }
        Self(all)
    }

    #[track_caller]
    fn get(&self, series: &str) -> f64 {
        let Some(value) = self.0.get(series) else {
            panic!("no {series} in {:#?}", self.0.keys());
        };
        *value
    }
}
