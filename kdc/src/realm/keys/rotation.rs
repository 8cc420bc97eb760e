//! The steps by which one version of keys follows another without a ticket lost, and what is due by itself.

use core::time::Duration;

use tessera_common::Random;
use tessera_common::time::KerberosTime;

use super::{Former, FreshKeys, last_need, put_in_force, seal};
use crate::realm::principal::{PrincipalRecord, StoredKey};
use crate::realm::settings::RealmSettings;
use crate::store::View;

/// The most versions of the realm's own ticket-granting key that a schedule may leave good beside each other: four keys of each
/// fit into one record, with room to spare.
pub const MOST_FORMER_VERSIONS: u32 = 24;

/// Why a step was not taken. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrotated {
    /// Keys are staged already, of this version: they have to be put in force before others are made.
    Staged(u32),
    /// None are.
    NothingStaged,
    /// Its keys may come from a password. It would be worth nothing when the staged keys are in force, and there is nobody to
    /// learn the next one before.
    Password,
    /// The realm's own ticket-granting service: nobody but the realm has its keys, so nobody has to learn them before.
    OwnTicketGrantingService,
    /// Tickets may need the former keys of the realm's own ticket-granting service until then.
    NeededUntil(KerberosTime),
}

/// The version of the keys that wait to be put in force.
#[must_use]
pub fn staged_kvno(record: &PrincipalRecord) -> Option<u32> {
    let staged = record.staged.first()?.kvno;
    (Some(staged) > record.kvno()).then_some(staged)
}

/// That new keys may be made: those that are staged would be lost to who has fetched them.
///
/// # Errors
/// [`Unrotated::Staged`].
pub fn check_nothing_staged(record: &PrincipalRecord) -> Result<(), Unrotated> {
    staged_kvno(record).map_or(Ok(()), |kvno| Err(Unrotated::Staged(kvno)))
}

/// Makes keys of the next version that no ticket is sealed with, for keytabs to have before [`activate`].
///
/// # Errors
/// [`Unrotated`]: when some are staged already, or it is none that has keytabs.
pub fn stage(
    view: &View,
    record: &mut PrincipalRecord,
    fresh: &FreshKeys,
    settings: &RealmSettings,
    now: KerberosTime,
    random: &mut dyn Random,
) -> Result<(), Unrotated> {
    check_nothing_staged(record)?;
    if record.has_password() {
        return Err(Unrotated::Password);
    }
    if is_own_tgs(record, settings) {
        return Err(Unrotated::OwnTicketGrantingService);
    }
    record.staged = seal(view, record, fresh, now, random);
    Ok(())
}

/// Puts the staged keys in force. The former ones stay good until [`last_need`]: a service may be brought a ticket to have it
/// renewed or validated, and no ticket is to be lost by a change of keys.
///
/// # Errors
/// [`Unrotated::NothingStaged`].
pub fn activate(record: &mut PrincipalRecord, settings: &RealmSettings, now: KerberosTime) -> Result<(), Unrotated> {
    if staged_kvno(record).is_none() {
        return Err(Unrotated::NothingStaged);
    }
    let former = Former::KeptUntil(last_need(record, settings, now));
    let staged = core::mem::take(&mut record.staged);
    put_in_force(record, staged, former, now);
    Ok(())
}

/// Takes the former keys away, whatever needs them, and gives them; those of the realm's own ticket-granting service only when
/// no ticket needs them any more, since everybody would have to log in anew.
///
/// # Errors
/// [`Unrotated::NeededUntil`].
pub fn purge(
    record: &mut PrincipalRecord,
    settings: &RealmSettings,
    now: KerberosTime,
) -> Result<Vec<StoredKey>, Unrotated> {
    if is_own_tgs(record, settings)
        && let Some(until) = former(record).map(|key| needed_until(record, key, settings)).max()
        && until > now
    {
        return Err(Unrotated::NeededUntil(until));
    }
    Ok(drop_former(record, |_| true))
}

/// Takes away the former keys that are good no more, and gives them.
pub fn drop_past(record: &mut PrincipalRecord, now: KerberosTime) -> Vec<StoredKey> {
    drop_former(record, |key| key.retired.is_some_and(|end| end <= now))
}

/// When the first of the former keys is good no more; `None`: none has an end.
#[must_use]
pub fn next_past(record: &PrincipalRecord) -> Option<KerberosTime> {
    former(record).filter_map(|key| key.retired).min()
}

/// The keys that tickets were sealed with before the current ones.
pub fn former(record: &PrincipalRecord) -> impl Iterator<Item = &StoredKey> {
    let current = record.kvno();
    record.keys.iter().filter(move |key| Some(key.kvno) != current)
}

/// When the realm's own ticket-granting service is due to get new keys; `None`: not by itself. By a clock that is behind the
/// one that its keys were made by, that is later: nothing is changed that a right clock would have to take back.
#[must_use]
pub fn rollover_due(krbtgt: &PrincipalRecord, settings: &RealmSettings) -> Option<KerberosTime> {
    Some(newest_made(krbtgt).plus(settings.krbtgt_every?))
}

/// When its current keys were made: as long ago as they may have been, where that is not known.
#[must_use]
pub fn newest_made(record: &PrincipalRecord) -> KerberosTime {
    let made = record.current_keys().filter_map(|key| key.made).max();
    made.or(record.keys_changed).unwrap_or(record.created)
}

// A key that was kept without an end sealed its last ticket when the next version was made.
fn needed_until(record: &PrincipalRecord, key: &StoredKey, settings: &RealmSettings) -> KerberosTime {
    key.retired.unwrap_or_else(|| {
        let later = record.keys.iter().filter(|other| other.kvno > key.kvno);
        let next = later.min_by_key(|other| other.kvno).and_then(|next| next.made);
        last_need(record, settings, next.unwrap_or_else(|| newest_made(record)))
    })
}

fn drop_former(record: &mut PrincipalRecord, goes: impl Fn(&StoredKey) -> bool) -> Vec<StoredKey> {
    let current = record.kvno();
    let (gone, kept) = core::mem::take(&mut record.keys)
        .into_iter()
        .partition(|key| Some(key.kvno) != current && goes(key));
    record.keys = kept;
    gone
}

fn is_own_tgs(record: &PrincipalRecord, settings: &RealmSettings) -> bool {
    record.name.tgs_realm() == Some(settings.name.as_str())
}

/// The shortest time after which the realm's own ticket-granting key may be changed by itself.
#[must_use]
pub fn shortest_rollover(lifetime: Duration, clock_skew: Duration) -> Duration {
    let needed = lifetime.saturating_add(clock_skew);
    let seconds = needed.as_secs().div_ceil(u64::from(MOST_FORMER_VERSIONS));
    Duration::from_secs(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use tessera_common::crypto::EncType;
    use tessera_common::name::Realm;

    use super::*;
    use crate::store::test_realm::{Counter, keyring, principal};
    use crate::store::{Memory, Store as _};

    const NOW: KerberosTime = KerberosTime(1_000_000);
    const LIFE: i64 = 10 * 3600 + 300;

    fn settings() -> RealmSettings {
        RealmSettings::new(Realm::new("EXAMPLE.COM").unwrap())
    }

    fn at(seconds: i64) -> KerberosTime {
        KerberosTime(NOW.0 + seconds)
    }

    struct Desk {
        view: std::sync::Arc<View>,
        random: Counter,
        record: PrincipalRecord,
    }

    impl Desk {
        /// Somebody with random keys of version 1.
        fn with(name: &str) -> Self {
            let mut desk = Self {
                view: Memory::new(keyring()).view(),
                random: Counter::default(),
                record: principal(1, name),
            };
            desk.replace(Former::Dropped, NOW);
            desk
        }

        fn fresh(&mut self) -> FreshKeys {
            FreshKeys::at_random(&[EncType::Aes256CtsHmacSha1_96], &mut self.random)
        }

        fn replace(&mut self, former: Former, now: KerberosTime) {
            let fresh = self.fresh();
            super::super::replace(&self.view, &mut self.record, &fresh, former, now, &mut self.random);
        }

        fn stage(&mut self, now: KerberosTime) -> Result<(), Unrotated> {
            let fresh = self.fresh();
            stage(&self.view, &mut self.record, &fresh, &settings(), now, &mut self.random)
        }

        /// Every key's version and end, after `NOW`.
        fn keys(&self) -> Vec<(u32, Option<i64>)> {
            let after = |end: KerberosTime| end.0 - NOW.0;
            let keys = self.record.keys.iter();
            keys.map(|key| (key.kvno, key.retired.map(after))).collect()
        }

        fn staged(&self) -> Vec<u32> {
            self.record.staged.iter().map(|key| key.kvno).collect()
        }
    }

    #[test]
    fn staged_keys_seal_nothing_until_they_are_activated_as_they_were_delivered() {
        let mut desk = Desk::with("host/a");
        desk.stage(at(10)).unwrap();
        assert_eq!((desk.keys(), desk.staged()), (vec![(1, None)], vec![2]));
        assert_eq!((desk.record.kvno(), staged_kvno(&desk.record)), (Some(1), Some(2)));
        let proofs: Vec<_> = desk.record.proof_keys().map(|key| key.kvno).collect();
        assert_eq!(proofs, [1, 2], "a keytab's newest key proves who has it");
        let delivered = desk.record.staged.clone();

        activate(&mut desk.record, &settings(), at(100)).unwrap();
        assert_eq!(
            (desk.keys(), desk.staged()),
            (vec![(2, None), (1, Some(100 + LIFE))], vec![])
        );
        assert_eq!(desk.record.keys.first(), delivered.first());
        assert_eq!(desk.record.keys_changed, Some(at(100)));
        assert_eq!(newest_made(&desk.record), at(10));
        desk.view.key(&desk.record, &desk.record.keys[0]).unwrap();

        // And again, before and after the first of them is past its time.
        desk.stage(at(200)).unwrap();
        activate(&mut desk.record, &settings(), at(300)).unwrap();
        assert_eq!(
            desk.keys(),
            [(3, None), (2, Some(300 + LIFE)), (1, Some(100 + LIFE))],
            "none lives longer for it"
        );
        desk.stage(at(300)).unwrap();
        activate(&mut desk.record, &settings(), at(100 + LIFE)).unwrap();
        assert_eq!(
            desk.keys(),
            [(4, None), (3, Some(100 + 2 * LIFE)), (2, Some(300 + LIFE))]
        );
    }

    #[test]
    fn former_keys_stay_for_the_longest_life_that_a_ticket_may_have() {
        for (own, expected) in [(None, LIFE), (Some(60), LIFE), (Some(20 * 3600), 20 * 3600 + 300)] {
            let mut desk = Desk::with("host/a");
            desk.record.max_life = own.map(Duration::from_secs);
            desk.record.max_renew = Some(Duration::from_secs(30 * 86_400));
            desk.stage(NOW).unwrap();
            activate(&mut desk.record, &settings(), NOW).unwrap();
            assert_eq!(desk.keys(), [(2, None), (1, Some(expected))], "{own:?}");
        }
    }

    #[test]
    fn a_step_that_makes_no_sense_changes_nothing() {
        let mut desk = Desk::with("host/a");
        assert_eq!(
            activate(&mut desk.record, &settings(), NOW),
            Err(Unrotated::NothingStaged)
        );
        assert_eq!(check_nothing_staged(&desk.record), Ok(()));
        desk.stage(NOW).unwrap();
        let before = desk.record.clone();
        assert_eq!(desk.stage(NOW), Err(Unrotated::Staged(2)));
        assert_eq!(check_nothing_staged(&desk.record), Err(Unrotated::Staged(2)));
        assert_eq!(desk.record, before);

        let mut desk = Desk::with("krbtgt/EXAMPLE.COM");
        assert_eq!(desk.stage(NOW), Err(Unrotated::OwnTicketGrantingService));
        assert_eq!(
            Desk::with("krbtgt/OTHER.ORG").stage(NOW),
            Ok(()),
            "another realm has it"
        );
        let mut desk = Desk::with("alice");
        let fresh = FreshKeys::from_password(&[EncType::Aes128CtsHmacSha1_96], b"x", b"salt").unwrap();
        super::super::replace(
            &desk.view,
            &mut desk.record,
            &fresh,
            Former::Dropped,
            NOW,
            &mut desk.random,
        );
        assert_eq!(desk.stage(NOW), Err(Unrotated::Password));
    }

    #[test]
    fn new_keys_take_the_place_of_staged_ones_and_never_their_version() {
        let mut desk = Desk::with("host/a");
        desk.stage(NOW).unwrap();
        desk.replace(Former::Dropped, NOW);
        assert_eq!((desk.keys(), desk.staged()), (vec![(3, None)], vec![]));
    }

    #[test]
    fn a_purge_takes_former_keys_and_no_others() {
        let mut desk = Desk::with("host/a");
        desk.replace(Former::Kept, NOW);
        desk.stage(NOW).unwrap();
        activate(&mut desk.record, &settings(), NOW).unwrap();
        desk.stage(NOW).unwrap();
        assert_eq!(desk.keys(), [(3, None), (2, Some(LIFE)), (1, Some(LIFE))]);
        let gone = purge(&mut desk.record, &settings(), NOW).unwrap();
        assert_eq!(gone.iter().map(|key| key.kvno).collect::<Vec<_>>(), [2, 1]);
        assert_eq!((desk.keys(), desk.staged()), (vec![(3, None)], vec![4]));
        assert_eq!(purge(&mut desk.record, &settings(), NOW), Ok(vec![]));
    }

    #[test]
    fn the_realms_own_key_is_purged_when_no_ticket_needs_it() {
        for (former, ends) in [(Former::KeptUntil(at(50)), 50), (Former::Kept, 10 + LIFE)] {
            let mut desk = Desk::with("krbtgt/EXAMPLE.COM");
            desk.replace(former, at(10));
            let until = Err(Unrotated::NeededUntil(at(ends)));
            assert_eq!(purge(&mut desk.record, &settings(), at(ends - 1)), until);
            assert_eq!(desk.record.keys.len(), 2);
            assert_eq!(purge(&mut desk.record, &settings(), at(ends)).unwrap().len(), 1);
            assert_eq!(desk.keys(), [(2, None)]);
        }
        let mut other = Desk::with("krbtgt/OTHER.ORG");
        other.replace(Former::Kept, NOW);
        assert_eq!(purge(&mut other.record, &settings(), NOW).unwrap().len(), 1);
    }

    #[test]
    fn keys_go_by_themselves_at_their_end_and_the_current_never() {
        let mut desk = Desk::with("host/a");
        desk.replace(Former::Kept, NOW);
        desk.replace(Former::Kept, NOW);
        assert_eq!(next_past(&desk.record), None);
        desk.record.keys[1].retired = Some(at(20));
        desk.record.keys[2].retired = Some(at(10));
        for (now, gone, next) in [(9, vec![], Some(10)), (10, vec![1], Some(20)), (20, vec![2], None)] {
            let dropped = drop_past(&mut desk.record, at(now));
            assert_eq!(dropped.iter().map(|key| key.kvno).collect::<Vec<_>>(), gone, "{now}");
            assert_eq!(next_past(&desk.record), next.map(at));
        }
        desk.record.keys[0].retired = Some(NOW);
        assert_eq!(drop_past(&mut desk.record, at(1000)), []);
        assert_eq!(next_past(&desk.record), None);
    }

    #[test]
    fn the_realms_key_is_due_by_its_age_where_that_is_asked_for() {
        let mut desk = Desk::with("krbtgt/EXAMPLE.COM");
        let mut settings = settings();
        assert_eq!(rollover_due(&desk.record, &settings), None);
        settings.krbtgt_every = Some(Duration::from_secs(86_400));
        assert_eq!(rollover_due(&desk.record, &settings), Some(at(86_400)));
        // Of a realm that is older than what is known of its keys.
        desk.record.keys[0].made = None;
        desk.record.keys_changed = Some(at(-5));
        assert_eq!(rollover_due(&desk.record, &settings), Some(at(86_395)));
        desk.record.keys_changed = None;
        assert_eq!(
            rollover_due(&desk.record, &settings),
            Some(desk.record.created.plus(Duration::from_secs(86_400)))
        );
    }

    #[test]
    fn a_schedule_leaves_so_many_former_versions_and_no_more() {
        let hour = Duration::from_secs(3600);
        assert_eq!(MOST_FORMER_VERSIONS, 24);
        assert_eq!(shortest_rollover(24 * hour, Duration::ZERO), hour);
        assert_eq!(shortest_rollover(24 * hour, Duration::from_secs(1)).as_secs(), 3601);
        assert_eq!(shortest_rollover(Duration::ZERO, Duration::ZERO).as_secs(), 1);
    }
}
