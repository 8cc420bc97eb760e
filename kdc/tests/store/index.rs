//! Whatever happens to the index, what is served is what the journal says.

use super::*;

/// Opens the database and sees that it holds `expected`, and a second time from the index that was made.
fn agrees(site: &Site, expected: &[PrincipalRecord], what: &str) {
    for round in ["first", "second"] {
        let store = site.open();
        assert_eq!(contents(&store), expected, "{what}, {round} start");
        drop(store);
    }
    assert!(
        !site
            .notices()
            .iter()
            .any(|notice| matches!(notice, Notice::IndexStale(_))),
        "{what}: {:?}",
        site.notices()
    );
}

fn stale(site: &Site) -> Option<String> {
    site.notices().into_iter().find_map(|notice| match notice {
        Notice::IndexStale(why) => Some(why),
        _ => None,
    })
}

#[test]
fn what_an_index_is_behind_is_in_it_when_more_has_come() {
    let site = Site::with_users(30);
    let older = site.copy();
    let store = site.open();
    remove(&store, 7).unwrap();
    (30..40).for_each(|n| add(&store, n));
    drop(store);
    site.remove_index();
    copy_all(&older.state().join("index"), &site.state().join("index"));
    let store = site.open();
    add(&store, 50);
    let expected = contents(&store);
    drop(store);
    agrees(&site, &expected, "behind, then ahead");
}

#[test]
fn an_index_that_is_missing_is_made_anew() {
    let site = Site::with_users(30);
    let expected = contents(&site.open());
    site.remove_index();
    agrees(&site, &expected, "missing");
}

#[test]
fn an_index_that_is_behind_is_brought_up_from_the_journal() {
    let site = Site::with_users(30);
    let older = site.copy();
    let store = site.open();
    remove(&store, 7).unwrap();
    (30..40).for_each(|n| add(&store, n));
    let expected = contents(&store);
    drop(store);
    site.remove_index();
    copy_all(&older.state().join("index"), &site.state().join("index"));
    let store = site.open();
    assert_eq!(contents(&store), expected);
    assert_eq!(stale(&site), None);
    assert!(
        site.notices().contains(&Notice::Replayed { first: 31, last: 41 }),
        "{:?}",
        site.notices()
    );
    drop(store);
    agrees(&site, &expected, "behind");
}

#[test]
fn an_index_that_is_ahead_of_a_whole_journal_is_made_anew() {
    let site = Site::with_users(30);
    let older = site.copy();
    let expected = contents(&older.open());
    let store = site.open();
    (30..40).for_each(|n| add(&store, n));
    drop(store);
    older.remove_index();
    copy_all(&site.state().join("index"), &older.state().join("index"));
    assert_eq!(contents(&older.open()), expected);
    assert!(stale(&older).unwrap().contains("up to 40"));
    agrees(&older, &expected, "ahead");
}

#[test]
fn an_index_of_another_history_of_the_same_database_is_made_anew() {
    let site = Site::with_users(10);
    let branch = site.copy();
    for (site, numbers) in [(&site, 10..15), (&branch, 20..25)] {
        let store = site.open();
        numbers.for_each(|n| add(&store, n));
    }
    let store = site.open();
    (30..33).for_each(|n| add(&store, n));
    let expected = contents(&store);
    drop(store);
    site.remove_index();
    copy_all(&branch.state().join("index"), &site.state().join("index"));
    assert_eq!(contents(&site.open()), expected);
    assert!(stale(&site).unwrap().contains("another history"));
    agrees(&site, &expected, "of another history");
}

#[test]
fn an_index_of_another_database_is_made_anew() {
    let (site, other) = (Site::with_users(10), Site::with_users(20));
    let expected = contents(&site.open());
    site.remove_index();
    copy_all(&other.state().join("index"), &site.state().join("index"));
    assert_eq!(contents(&site.open()), expected);
    assert!(stale(&site).unwrap().contains("another database"));
    agrees(&site, &expected, "of another database");
}

#[test]
fn an_index_that_is_damaged_is_never_served_from() {
    let site = Site::with_users(300);
    let expected = contents(&site.open());
    let pristine = site.copy();
    let mut harmless = 0;
    let mut trials = 0;
    for file in files(&pristine.state().join("index"))
        .into_iter()
        .filter(|file| file.is_file())
    {
        let octets = fs::read(&file).unwrap();
        let places = (0..8).map(|n| octets.len() * n / 8 + n * 31);
        for at in places.filter(|at| *at < octets.len()) {
            let mut altered = octets.clone();
            altered[at] ^= 0x08;
            let damages = [("altered", altered), ("cut", octets[..at].to_vec())];
            for (how, bad) in damages {
                let site = pristine.copy();
                let path = site.state().join("index").join(file.file_name().unwrap());
                fs::write(&path, bad).unwrap();
                let what = format!("{:?} {how} at {at}", file.file_name().unwrap());
                assert_eq!(contents(&site.open()), expected, "{what}");
                trials += 1;
                harmless += u32::from(stale(&site).is_none());
                agrees(&site, &expected, &what);
            }
        }
    }
    assert!(trials > 20 && harmless < trials, "{harmless} of {trials} harmless");
}

#[test]
fn an_index_that_cannot_be_made_never_fails_a_change() {
    let site = Site::with_users(3);
    site.remove_index();
    fs::write(site.state().join("index"), "in the way").unwrap();
    let store = site.open();
    (3..10).for_each(|n| add(&store, n));
    let expected = contents(&store);
    drop(store);
    assert!(stale(&site).is_some());
    fs::remove_file(site.state().join("index")).unwrap();
    agrees(&site, &expected, "in the way of which something was");
}
