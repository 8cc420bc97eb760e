use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::Duration;

use super::*;

const NOW: KerberosTime = KerberosTime(1_000_000);

fn at(seconds: i64) -> KerberosTime {
    KerberosTime(NOW.0 + seconds)
}

fn id(number: u32) -> PrincipalId {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_le_bytes());
    PrincipalId(id)
}

fn limit(failures: u16, lockout: Option<u64>) -> FailureLimit {
    FailureLimit {
        failures,
        window: Duration::from_secs(600),
        lockout: lockout.map(Duration::from_secs),
    }
}

fn client(lockout: &Lockout, limit: FailureLimit, now: KerberosTime) -> Attempt<'_> {
    Attempt {
        now,
        client: Some((lockout, id(1), limit)),
        network: None,
    }
}

fn network(text: &str) -> Network {
    text.parse().unwrap()
}

#[test]
fn the_failure_that_reaches_the_limit_shuts_out_and_those_after_it_tell_nothing() {
    let lockout = Lockout::new();
    let attempt = client(&lockout, limit(3, Some(60)), NOW);
    for _ in 0..2 {
        assert_eq!(attempt.wrong(), Ok(Trips::default()));
        assert_eq!(attempt.client_may_try(), Ok(()));
    }
    let shut_out = ShutOut {
        since: NOW,
        until: Some(at(60)),
    };
    let trip = ClientTrip {
        id: id(1),
        shut_out,
        failures: 3,
    };
    assert_eq!(attempt.wrong().unwrap().client, Some(trip));
    for _ in 0..2 {
        assert_eq!(attempt.wrong(), Err(Denied::ClientShutOut));
        assert_eq!(attempt.right(), Err(Denied::ClientShutOut));
        assert_eq!(attempt.neither(), Err(Denied::ClientShutOut));
    }
    assert_eq!(lockout.shut_out(id(1), NOW), Some(shut_out));
    assert_eq!(lockout.shut_out(id(2), NOW), None);
    // Of another principal in the same shard, nothing is known.
    assert_eq!(lockout.shut_out(id(65), NOW), None);
    assert_eq!(lockout.not_kept(NOW), [trip]);
    lockout.kept(id(1));
    assert_eq!(lockout.not_kept(NOW), []);
    lockout.forget(id(1));
    assert_eq!(attempt.right(), Ok(()));
}

#[test]
fn a_failure_counts_for_its_window_and_a_lockout_lasts_for_its_time() {
    for (second, trips) in [(0, true), (599, true), (600, false), (601, false)] {
        let lockout = Lockout::new();
        client(&lockout, limit(2, None), NOW).wrong().unwrap();
        let trip = client(&lockout, limit(2, None), at(second)).wrong().unwrap();
        assert_eq!(trip.client.is_some(), trips, "{second}");
    }
    for (second, lasts) in [(0, true), (59, true), (60, false), (61, false)] {
        let lockout = Lockout::new();
        client(&lockout, limit(1, Some(60)), NOW).wrong().unwrap();
        let later = client(&lockout, limit(1, Some(60)), at(second));
        assert_eq!(later.client_may_try().is_err(), lasts, "{second}");
        assert_eq!(later.right().is_err(), lasts, "{second}");
    }
    // Until somebody says so.
    let lockout = Lockout::new();
    client(&lockout, limit(1, None), NOW).wrong().unwrap();
    assert!(client(&lockout, limit(1, None), at(1 << 40)).client_may_try().is_err());
}

#[test]
fn a_lockout_that_is_over_begins_a_new_count() {
    let lockout = Lockout::new();
    let two = limit(2, Some(60));
    for _ in 0..2 {
        client(&lockout, two, NOW).wrong().unwrap();
    }
    assert_eq!(client(&lockout, two, at(60)).wrong(), Ok(Trips::default()));
    assert!(client(&lockout, two, at(60)).wrong().unwrap().client.is_some());
}

#[test]
fn a_right_password_ends_the_count_and_a_recorded_one_does_not() {
    let lockout = Lockout::new();
    let attempt = client(&lockout, limit(2, None), NOW);
    attempt.wrong().unwrap();
    attempt.right().unwrap();
    assert_eq!(attempt.wrong(), Ok(Trips::default()));
    attempt.neither().unwrap();
    assert!(attempt.wrong().unwrap().client.is_some());
}

#[test]
fn a_network_is_counted_beside_the_client_and_no_right_password_ends_that() {
    let lockout = Lockout::new();
    let from = |now| Attempt {
        now,
        client: Some((&lockout, id(1), limit(9, None))),
        network: Some((&lockout, network("192.0.2.0/24"), limit(3, Some(60)))),
    };
    from(NOW).wrong().unwrap();
    from(NOW).wrong().unwrap();
    from(NOW).right().unwrap();
    let trip = from(NOW).wrong().unwrap();
    assert_eq!((trip.client, trip.network.map(|trip| trip.failures)), (None, Some(3)));
    assert_eq!(from(NOW).wrong(), Err(Denied::NetworkShutOut));
    assert_eq!(from(NOW).right(), Err(Denied::NetworkShutOut));
    assert_eq!(from(NOW).network_may_try(), Err(Denied::NetworkShutOut));
    let elsewhere = Attempt {
        network: Some((&lockout, network("198.51.100.0/24"), limit(3, Some(60)))),
        ..from(NOW)
    };
    assert_eq!(elsewhere.right(), Ok(()));
    assert_eq!(from(at(60)).right(), Ok(()));
}

#[test]
fn networks_are_as_wide_as_the_realm_says() {
    let mut by = NetworkLimit {
        limit: limit(3, Some(60)),
        prefix_v4: 32,
        prefix_v6: 64,
    };
    for (address, prefixes, network) in [
        ("192.0.2.7", (32, 64), "192.0.2.7"),
        ("::ffff:192.0.2.7", (24, 64), "192.0.2.0/24"),
        ("192.0.2.7", (0, 64), "0.0.0.0/0"),
        ("2001:db8::7", (32, 64), "2001:db8::/64"),
        ("2001:db8::7", (32, 128), "2001:db8::7"),
    ] {
        (by.prefix_v4, by.prefix_v6) = prefixes;
        assert_eq!(by.network_of(address.parse().unwrap()).unwrap().to_string(), network);
    }
}

#[test]
fn of_many_at_once_exactly_as_many_as_the_limit_are_told() {
    let lockout = Arc::new(Lockout::new());
    let told = Arc::new(AtomicUsize::new(0));
    let tripped = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    if let Ok(trips) = client(&lockout, limit(50, None), NOW).wrong() {
                        told.fetch_add(1, Ordering::Relaxed);
                        tripped.fetch_add(trips.client.map_or(0, |_| 1), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!((told.load(Ordering::Relaxed), tripped.load(Ordering::Relaxed)), (50, 1));
}

#[test]
fn what_is_saved_counts_on_and_what_has_run_out_is_not_saved() {
    let lockout = Lockout::new();
    assert!(!lockout.take_changed());
    client(&lockout, limit(3, None), NOW).wrong().unwrap();
    assert!(lockout.take_changed() && !lockout.take_changed());
    assert_eq!(lockout.save(at(600)), Saved::default());
    let saved = lockout.save(at(599));
    assert_eq!(saved.principals.len(), 1);
    let other = Lockout::new();
    other.restore(saved, at(599));
    client(&other, limit(3, None), at(599)).wrong().unwrap();
    assert!(
        client(&other, limit(3, None), at(599))
            .wrong()
            .unwrap()
            .client
            .is_some()
    );
}

#[test]
fn a_full_table_forgets_what_has_run_out_and_then_what_is_oldest() {
    let table = Table::<PrincipalId>::new(64 * 2);
    let in_one_shard = |number: u32| {
        PrincipalId([
            7,
            u8::try_from(number).unwrap(),
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ])
    };
    let known = |table: &Table<PrincipalId>| {
        let mut known: Vec<_> = table.all().into_iter().map(|(id, _)| id.0[1]).collect();
        known.sort_unstable();
        known
    };
    table.wrong(in_one_shard(1), limit(9, None), NOW);
    table.wrong(in_one_shard(2), limit(9, None), at(10));
    table.wrong(in_one_shard(3), limit(9, None), at(20));
    assert_eq!(known(&table), [2, 3]);
    // One that is written down elsewhere is of no loss.
    table.wrong(in_one_shard(3), limit(1, None), at(20));
    table.kept(&in_one_shard(3));
    table.wrong(in_one_shard(4), limit(9, None), at(30));
    assert_eq!(known(&table), [2, 4]);
    table.wrong(in_one_shard(5), limit(9, None), at(611));
    assert_eq!(known(&table), [4, 5]);
}
