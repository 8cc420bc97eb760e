//! The page: every family that there is, with its name, what it means, and its samples. docs/monitoring.md has the same table for
//! people.

use core::fmt::Display;

use tessera_common::accounting::EventResult;

use super::exposition::{Exposition, Format};
use super::readings::{
    Connections, EventLogReadings, Gauge, Keys, Listener, OfEach, Process, Readings, Replays, StoreReadings,
};
use super::requests::RequestReadings;
use crate::realm::accounting::Kind;

/// What is there from the beginning, at nought: what an alert waits for has to be seen going from 0 to 1.
const ALWAYS: [(Kind, EventResult, &str); 13] = [
    (Kind::As, EventResult::Issued, ""),
    (Kind::As, EventResult::Refused, "client-shut-out"),
    (Kind::As, EventResult::Refused, "client-unknown"),
    (Kind::As, EventResult::Refused, "key-does-not-open"),
    (Kind::As, EventResult::Refused, "krbtgt-missing"),
    (Kind::As, EventResult::Refused, "network-shut-out"),
    (Kind::As, EventResult::Refused, "wrong-proof"),
    (Kind::Tgs, EventResult::Issued, ""),
    (Kind::Tgs, EventResult::Refused, "key-does-not-open"),
    (Kind::Password, EventResult::PasswordChanged, ""),
    (Kind::Password, EventResult::Refused, "password-not-stored"),
    (Kind::Password, EventResult::Dropped, "busy"),
    (Kind::Administration, EventResult::Admitted, ""),
];

/// Writes a page of what was read.
#[must_use]
pub fn page(readings: &Readings, format: Format) -> String {
    let mut page = Exposition::new(format);
    let out = &mut page;
    out.info("tessera_build_info", "Which version this is.")
        .put(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    put_requests(out, &readings.requests);
    put_lockout(out, readings.trips, readings.shut_out);
    put_queues(out, readings);
    put_event_log(out, readings.event_log.as_ref());
    put_replays(out, &readings.replays);
    put_store(out, &readings.store);
    put_keys(out, &readings.keys, readings);
    put_listeners(out, &readings.listeners);
    out.gauge("tessera_administrators", "Administrators who are connected.")
        .put(&[("over", "socket")], readings.administrators[0])
        .put(&[("over", "network")], readings.administrators[1]);
    out.gauge("tessera_sessions", "Sessions that go on.")
        .put(&[], readings.sessions);
    out.gauge(
        "tessera_config_last_reload_successful",
        "Whether the configuration was put in force when it was last read; 0: the former one is.",
    )
    .put(&[], u8::from(readings.reload.good));
    out.gauge(
        "tessera_config_last_reload_success_timestamp_seconds",
        "When a configuration was last put in force.",
    )
    .put(&[], readings.reload.at);
    put_process(out, &readings.process);
    page.finish()
}

fn put_requests(out: &mut Exposition, requests: &RequestReadings) {
    let always = ALWAYS.map(|(kind, outcome, reason)| ((kind.name(), outcome.name(), reason), 0));
    let mut counts: std::collections::BTreeMap<_, _> = always.into();
    counts.extend(requests.counts.iter().map(|(series, count)| (*series, *count)));
    out.counter(
        "tessera_requests_total",
        "Requests that were dealt with, by kind, outcome, and the reason why one was refused or dropped.",
    );
    for ((kind, outcome, reason), count) in counts {
        out.put(&[("kind", kind), ("outcome", outcome), ("reason", reason)], count);
    }
    out.histogram(
        "tessera_request_duration_seconds",
        "From when a worker takes up a request until its outcome is known.",
    );
    for (kind, buckets) in &requests.durations {
        out.buckets(&[("kind", kind)], buckets);
    }
}

fn put_lockout(out: &mut Exposition, trips: OfEach, shut_out: OfEach) {
    let of = |out: &mut Exposition, counted: OfEach| {
        out.put(&[("of", "principal")], counted.principals)
            .put(&[("of", "network")], counted.networks);
    };
    of(
        out.counter("tessera_lockouts_total", "How often wrong passwords shut somebody out."),
        trips,
    );
    of(
        out.gauge("tessera_locked_out", "Who is shut out by wrong passwords now."),
        shut_out,
    );
}

fn put_queues(out: &mut Exposition, readings: &Readings) {
    out.gauge(
        "tessera_worker_jobs",
        "What waits for the pool of workers, or runs there.",
    )
    .put(&[("queue", "network")], readings.jobs.now)
    .put(&[("queue", "administration")], readings.administration_jobs);
    out.gauge(
        "tessera_worker_jobs_limit",
        "How many jobs from the network there may be.",
    )
    .put(&[("queue", "network")], readings.jobs.limit);
    out.counter(
        "tessera_worker_jobs_turned_away_total",
        "Jobs from the network that found no place.",
    )
    .put(&[], readings.jobs_turned_away);
    bounded(
        out,
        ("tessera_log_lines_waiting", "tessera_log_lines_waiting_limit"),
        ("Lines of the log that wait to be written.", "How many lines may wait."),
        readings.log_lines,
    );
    out.counter(
        "tessera_log_lines_dropped_total",
        "Lines of the log that nobody will read: it was not written as fast as it grew.",
    )
    .put(&[], readings.log_lines_dropped);
}

fn put_event_log(out: &mut Exposition, log: Option<&EventLogReadings>) {
    out.counter(
        "tessera_accounting_events_written_total",
        "Events that are in the event log.",
    );
    maybe(out, &[], log.map(|log| log.written));
    out.counter("tessera_accounting_events_lost_total", "Events that were lost.");
    maybe(out, &[], log.map(|log| log.lost));
    out.gauge("tessera_accounting_queue_bytes", "Events that wait to be written.");
    maybe(out, &[], log.map(|log| log.queue.now));
    out.gauge("tessera_accounting_queue_limit_bytes", "How much may wait.");
    maybe(out, &[], log.map(|log| log.queue.limit));
    out.gauge("tessera_accounting_log_bytes", "All files of the event log.");
    maybe(out, &[], log.map(|log| log.on_disk));
    out.counter(
        "tessera_accounting_failures_total",
        "How often the event log could not be written, rotated, compressed, or an event passed on.",
    );
    for (what, count) in log.iter().flat_map(|log| log.failures) {
        out.put(&[("what", what)], count);
    }
    out.histogram(
        "tessera_accounting_write_duration_seconds",
        "How long writing to the event log took.",
    );
    if let Some(log) = log {
        out.buckets(&[], &log.writes);
    }
}

fn put_replays(out: &mut Exposition, replays: &Replays) {
    bounded(
        out,
        ("tessera_replay_cache_proofs", "tessera_replay_cache_proofs_limit"),
        (
            "Proofs that were used and are remembered.",
            "How many are remembered at most.",
        ),
        replays.proofs,
    );
    bounded(
        out,
        (
            "tessera_replay_cache_answer_bytes",
            "tessera_replay_cache_answer_bytes_limit",
        ),
        (
            "Answers that are kept for who asks again.",
            "How much of them is kept at most.",
        ),
        replays.answer_octets,
    );
    out.counter(
        "tessera_replay_cache_forgotten_total",
        "How often a share of what is remembered was forgotten before its time, for want of room.",
    )
    .put(&[("what", "proofs")], replays.proofs_forgotten)
    .put(&[("what", "answers")], replays.answers_forgotten);
}

fn put_store(out: &mut Exposition, store: &StoreReadings) {
    out.gauge("tessera_principals", "How many principals there are.")
        .put(&[], store.principals);
    out.gauge("tessera_store_sequence", "The number of the last change to the realm.")
        .put(&[], store.sequence);
    out.gauge(
        "tessera_store_writable",
        "Whether changes are taken; 0: they are refused, and requests are served.",
    )
    .put(&[], u8::from(store.writable));
    out.counter("tessera_store_changes_total", "Changes that were committed.")
        .put(&[], store.changes);
    bounded(
        out,
        ("tessera_store_commits_waiting", "tessera_store_commits_waiting_limit"),
        (
            "Commits that wait for the journal or are being written.",
            "How many may wait before the next one is held back.",
        ),
        store.commits,
    );
    out.histogram(
        "tessera_journal_sync_duration_seconds",
        "How long it took to write a group of commits to the journal, up to the end of fdatasync.",
    )
    .buckets(&[], &store.syncs);
    out.counter(
        "tessera_journal_written_bytes_total",
        "What was written to the journal.",
    )
    .put(&[], store.journal_octets);
    out.counter(
        "tessera_journal_write_failures_total",
        "How often the journal could not be written.",
    )
    .put(&[], store.write_failures);
    out.gauge(
        "tessera_index_records_waiting",
        "Records that changed and are not in the index yet.",
    )
    .put(&[], store.unindexed);
    out.counter(
        "tessera_index_failures_total",
        "How often the index could not be used and was made anew.",
    )
    .put(&[], store.index_failures);
    out.gauge(
        "tessera_snapshot_timestamp_seconds",
        "When the newest snapshot was made; absent: there is none yet.",
    );
    maybe(out, &[], store.snapshot_made);
    out.counter(
        "tessera_snapshot_failures_total",
        "How often no snapshot could be made.",
    )
    .put(&[], store.snapshot_failures);
    out.gauge("tessera_record_cache_records", "Records that are kept taken apart.")
        .put(&[], store.cached);
    out.counter(
        "tessera_record_cache_hits_total",
        "Look-ups of a record that was kept taken apart; those that a worker had at hand itself are not among them.",
    )
    .put(&[], store.cache_hits);
    out.counter(
        "tessera_record_cache_misses_total",
        "Look-ups of a record that had to be taken apart.",
    )
    .put(&[], store.cache_misses);
}

fn put_keys(out: &mut Exposition, keys: &Keys, readings: &Readings) {
    let survey = readings.survey.as_ref();
    out.gauge("tessera_key_made_timestamp_seconds", "When a key was made.");
    for (name, made) in [
        ("krbtgt", keys.krbtgt),
        ("kadmin/admin", keys.kadmin_admin),
        ("kadmin/changepw", keys.kadmin_changepw),
        ("oldest-service", survey.and_then(|survey| survey.oldest_service_key)),
        ("master-file", keys.master_file),
    ] {
        maybe(out, &[("key", name)], made);
    }
    out.gauge(
        "tessera_krbtgt_rollover_due_timestamp_seconds",
        "When the ticket-granting key is due to be changed; absent: never by itself.",
    );
    maybe(out, &[], keys.krbtgt_due);
    out.gauge(
        "tessera_survey_timestamp_seconds",
        "When all principals were last looked at, for the figures that take that.",
    );
    maybe(out, &[], survey.map(|survey| survey.at));
    out.gauge("tessera_principals_locked", "Principals that an administrator locked.");
    maybe(out, &[], survey.map(|survey| survey.locked));
    out.gauge(
        "tessera_principals_with_overdue_keys",
        "Principals with a key that is past its time and still in the database.",
    );
    maybe(out, &[], survey.map(|survey| survey.overdue));
}

fn put_listeners(out: &mut Exposition, listeners: &[Listener]) {
    out.gauge("tessera_listener_up", "Whether all that serves a listener runs.");
    for listener in listeners {
        out.put(&[("listener", listener.name)], u8::from(listener.up));
    }
    let of_each = |out: &mut Exposition, value: fn(&Connections) -> u64| {
        for listener in listeners {
            out.put(&[("listener", listener.name)], value(&listener.connections));
        }
    };
    of_each(
        out.gauge("tessera_connections", "Connections that are open."),
        |connections| connections.open.now,
    );
    of_each(
        out.gauge("tessera_connections_limit", "How many connections there may be."),
        |connections| connections.open.limit,
    );
    of_each(
        out.counter("tessera_connections_accepted_total", "Connections that were accepted."),
        |connections| connections.accepted,
    );
    out.counter(
        "tessera_connections_dropped_total",
        "Connections that the daemon ended before their time, by reason.",
    );
    for Listener { name, connections, .. } in listeners {
        for (reason, count) in &connections.dropped {
            out.put(&[("listener", name), ("reason", reason)], count);
        }
    }
}

fn put_process(out: &mut Exposition, process: &Process) {
    out.counter(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
    );
    maybe(out, &[], process.cpu_seconds);
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            process.resident_octets,
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            process.virtual_octets,
        ),
        (
            "process_open_fds",
            "Number of open file descriptors.",
            process.open_files,
        ),
        (
            "process_max_fds",
            "Maximum number of open file descriptors.",
            process.most_files,
        ),
    ] {
        out.gauge(name, help);
        maybe(out, &[], value);
    }
    out.gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
    );
    maybe(out, &[], process.started);
}

// What has a bound, and the bound.
fn bounded(out: &mut Exposition, names: (&'static str, &'static str), help: (&str, &str), gauge: Gauge) {
    out.gauge(names.0, help.0).put(&[], gauge.now);
    out.gauge(names.1, help.1).put(&[], gauge.limit);
}

fn maybe(out: &mut Exposition, labels: &[(&str, &str)], value: Option<impl Display>) {
    if let Some(value) = value {
        out.put(labels, value);
    }
}
