//! Administration: frames with requests and responses, and the lines of an import.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tessera_common::admin::{Hello, ImportRecord, Request, Response, read_frame, write_frame};

fuzz_target!(|octets: &[u8]| {
    let _ = read_frame::<Request>(&mut &*octets);
    frame::<Hello>(octets);
    frame::<Request>(octets);
    frame::<Response>(octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = ImportRecord::parse(text);
    }
});

// With the right length before it, so that the fuzzer need not guess one.
fn frame<T: Serialize + DeserializeOwned + Debug>(body: &[u8]) {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    if let Ok(Some(message)) = read_frame::<T>(&mut &*[&length[..], body].concat()) {
        let mut written = Vec::new();
        write_frame(&mut written, &message).unwrap();
        let again = read_frame::<T>(&mut &*written).unwrap().unwrap();
        assert_eq!(format!("{message:?}"), format!("{again:?}"));
    }
}
