//! The tags of DER that the negotiation needs beside those of [`tlv`](crate::tlv).

pub(super) use crate::tlv::{Fields, GENERAL_STRING, OCTET_STRING, content, context};

pub(super) const ENUMERATED: u8 = 0x0a;
