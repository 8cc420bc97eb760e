//! How the realm is watched: what the page says, what the endpoint does with odd clients, and what Prometheus makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tessera_tests::wire::socket::{connect, receive, send, udp};
use tessera_tests::wire::{KdcReq, Reply};
use tessera_tests::{Exposition, Prometheus, Realm, http, promtool};

/// Labels that Prometheus adds itself, or rules do.
const ADDED: [&str; 4] = ["instance", "job", "le", "alertname"];

fn docs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn page(address: SocketAddr) -> Exposition {
    Exposition::parse(&http::get(address, "/metrics").body)
}

#[test]
fn every_page_and_every_wrong_request_has_its_answer() {
    let realm = Realm::builder().watched().start();
    let address = realm.metrics();
    let metrics = http::get(address, "/metrics");
    assert_eq!(metrics.status, 200);
    assert!(
        metrics
            .head
            .contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
    );
    let families = Exposition::parse(&metrics.body);
    assert_eq!(families.sum("tessera_principals", &[]), 3.0);
    let ready = http::get(address, "/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    let health = http::get(address, "/healthz");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));

    let asked = |request: &str| http::ask(address, &format!("{request}\r\nHost: x\r\n\r\n"));
    let head = asked("HEAD /metrics HTTP/1.1");
    assert!(head.status == 200 && head.body.is_empty() && head.head.contains("Content-Length: "));
    let open = asked("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0");
    assert!(
        open.head
            .contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n")
    );
    assert!(open.body.ends_with("\n# EOF\n"));
    assert_eq!(asked("GET /admin HTTP/1.1").status, 404);
    let post = asked("POST /metrics HTTP/1.1\r\nContent-Length: 100000");
    assert!(post.status == 405 && post.head.contains("Allow: GET, HEAD"));
    assert_eq!(
        asked(&format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(9000))).status,
        431
    );
    assert_eq!(http::ask(address, "\x16\x03\x01\x02\x00\x01\r\n\r\n").status, 400);
    // And what is no Kerberos is no page.
    assert!(TcpStream::connect(realm.kerberos()).is_ok());
}

#[test]
#[ignore = "needs MIT's tools"]
fn scrapers_that_are_slow_silent_deaf_or_many_keep_nobody_out() {
    let realm = Realm::builder().watched().start();
    realm.add("alice", "wonderland");
    let desk = realm.workstation();
    let address = realm.metrics();
    let mut held: Vec<TcpStream> = Vec::new();
    for at in 0..300 {
        let mut stream = TcpStream::connect(address).unwrap();
        let said: &[u8] = match at % 3 {
            0 => b"",
            1 => b"G",
            _ => b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        };
        // Whoever has been silent for long may have lost its place already.
        let _ = stream.write_all(said);
        held.push(stream);
    }
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    assert_eq!(http::get(address, "/metrics").status, 200, "beside 300 others");
    desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    // Each is ended by the daemon, whatever it does or does not.
    for mut stream in held {
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut octets = [0; 4096];
        loop {
            match stream.read(&mut octets) {
                Ok(0) => break,
                Ok(_) => {}
                Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(why) => panic!("it is not ended: {why}"),
            }
        }
    }
    let of = [("listener", "metrics")];
    let left = (0..600).find_map(|_| {
        std::thread::sleep(Duration::from_millis(200));
        Some(page(address)).filter(|page| page.sum("tessera_connections", &of) == 1.0)
    });
    let page = left.expect("nobody is connected but who asks");
    assert!(page.sum("tessera_connections_accepted_total", &of) >= 300.0);
    assert!(page.sum("tessera_connections_dropped_total", &of) > 0.0);
}

#[test]
#[ignore = "needs MIT's tools"]
fn under_load_answers_figures_and_events_agree_to_the_last_request() {
    const CLIENTS: usize = 6;
    const EACH: usize = 2000;
    let accounting = "[accounting]\nrotate-size = \"256K\"\n";
    let realm = Realm::builder().watched().section(accounting).start();
    realm.add("alice", "wonderland");
    let desk = realm.workstation();
    let kerberos = realm.kerberos();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut stream = connect(kerberos);
                for number in 0..EACH {
                    let request = &KdcReq::initial(&format!("nobody-{client}-{number}")).to_der();
                    let answer = if client % 2 == 0 {
                        send(&mut stream, request);
                        receive(&mut stream).expect("a request gets no answer")
                    } else {
                        udp(kerberos, request)
                    };
                    assert_eq!(Reply::parse(&answer).code(), 6, "KDC_ERR_C_PRINCIPAL_UNKNOWN");
                }
            });
        }
        for _ in 0..5 {
            desk.mit("kinit alice").stdin("wonderland\n").run().ok();
        }
    });
    let sum = |of: &str| {
        let labels = [("kind", "as"), ("outcome", of)];
        let page = Exposition::parse(&http::get(realm.metrics(), "/metrics").body);
        page.sum("tessera_requests_total", &labels)
    };
    // A page may be a tenth of a second old.
    std::thread::sleep(Duration::from_millis(150));
    let events = |filter: &str| {
        realm
            .principal(&format!("log --json --since 1d {filter}"))
            .run()
            .ok()
            .lines()
            .count()
    };
    let counted = [sum("issued"), sum("refused"), sum("repeated")].map(|count| count as usize);
    let kept = ["issued", "refused", "repeated"].map(|of| events(&format!("--kind as --result {of}")));
    assert_eq!(kept, counted, "issued, refused, repeated");
    // Each login of MIT's is asked for a proof first.
    assert_eq!(counted[0], 5);
    assert_eq!(counted[1] + counted[2], CLIENTS * EACH + 5);
    assert_eq!(events("--kind lost"), 0);
    let files = std::fs::read_dir(realm.state().join("events")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(
        names.filter(|name| name.starts_with("events-")).count() > 2,
        "several files were begun meanwhile"
    );
}

#[test]
fn an_address_for_figures_is_its_own_and_everybodys_is_warned_of() {
    let taken = "kerberos = [\"127.0.0.1:7788\"]\nmetrics = [\"127.0.0.1:7788\"]\n";
    let said = Realm::builder().listen(taken).refused().to_string();
    assert!(
        said.contains("listen.metrics: 127.0.0.1:7788 is already in kerberos"),
        "{said}"
    );
    let realm = Realm::builder().listen("metrics = [\"0.0.0.0:9188\"]\n").stopped();
    let said = realm.kdc("check").run().to_string();
    assert!(
        said.contains("listen.metrics 0.0.0.0:9188 is not on loopback"),
        "{said}"
    );
    let realm = Realm::builder().watched().start();
    let toml = std::fs::read_to_string(realm.toml()).unwrap();
    let other = toml.replace("metrics = [\"127.0.0.1:0\"]", "metrics = [\"127.0.0.1:9188\"]");
    std::fs::write(realm.toml(), other).unwrap();
    let said = realm.principal("reload").run().to_string();
    assert!(
        said.contains("listen.metrics is changed; that takes effect when kdc is started anew"),
        "{said}"
    );
    let reloaded = |realm: &Realm| page(realm.metrics()).sum("tessera_config_last_reload_successful", &[]);
    assert_eq!(reloaded(&realm), 1.0);
    std::fs::write(realm.toml(), format!("{toml}[nonsense]\n")).unwrap();
    realm.principal("reload").run().status(1);
    // A page may be a tenth of a second old.
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(reloaded(&realm), 0.0);
}

/// The tables of docs/monitoring.md: kind and labels of each family.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = std::fs::read_to_string(docs("monitoring.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter(|row| row.starts_with("tessera_") || row.starts_with("process_"));
    rows.map(|row| {
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        let labels = columns[2].split('`').skip(1).step_by(2).map(ToOwned::to_owned);
        let name = columns[0].trim_end_matches('`');
        (name.to_owned(), (columns[1].to_owned(), labels.collect()))
    })
    .collect()
}

/// A realm in which something happened of everything that makes a label.
fn busy_realm() -> Realm {
    let mut realm = Realm::builder()
        .watched()
        .from_afar()
        .section("[keys]\nkrbtgt-every = \"30d\"")
        .start();
    realm.add_service("host/www.example.com");
    // The look at all principals at the start finds it then.
    realm.stop();
    realm.restart();
    let looked = |realm: &Realm| {
        page(realm.metrics()).0["tessera_survey_timestamp_seconds"]
            .samples
            .len()
    };
    for _ in 0..1200 {
        if looked(&realm) > 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    realm
}

#[test]
fn every_figure_is_in_the_documentation_and_every_figure_there_exists() {
    let realm = busy_realm();
    let found = page(realm.metrics());
    let found: BTreeMap<_, _> = found
        .0
        .iter()
        .map(|(name, family)| {
            let labels = family.labels().into_iter().map(ToOwned::to_owned).collect();
            (name.clone(), (family.kind.clone(), labels))
        })
        .collect();
    let documented = documented();
    for (name, what) in &found {
        assert_eq!(Some(what), documented.get(name), "{name} in docs/monitoring.md");
    }
    assert_eq!(found.len(), documented.len(), "{documented:?}");
}

/// Expressions, each with where it stands.
fn expressions() -> Vec<(String, String)> {
    fn collect(value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(expr)) = fields.get("expr") {
                    found.push(("grafana-dashboard.json".into(), expr.clone()));
                }
                fields.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let text = std::fs::read_to_string(docs("monitoring/grafana-dashboard.json")).unwrap();
    let mut found = Vec::new();
    collect(&serde_json::from_str(&text).unwrap(), &mut found);
    assert!(found.len() > 30, "{found:?}");
    found
        .into_iter()
        .map(|(place, expr)| {
            let expr = expr.replace("$job", "tessera").replace("$instance", ".+");
            (place, expr.replace("$__rate_interval", "1m"))
        })
        .collect()
}

/// The names in an expression, and what stands in each pair of braces, brackets and after `by` and `on`.
fn names(expression: &str) -> Vec<String> {
    let mut quoted = false;
    let mut names = vec![String::new()];
    for c in expression.chars() {
        quoted ^= c == '"';
        if !quoted && (c.is_ascii_alphanumeric() || c == '_') {
            names.last_mut().unwrap().push(c);
        } else if !names.last().unwrap().is_empty() {
            names.push(String::new());
        }
    }
    names
}

#[test]
fn dashboard_and_alerts_name_only_figures_and_labels_that_exist() {
    // Words of the language that they use.
    const WORDS: [&str; 18] = [
        "sum",
        "by",
        "rate",
        "increase",
        "changes",
        "histogram_quantile",
        "min",
        "max",
        "time",
        "on",
        "and",
        "or",
        "unless",
        "count",
        "up",
        "avg",
        "without",
        "ignoring",
    ];
    let realm = busy_realm();
    let page = page(realm.metrics());
    let labels: BTreeSet<&str> = page
        .0
        .values()
        .flat_map(|family| family.labels())
        .chain(ADDED)
        .collect();
    let alerts = std::fs::read_to_string(docs("monitoring/alerts.yml")).unwrap();
    let mut all = expressions();
    for (at, line) in alerts.lines().enumerate() {
        let words = line.trim();
        if let Some(expr) = words.strip_prefix("expr: ") {
            let folded = alerts
                .lines()
                .skip(at + 1)
                .take_while(|line| line.starts_with("          "));
            all.push((
                "alerts.yml".into(),
                [expr].into_iter().chain(folded).collect::<Vec<_>>().join(" "),
            ));
        }
    }
    assert!(all.len() > 60, "{}", all.len());
    for (place, expression) in &all {
        for name in names(expression) {
            let family = ["", "_bucket", "_sum", "_count"]
                .iter()
                .any(|suffix| name.strip_suffix(suffix).is_some_and(|name| page.0.contains_key(name)));
            let number = name.chars().next().is_none_or(|c| c.is_ascii_digit());
            assert!(
                family || number || WORDS.contains(&name.as_str()) || labels.contains(name.as_str()),
                "{name} of {expression} in {place}"
            );
        }
    }
    // What a label is compared with is one of its values, where all of them are known.
    for (label, family) in [
        ("kind", "tessera_request_duration_seconds"),
        ("key", "tessera_key_made_timestamp_seconds"),
        ("listener", "tessera_connections"),
        ("what", "tessera_replay_cache_forgotten_total"),
        ("reason", "tessera_requests_total"),
        ("outcome", "tessera_requests_total"),
    ] {
        let values: BTreeSet<_> = page.0[family]
            .samples
            .iter()
            .filter_map(|(labels, _)| labels.get(label))
            .collect();
        for (place, expression) in &all {
            for part in expression.split([',', '{']) {
                let Some(rest) = part.strip_prefix(label).and_then(|rest| rest.strip_prefix(['=', '!'])) else {
                    continue;
                };
                let text = rest.split('"').nth(1).unwrap();
                for value in text.split('|') {
                    let known = values.contains(&value.to_owned()) || ["", "proof-missing"].contains(&value);
                    assert!(known, "{label}={value} of {expression} in {place}");
                }
            }
        }
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn promtool_of_prometheus_finds_nothing_wrong() {
    let realm = busy_realm();
    let text = http::get(realm.metrics(), "/metrics").body;
    let checked = promtool("check metrics").stdin(text).run();
    let said = checked.to_string();
    checked.ok();
    assert!(!said.contains("should") && !said.contains("must"), "{said}");
    promtool("check rules").arg(docs("monitoring/alerts.yml")).run().ok();
    let tests = docs("monitoring/alerts_test.yml");
    promtool("test rules").arg(&tests).run().ok();
    let alerts = std::fs::read_to_string(docs("monitoring/alerts.yml")).unwrap();
    let alerts: Vec<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let tests = std::fs::read_to_string(tests).unwrap();
    let told = std::fs::read_to_string(docs("monitoring.md")).unwrap();
    assert!(alerts.len() > 20);
    for alert in alerts {
        for how in ["fires", "does not fire"] {
            assert!(
                tests.contains(&format!("  - name: {alert} {how}\n")),
                "a test that {alert} {how}"
            );
        }
        assert!(
            told.contains(&format!("| `{alert}` | ")),
            "{alert} in docs/monitoring.md"
        );
    }
}

#[test]
#[ignore = "needs MIT's tools"]
fn a_prometheus_sees_what_clients_did() {
    let policy = "[policies.default]\nmax-failures = 3\nlockout = \"1h\"";
    let realm = Realm::builder().watched().section(policy).start();
    for (name, password) in [("alice", "wonderland"), ("bob", "builder")] {
        realm.add(name, password);
    }
    realm.add_service("host/www.example.com");
    let desk = realm.workstation();
    let prometheus = Prometheus::start(realm.metrics(), &docs("monitoring/alerts.yml"));
    prometheus.wait_for("up{job=\"tessera\"}", 1.0);
    for _ in 0..2 {
        desk.mit("kinit alice").stdin("wonderland\n").run().ok();
    }
    desk.mit("kvno host/www.example.com").run().ok();
    for _ in 0..4 {
        assert!(!desk.mit("kinit bob").stdin("wrong\n").run().status.success());
    }
    assert!(!desk.mit("kinit nobody").stdin("wrong\n").run().status.success());
    // MIT's clients ask more than once where they see fit: the log says how often.
    realm.wait_for_log("result=refused reason=client-unknown");
    let log = realm.log();
    let logged = |parts: &[&str]| {
        let lines = log.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
        f64::from(u32::try_from(lines.count()).unwrap())
    };
    assert_eq!(logged(&[" as ", "result=issued"]), 2.0);
    for (kind, outcome, reason) in [
        ("as", "issued", ""),
        ("as", "refused", "wrong-proof"),
        ("as", "refused", "client-shut-out"),
        ("as", "refused", "client-unknown"),
        ("as", "refused", "proof-missing"),
        ("tgs", "issued", ""),
    ] {
        let because = if reason.is_empty() {
            String::new()
        } else {
            format!(" reason={reason} ")
        };
        let count = logged(&[&format!(" {kind} peer="), &format!("result={outcome}"), &because]);
        assert!(count > 0.0, "{kind} {outcome} {reason}");
        let expression = format!("tessera_requests_total{{kind=\"{kind}\",outcome=\"{outcome}\",reason=\"{reason}\"}}");
        prometheus.wait_for(&expression, count);
    }
    let all = logged(&[" as peer="]);
    prometheus.wait_for("tessera_request_duration_seconds_count{kind=\"as\"}", all);
    prometheus.wait_for("tessera_lockouts_total{of=\"principal\"}", 1.0);
    prometheus.wait_for("tessera_locked_out{of=\"principal\"}", 1.0);
    prometheus.wait_for("tessera_principals", 6.0);
    let quick = "histogram_quantile(0.5, sum by (le) (tessera_request_duration_seconds_bucket{kind=\"as\"})) < bool 1";
    prometheus.wait_for(quick, 1.0);
    // Each expression is one that it understands.
    for (place, expression) in expressions() {
        let status = prometheus.query(&expression).map(|found| found["status"].clone());
        assert_eq!(status, Some("success".into()), "{expression} in {place}");
    }
    let rules = prometheus.api("rules").unwrap();
    for rule in rules["data"]["groups"][0]["rules"].as_array().unwrap() {
        assert_ne!(rule["health"], "err", "{rule}");
        assert_ne!(rule["state"], "firing", "{rule}");
    }
}
