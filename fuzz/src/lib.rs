//! What the fuzz targets share: the checks on a decoder, and a small realm that is the same on every run.

pub mod administration;
pub mod desk;
pub mod gss;
pub mod mit;
pub mod realm;

use std::fmt::Debug;

use tessera_common::wire::{self, MAX_MESSAGE, Message};

/// Octets that decode are written as octets that decode to the same.
pub fn round_trip<T: Message + PartialEq + Debug>(octets: &[u8]) -> Option<T> {
    let value = wire::decode::<T>(octets).ok()?;
    same(&value, wire::decode::<T>(&written(&value)?));
    Some(value)
}

/// The same for messages with implicit tags.
pub fn round_trip_implicit<T: Message + PartialEq + Debug>(octets: &[u8]) {
    if let Ok(value) = wire::decode_implicit::<T>(octets)
        && let Some(again) = written(&value)
    {
        same(&value, wire::decode_implicit::<T>(&again));
    }
}

// What was sloppy may grow when it is written properly, and then be too large.
fn written<T: Message>(value: &T) -> Option<Vec<u8>> {
    let octets = wire::encode(value);
    assert!(!octets.is_empty(), "a value without an encoding");
    (octets.len() <= MAX_MESSAGE).then_some(octets)
}

fn same<T: PartialEq + Debug>(value: &T, again: Result<T, wire::DecodeError>) {
    match again {
        Ok(again) => assert_eq!(*value, again),
        Err(wire::DecodeError::TooMany | wire::DecodeError::TooDeep) => {}
        Err(error) => panic!("does not read back: {error}"),
    }
}

/// A dump of another KDC's, and the file with its master key: that stands first, its length in two octets before it.
#[must_use]
pub fn with_key_file(key_file: &[u8], dump: &str) -> Vec<u8> {
    let length = u16::try_from(key_file.len()).unwrap();
    [&length.to_be_bytes()[..], key_file, dump.as_bytes()].concat()
}

/// The file with the master key, and the dump, as [`with_key_file`] puts them together.
#[must_use]
pub fn key_file_and_dump(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
