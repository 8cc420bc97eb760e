use core::net::IpAddr;
use core::time::Duration;

use zeroize::Zeroizing;

use super::agreement::{Agreement, Role};
use super::message::{Header, Opened, check_fresh};
use super::message_error::MessageError;
use super::replay::MemoryReplayCache;
use super::sequence::SequenceWindow;
use super::{krb_priv, krb_safe};
use crate::Random;
use crate::crypto::Key;
use crate::time::Timestamp;
use crate::wire::{HostAddress, addr_type};

/// One end of a session: makes and reads KRB-SAFE and KRB-PRIV under the key that an AP exchange agreed on.
///
/// Each message has a number, and directional addresses tell which side sent it, so that nothing can be repeated, left out
/// (in a stream), put in another order or turned back on its sender. Times and network addresses are checked on request.
///
/// ```
/// use tessera_common::ap::{Agreement, Channel, MessageError};
/// use tessera_common::time::Timestamp;
/// use tessera_common::Random;
///
/// fn echo(agreed: Agreement, received: &[u8], now: Timestamp, random: &mut dyn Random) -> Result<Vec<u8>, MessageError> {
///     let mut channel = Channel::stream(agreed);
///     let question = channel.read_priv(received, now)?;
///     Ok(channel.make_priv(&question, now, random))
/// }
/// ```
#[derive(Debug)]
pub struct Channel {
    key: Key,
    addresses: Addresses,
    times: Option<Times>,
    numbers: Option<Numbers>,
}

/// The addresses in a session's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    sender: HostAddress,
    receiver: Option<HostAddress>,
    peer: Option<HostAddress>,
    own: Option<HostAddress>,
}

#[derive(Debug)]
struct Times {
    skew: Duration,
    seen: MemoryReplayCache,
}

#[derive(Debug)]
struct Numbers {
    send: u32,
    receive: SequenceWindow,
}

impl Addresses {
    /// Directional addresses: which side, not from where.
    #[must_use]
    pub fn directional(role: Role) -> Self {
        Self {
            sender: role.address(),
            receiver: None,
            peer: Some(role.peer().address()),
            own: None,
        }
    }

    /// The network addresses of both ends, sent and checked; no good where addresses are translated in between.
    #[must_use]
    pub fn network(own: IpAddr, peer: IpAddr) -> Self {
        let (own, peer) = (HostAddress::from(own), HostAddress::from(peer));
        Self {
            sender: own.clone(),
            receiver: Some(peer.clone()),
            peer: Some(peer),
            own: Some(own),
        }
    }

    /// This address as the sender's, and whatever the other side sends.
    #[must_use]
    pub const fn unchecked(own: HostAddress) -> Self {
        Self {
            sender: own,
            receiver: None,
            peer: None,
            own: None,
        }
    }

    fn check(&self, header: &Header) -> Result<(), MessageError> {
        if let Some(peer) = &self.peer
            && !same(&header.sender, peer)
        {
            return Err(match header.sender.addr_type {
                addr_type::DIRECTIONAL => MessageError::Direction,
                _ => MessageError::Address(header.sender.clone()),
            });
        }
        // RFC 4120 §3.4.2: the receiver's address need not be there, but must be right if it is.
        match (&self.own, &header.receiver) {
            (Some(own), Some(receiver)) if !same(own, receiver) => Err(MessageError::Address(receiver.clone())),
            _ => Ok(()),
        }
    }
}

// An IPv4 address inside IPv6 is the IPv4 address.
fn same(a: &HostAddress, b: &HostAddress) -> bool {
    a == b || a.to_ip().is_some_and(|ip| b.to_ip() == Some(ip))
}

impl Channel {
    /// Over a stream: messages in order and without a gap.
    #[must_use]
    pub fn stream(agreed: Agreement) -> Self {
        let numbers = Numbers {
            send: agreed.send_seq(),
            receive: SequenceWindow::in_order(agreed.receive_seq()),
        };
        Self {
            numbers: Some(numbers),
            ..Self::bare(agreed)
        }
    }

    /// Over datagrams: messages may be lost or overtake one another, but none counts twice.
    #[must_use]
    pub fn datagrams(agreed: Agreement) -> Self {
        let numbers = Numbers {
            send: agreed.send_seq(),
            receive: SequenceWindow::datagrams(agreed.receive_seq()),
        };
        Self {
            numbers: Some(numbers),
            ..Self::bare(agreed)
        }
    }

    /// Without numbers, as a peer may want it: messages carry times, which may be `skew` off, and each is remembered for as
    /// long as its time is good. Messages can be held back and put in another order unnoticed. Use it with a subkey only:
    /// another session under the same key does not know what was read in this one.
    #[must_use]
    pub fn timed(agreed: Agreement, skew: Duration) -> Self {
        Self::bare(agreed).with_times(skew)
    }

    fn bare(agreed: Agreement) -> Self {
        let addresses = Addresses::directional(agreed.role());
        Self {
            key: agreed.key().clone(),
            addresses,
            times: None,
            numbers: None,
        }
    }

    /// With times as well, which may be `skew` off.
    #[must_use]
    pub fn with_times(mut self, skew: Duration) -> Self {
        self.times = Some(Times {
            skew,
            seen: MemoryReplayCache::new(skew),
        });
        self
    }

    /// With other addresses than [`Addresses::directional`].
    #[must_use]
    pub fn with_addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }

    /// `data` in a KRB-PRIV: encrypted.
    pub fn make_priv(&mut self, data: &[u8], now: Timestamp, random: &mut dyn Random) -> Vec<u8> {
        let header = self.next_header(now);
        krb_priv::make(&self.key, &header, data, random)
    }

    /// The data of a KRB-PRIV from the other side.
    ///
    /// # Errors
    /// [`MessageError`]. The channel stays as it was: a stream's peer can send the right message yet, but a forger behind a
    /// broken stream is as likely; close it.
    pub fn read_priv(&mut self, octets: &[u8], now: Timestamp) -> Result<Zeroizing<Vec<u8>>, MessageError> {
        let opened = krb_priv::read(&self.key, octets)?;
        self.check(opened, now)
    }

    /// `data` in a KRB-SAFE: in the clear, with a keyed checksum.
    pub fn make_safe(&mut self, data: &[u8], now: Timestamp) -> Vec<u8> {
        let header = self.next_header(now);
        krb_safe::make(&self.key, &header, data)
    }

    /// The data of a KRB-SAFE from the other side.
    ///
    /// # Errors
    /// As [`Channel::read_priv`].
    pub fn read_safe(&mut self, octets: &[u8], now: Timestamp) -> Result<Zeroizing<Vec<u8>>, MessageError> {
        let opened = krb_safe::read(&self.key, octets)?;
        self.check(opened, now)
    }

    fn next_header(&mut self, now: Timestamp) -> Header {
        let seq_number = self.numbers.as_mut().map(|numbers| {
            let number = numbers.send;
            numbers.send = number.wrapping_add(1);
            number
        });
        Header {
            timestamp: self.times.is_some().then_some(now),
            seq_number,
            sender: self.addresses.sender.clone(),
            receiver: self.addresses.receiver.clone(),
        }
    }

    // RFC 4120 §3.4.2 and §3.5.2.
    fn check(&mut self, opened: Opened, now: Timestamp) -> Result<Zeroizing<Vec<u8>>, MessageError> {
        self.addresses.check(&opened.header)?;
        if let Some(times) = &self.times {
            check_fresh(opened.header.timestamp, opened.tag, now.time, times.skew, &times.seen)?;
        }
        if let Some(numbers) = &mut self.numbers {
            // MIT leaves the number 0 out.
            numbers
                .receive
                .take(opened.header.seq_number.unwrap_or(0))
                .map_err(MessageError::Sequence)?;
        }
        Ok(opened.data)
    }
}
