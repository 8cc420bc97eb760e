//! What a crash leaves is repaired; what a crash does not explain is refused, and nothing is changed.

use super::*;

/// Where the last frame of the only segment begins.
fn last_frame(octets: &[u8]) -> usize {
    octets.windows(4).rposition(|mark| mark == b"\xff\xfeTF").unwrap()
}

#[test]
fn a_journal_cut_anywhere_in_its_last_frame_is_cut_back_to_the_one_before() {
    let site = Site::with_users(5);
    site.remove_index();
    let octets = fs::read(site.segment()).unwrap();
    let frame = last_frame(&octets);
    for len in frame + 1..octets.len() {
        fs::write(site.segment(), &octets[..len]).unwrap();
        let store = site.open();
        assert_eq!((store.view().len(), store.view().sequence()), (4, 4), "cut to {len}");
        let cut = site.notices().into_iter().find_map(|notice| match notice {
            Notice::TornFrameCut {
                offset, octets, last, ..
            } => Some((offset, octets, last)),
            _ => None,
        });
        assert_eq!(cut, Some((frame as u64, (len - frame) as u64, 4)), "cut to {len}");
        drop(store);
        assert_eq!(fs::read(site.segment()).unwrap(), &octets[..frame]);
        site.remove_index();
    }
    let store = site.open();
    add(&store, 77);
    assert_eq!(store.view().get(id(77)).unwrap().revision, 5);
}

#[test]
fn a_bad_last_frame_that_the_index_knows_of_is_damage() {
    let site = Site::with_users(5);
    let octets = fs::read(site.segment()).unwrap();
    let frame = last_frame(&octets);
    let mut altered = octets.clone();
    *altered.last_mut().unwrap() ^= 1;
    for bad in [&altered[..], &octets[..octets.len() - 1], &octets[..frame + 1]] {
        fs::write(site.segment(), bad).unwrap();
        let OpenError::Damaged(damage) = site.refused() else {
            panic!("another refusal")
        };
        assert_eq!((damage.offset, damage.good), (frame as u64, Some(4)));
        assert_eq!(fs::read(site.segment()).unwrap(), bad);
    }
    fs::write(site.segment(), &octets).unwrap();
    assert_eq!(site.open().view().len(), 5);
}

#[test]
fn an_octet_altered_anywhere_before_the_last_frame_is_refused_with_its_place() {
    let site = Site::with_users(4);
    site.remove_index();
    let octets = fs::read(site.segment()).unwrap();
    let frames: Vec<_> = (0..octets.len())
        .filter(|at| octets[*at..].starts_with(b"\xff\xfeTF"))
        .collect();
    assert_eq!(frames.len(), 4);
    for at in 0..frames[3] {
        let mut altered = octets.clone();
        altered[at] ^= 0x40;
        fs::write(site.segment(), &altered).unwrap();
        let OpenError::Damaged(damage) = site.refused() else {
            panic!("another refusal for octet {at}")
        };
        let bad = frames.iter().rev().find(|frame| **frame <= at);
        assert_eq!(damage.offset, bad.map_or(0, |frame| *frame as u64), "octet {at}");
        assert_eq!(damage.file, site.segment());
        assert_eq!(fs::read(site.segment()).unwrap(), altered, "octet {at}");
    }
}

#[test]
fn damage_says_what_to_type() {
    let site = Site::with_users(4);
    let mut octets = fs::read(site.segment()).unwrap();
    let second = octets
        .windows(4)
        .enumerate()
        .filter(|(_, mark)| mark == b"\xff\xfeTF")
        .nth(1)
        .unwrap()
        .0;
    octets[second + 30] ^= 1;
    fs::write(site.segment(), &octets).unwrap();
    let text = site.refused().to_string();
    for part in [
        &format!("journal is damaged at offset {second}"),
        "kdc dump --until 1 FILE",
        "kdc load FILE",
    ] {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn a_last_segment_without_a_readable_head_leaves_what_is_before_it() {
    let site = Site {
        segment_octets: 1500,
        ..Site::new()
    };
    let store = site.open();
    (0..40).for_each(|n| add(&store, n));
    drop(store);
    let segments = files(&site.state().join("journal"));
    let last = segments.last().unwrap();
    let first: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let octets = fs::read(last).unwrap();
    fs::write(last, [&[0; 16], &octets[16..]].concat()).unwrap();
    let OpenError::Damaged(damage) = site.refused() else {
        panic!("another refusal")
    };
    assert_eq!((damage.offset, damage.good), (0, Some(first - 1)));
    assert!(damage.snapshot > 0 && damage.snapshot < first, "{damage}");
    fs::write(last, octets).unwrap();
    assert_eq!(site.open().view().len(), 40);
}

#[test]
fn a_segment_missing_from_the_middle_or_the_end_is_damage() {
    let site = Site {
        segment_octets: 1500,
        ..Site::new()
    };
    let store = site.open();
    (0..40).for_each(|n| add(&store, n));
    drop(store);
    site.remove_index();
    let last_snapshot = files(&site.state().join("snapshot")).pop();
    let snapshot_number = last_snapshot
        .and_then(|path| path.file_stem()?.to_str()?.parse::<u64>().ok())
        .unwrap_or(0);
    for segment in files(&site.state().join("journal")) {
        let first: u64 = segment.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        if first <= snapshot_number {
            continue;
        }
        let octets = fs::read(&segment).unwrap();
        fs::remove_file(&segment).unwrap();
        if files(&site.state().join("journal"))
            .iter()
            .any(|other| other > &segment)
            || first == snapshot_number + 1
        {
            assert!(matches!(site.refused(), OpenError::Damaged(_)), "without {segment:?}");
        }
        fs::write(&segment, octets).unwrap();
    }
    assert_eq!(site.open().view().len(), 40);
}

#[test]
fn a_segment_of_another_database_is_not_taken() {
    let fill = |site: &Site| {
        let store = site.open();
        (0..20).for_each(|n| add(&store, n));
        drop(store);
        let _ = fs::remove_dir_all(site.state().join("index"));
    };
    let site = Site {
        segment_octets: 600,
        ..Site::new()
    };
    fill(&site);
    let other = Site {
        segment_octets: 600,
        ..Site::new()
    };
    fs::create_dir(other.state()).unwrap();
    fs::copy(site.state().join("master.key"), other.state().join("master.key")).unwrap();
    fill(&other);

    // Of those before it, a snapshot has what is in them.
    let last = files(&site.state().join("journal")).pop().unwrap();
    let ours = fs::read(&last).unwrap();
    fs::copy(other.state().join("journal").join(last.file_name().unwrap()), &last).unwrap();
    let error = site.refused();
    assert!(matches!(error, OpenError::Foreign(_)), "{error}");
    fs::write(&last, ours).unwrap();
    assert_eq!(site.open().view().len(), 20);
}
