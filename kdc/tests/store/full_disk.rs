//! A disk that is really full: journal, snapshots and index all at once.
//!
//! `TESSERA_SMALL_DISK` is an empty directory on a file system of a few MB:
//! `mount -t tmpfs -o size=4m none DIR`.

use super::*;

#[test]
#[ignore = "it needs TESSERA_SMALL_DISK, a small file system"]
fn a_full_disk_refuses_changes_and_serves_requests_until_there_is_room_again() {
    let disk = PathBuf::from(std::env::var_os("TESSERA_SMALL_DISK").expect("TESSERA_SMALL_DISK names a directory"));
    let site = Site {
        directory: tempfile::tempdir_in(disk).unwrap(),
        segment_octets: 100_000,
        ..Site::new()
    };
    let filler = site.directory.path().join("filler");
    fs::write(&filler, vec![0; 2 << 20]).unwrap();
    let store = site.open();
    let try_add = |n| store.commit(&author(), vec![put(user(n))]);
    // The first refusal counts: what is done in the background may make room a moment later.
    let refused = (0..1_000_000).find_map(|n| Some((n, try_add(n).err()?)));
    let (next, why) = refused.expect("the disk becomes full");
    assert!(matches!(why, StoreError::Unwritable(_)), "{why:?}");
    assert_eq!(store.view().len() as u64, next);
    assert!(
        site.notices()
            .iter()
            .any(|notice| matches!(notice, Notice::Unwritable(_)))
    );

    fs::remove_file(&filler).unwrap();
    let mut attempts = 0;
    while try_add(next).is_err() {
        attempts += 1;
        assert!(attempts < 10, "{:?}", site.notices());
    }
    assert!(site.notices().contains(&Notice::WritableAgain));
    let expected = contents(&store);
    drop(store);
    assert_eq!(contents(&site.open()), expected);
    let _ = fs::remove_dir_all(site.state().join("index"));
    assert_eq!(contents(&site.open()), expected);
    assert_eq!(expected.len() as u64, next + 1);
}
