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
