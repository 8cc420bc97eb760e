//! The event log as somebody else may have left it: lines, and compressed files with their indexes.
#![no_main]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use std::{env, fs, process};

use libfuzzer_sys::fuzz_target;
use tessera_kdc::accounting::{EventFilter, Reader, Start};

fuzz_target!(|octets: &[u8]| {
    static DIRECTORY: OnceLock<std::path::PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            env::temp_dir()
        };
        let directory = base.join(format!("tessera-fuzz-{}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    });
    fs::write(directory.join("events-00000000000000000001.jsonl.zst"), octets).unwrap();
    fs::write(directory.join("current.jsonl"), octets).unwrap();
    let reader = Reader::open(directory);
    let seen = |filter: &EventFilter, from| {
        let mut seen = Vec::new();
        let progress = reader.read(filter, from, &mut |found| {
            assert!(filter.matches(found.event));
            seen.push(found.event.seq);
            ControlFlow::Continue(())
        });
        // They come in the order of the file: what numbers they have, whoever wrote it has chosen.
        assert!(progress.unwrap().through >= seen.last().copied().unwrap_or(0));
        seen
    };
    let all = seen(&EventFilter::default(), Start::Oldest);
    assert!(seen(&EventFilter::default(), Start::Last(1)).len() <= all.len());
    // Whom an event names is found by that name.
    let filter = r#"{"principals": [{"names": ["alice"]}], "networks": ["192.0.2.1"]}"#;
    let alice: EventFilter = serde_json::from_str(filter).unwrap();
    assert!(seen(&alice, Start::Oldest).len() <= all.len());
});
