//! The messages of MIT's `gss-client` and `gss-server`: an octet that says what it is, the length in four octets, the
//! highest first, and a token.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::BitOr;

use tessera_common::gss::{ContextFlags, Protection};

/// What a message is. Several at once may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(u8);

impl Kind {
    /// No token: the beginning, the end, or an answer that says nothing.
    pub(crate) const NOOP: Self = Self(1);
    /// A token of a context that is being established. With `DATA`, which MIT's programs do not send: a request for
    /// pseudo-random octets of the context, and its answer.
    pub(crate) const CONTEXT: Self = Self(2);
    /// Something to be told.
    pub(crate) const DATA: Self = Self(4);
    /// A MIC. With `DATA`, which MIT's programs do not send, of what the next message tells.
    pub(crate) const MIC: Self = Self(8);
    /// With `NOOP`, at the beginning: a context is to be established.
    pub(crate) const CONTEXT_NEXT: Self = Self(16);
    /// With `DATA`: wrapped.
    pub(crate) const WRAPPED: Self = Self(32);
    /// With `WRAPPED`: encrypted, too.
    pub(crate) const ENCRYPTED: Self = Self(64);
    /// With `DATA`: the answer is to be a MIC of it.
    pub(crate) const SEND_MIC: Self = Self(128);

    /// Something to be told, wrapped so.
    pub(crate) fn wrapped(protection: Protection) -> Self {
        match protection {
            Protection::Integrity => Self::DATA | Self::WRAPPED,
            Protection::Confidential => Self::DATA | Self::WRAPPED | Self::ENCRYPTED,
        }
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Kind {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The flags of a context by their names.
pub(crate) fn flags(flags: ContextFlags) -> String {
    let named = ContextFlags::NAMED.iter().filter(|(flag, _)| flags.contains(*flag));
    named.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

const LONGEST: u32 = 1 << 20;

pub(crate) fn send(stream: &mut TcpStream, kind: Kind, token: &[u8]) -> io::Result<()> {
    let length = u32::try_from(token.len()).map_err(io::Error::other)?;
    stream.write_all(&[&[kind.0], &length.to_be_bytes()[..], token].concat())
}

/// Gives `None` if the peer has gone.
pub(crate) fn receive(stream: &mut TcpStream) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut kind = [0];
    if stream.read(&mut kind)? == 0 {
        return Ok(None);
    }
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other(format!("a message of {length} octets")));
    }
    let mut token = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut token)?;
    let [kind] = kind;
    Ok(Some((Kind(kind), token)))
}
