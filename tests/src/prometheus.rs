//! Prometheus, unpacked and installed nowhere: no service of it runs but the test's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::Server;
use crate::tool::Tool;
use crate::{http, ports};

/// How long anything may take that a busy machine delays.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Prometheus that scrapes one address as the job `tessera`. Stopped when dropped.
pub struct Prometheus {
    _server: Server,
    address: SocketAddr,
    _directory: TempDir,
}

impl Prometheus {
    /// One that scrapes every second and goes by these rules.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(target: SocketAddr, rules: &Path) -> Self {
        let directory = TempDir::with_prefix("prometheus-").unwrap();
        let config = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\nscrape_configs:\n  \
             - job_name: tessera\n    static_configs: [{{targets: ['{target}']}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let tool = Tool::new(program("prometheus"), "prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"));
        Self {
            _server: Server::start(tool, address.port(), &directory.path().join("log")),
            address,
            _directory: directory,
        }
    }

    /// What its API gives for a path below `/api/v1`; `None`: nothing, as long as it begins.
    #[must_use]
    pub fn api(&self, path: &str) -> Option<Value> {
        let request = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        let answer = http::ask(self.address, &request);
        serde_json::from_str(&answer.body).ok()
    }

    /// The value of an expression now, if it has just one.
    #[must_use]
    pub fn value(&self, expression: &str) -> Option<f64> {
        let found = self.query(expression)?;
        match found["data"]["result"].as_array()?.as_slice() {
            [only] => only["value"][1].as_str()?.parse().ok(),
            _ => None,
        }
    }

    /// What an expression comes to now.
    #[must_use]
    pub fn query(&self, expression: &str) -> Option<Value> {
        let octets = expression.bytes().map(|octet| format!("%{octet:02x}"));
        self.api(&format!("query?query={}", octets.collect::<String>()))
    }

    /// Waits until an expression has this value.
    ///
    /// # Panics
    /// If it never has.
    #[track_caller]
    pub fn wait_for(&self, expression: &str, value: f64) {
        let start = Instant::now();
        while self.value(expression) != Some(value) {
            assert!(
                start.elapsed() < PATIENCE,
                "{expression} is never {value}, but {:?}",
                self.query(expression)
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Prometheus' own checks of what others write.
#[must_use]
pub fn promtool(line: &str) -> Tool {
    Tool::new(program("promtool"), &format!("promtool {line}"))
}

fn program(name: &str) -> PathBuf {
    let root =
        std::env::var_os("TESSERA_PROMETHEUS").expect("TESSERA_PROMETHEUS names no directory; tests/run sets it");
    PathBuf::from(root).join("usr/bin").join(name)
}
