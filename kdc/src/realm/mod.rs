//! The three As: who is this, may they, what happened. No socket, no protocol, no clock.

pub mod access;
pub mod access_record;
pub mod accounting;
pub mod administration;
pub mod authentication;
pub mod authorization;
pub mod denied;
pub mod dictionary;
pub mod founding;
pub mod glob;
pub mod hours;
pub mod keys;
pub mod lockout;
pub mod passwords;
pub mod policy;
pub mod principal;
pub mod rights;
pub mod rules;
pub mod settings;
