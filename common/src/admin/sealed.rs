//! Messages over a network: the same as over the socket, each in one Wrap token of the krb5 mechanism (RFC 4121 §4.2.6.2).
//!
//! The connection begins with one frame from the client, the first token of a context, and one back, the answer to it; a
//! context that has all of [`REQUIRED`] then seals every message. Nothing is taken that is not sealed, and nothing out of
//! its turn: the first token that is no good ends the conversation.

use std::io::{Read, Write};

use zeroize::Zeroizing;

use super::frame::{FrameError, MAX_FRAME, MessageSink, MessageSource, read_octets, write_octets};
use crate::Random;
use crate::gss::{Context, ContextFlags, Protection};
use crate::time::KerberosTime;

/// The longest token that a context is made with, in octets. A ticket with all that a realm puts into it is a tenth of it.
pub const MAX_TOKEN: usize = 64 << 10;

/// What both ends must have agreed on: each knows who the other is, and messages can neither be read nor altered, left out,
/// repeated or reordered on the way.
pub const REQUIRED: ContextFlags =
    ContextFlags(ContextFlags::MUTUAL.0 | ContextFlags::SEQUENCE.0 | ContextFlags::CONF.0 | ContextFlags::INTEG.0);

// Header, confounder, copy of the header and MAC are at most 72 octets; some implementations add filler.
const OVERHEAD: usize = 256;

/// Reads a token that a context is made with; `None` when the peer hung up before it began.
///
/// # Errors
/// [`FrameError::Stream`] and [`FrameError::TooLong`], with [`MAX_TOKEN`].
pub fn read_token(stream: &mut impl Read) -> Result<Option<Vec<u8>>, FrameError> {
    Ok(read_octets(stream, MAX_TOKEN)?.map(|token| token.to_vec()))
}

/// Writes a token that a context is made with.
///
/// # Errors
/// As [`read_token`].
pub fn write_token(stream: &mut impl Write, token: &[u8]) -> Result<(), FrameError> {
    write_octets(stream, token, MAX_TOKEN)
}

/// A stream whose messages nobody on the way can read or alter.
pub struct Sealed<S, R> {
    stream: S,
    context: Context,
    now: fn() -> KerberosTime,
    random: R,
}

impl<S, R: Random> Sealed<S, R> {
    /// A stream over which this context was made. `now` tells when a context is over.
    pub const fn new(stream: S, context: Context, now: fn() -> KerberosTime, random: R) -> Self {
        Self {
            stream,
            context,
            now,
            random,
        }
    }

    /// The stream, for its timeouts.
    pub const fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}

impl<S: Read, R: Random> MessageSource for Sealed<S, R> {
    fn next_message(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        let Some(token) = read_octets(&mut self.stream, MAX_FRAME + OVERHEAD)? else {
            return Ok(None);
        };
        let message = self.context.unwrap(&token, (self.now)())?;
        match message.protection {
            Protection::Confidential if message.data.len() > MAX_FRAME => Err(FrameError::TooLong {
                octets: u32::try_from(message.data.len()).unwrap_or(u32::MAX),
                most: MAX_FRAME,
            }),
            Protection::Confidential => Ok(Some(message.data)),
            Protection::Integrity => Err(FrameError::NotConfidential),
        }
    }
}

impl<S: Write, R: Random> MessageSink for Sealed<S, R> {
    fn put_message(&mut self, message: &[u8]) -> Result<(), FrameError> {
        let (now, random) = ((self.now)(), &mut self.random);
        let token = self.context.wrap(message, Protection::Confidential, now, random)?;
        write_octets(&mut self.stream, &token, MAX_FRAME + OVERHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hello, Request, Response, read_frame, write_frame};
    use super::*;
    use crate::ap;
    use crate::ap::tests::fixture::{Counter, Forgetful, Issue, NOW, now};
    use crate::gss::{Acceptor, Initiator};

    type End<S> = Sealed<S, Counter>;

    fn time() -> KerberosTime {
        NOW
    }

    fn too_late() -> KerberosTime {
        KerberosTime(NOW.0 + 37_000)
    }

    /// Both ends of a context; what the client writes is read from `sent` by the daemon.
    fn contexts() -> (Context, Context) {
        let issue = Issue::default();
        let credential = issue.credential();
        let (token, awaiting) = Initiator::new(&credential).start(now(), &mut Counter(1));
        let acceptor = Acceptor::new(ap::Acceptor::for_any_service());
        let accepted = acceptor
            .accept(&token, &issue.keys()[..], &Forgetful, None, now(), &mut Counter(2))
            .unwrap();
        assert!(accepted.context().flags().contains(REQUIRED));
        let client = awaiting.finish(accepted.token().unwrap()).unwrap();
        (client, accepted.into_parts().1)
    }

    fn frames_of(messages: &[Request]) -> (Vec<Vec<u8>>, Context) {
        let (client, daemon) = contexts();
        let mut client: End<Vec<u8>> = Sealed::new(Vec::new(), client, time, Counter(3));
        let mut frames = Vec::new();
        for message in messages {
            write_frame(&mut client, message).unwrap();
            frames.push(core::mem::take(client.stream_mut()));
        }
        (frames, daemon)
    }

    fn read(octets: &[u8], daemon: Context, now: fn() -> KerberosTime) -> Vec<Result<Option<Request>, FrameError>> {
        let mut daemon: End<&[u8]> = Sealed::new(octets, daemon, now, Counter(4));
        let mut seen = Vec::new();
        loop {
            let next = read_frame(&mut daemon);
            let over = !matches!(next, Ok(Some(_)));
            seen.push(next);
            if over {
                return seen;
            }
        }
    }

    fn show(name: &str) -> Request {
        Request::Show { name: name.into() }
    }

    #[test]
    fn sealed_messages_follow_one_another_and_show_nothing() {
        let messages = [show("hidden-name"), Request::Reload];
        let (frames, daemon) = frames_of(&messages);
        let whole = frames.concat();
        assert!(!whole.windows(11).any(|part| part == b"hidden-name"));
        let seen: Vec<_> = read(&whole, daemon, time).into_iter().map(Result::unwrap).collect();
        let [one, two] = messages;
        assert_eq!(seen, [Some(one), Some(two), None]);
    }

    #[test]
    fn both_ends_seal_what_they_say() {
        let (client, daemon) = contexts();
        let mut daemon: End<Vec<u8>> = Sealed::new(Vec::new(), daemon, time, Counter(3));
        write_frame(&mut daemon, &Response::Done).unwrap();
        let sent = core::mem::take(daemon.stream_mut());
        let mut client: End<&[u8]> = Sealed::new(&sent, client, time, Counter(4));
        assert_eq!(read_frame::<Response>(&mut client).unwrap(), Some(Response::Done));
    }

    #[test]
    fn what_is_altered_repeated_left_out_or_turned_back_is_not_taken() {
        let messages = [show("a"), show("b")];
        let at = |octet: usize| {
            move |frames: &mut Vec<Vec<u8>>| {
                frames[0][octet] ^= 1;
            }
        };
        type Damage = Box<dyn Fn(&mut Vec<Vec<u8>>)>;
        let damages: Vec<(&str, Damage)> = vec![
            ("token id", Box::new(at(4))),
            ("flags", Box::new(at(6))),
            ("number", Box::new(at(19))),
            ("confounder", Box::new(at(20))),
            ("text", Box::new(at(40))),
            ("repeated", Box::new(|frames| frames.insert(0, frames[0].clone()))),
            ("left out", Box::new(|frames| drop(frames.remove(0)))),
            ("reordered", Box::new(|frames| frames.swap(0, 1))),
        ];
        for (what, damage) in damages {
            let (mut frames, daemon) = frames_of(&messages);
            damage(&mut frames);
            let seen = read(&frames.concat(), daemon, time);
            assert!(
                matches!(seen.last(), Some(Err(FrameError::Seal(_)))),
                "{what}: {seen:?}"
            );
            assert!(seen.len() <= 2, "{what}");
        }
        let (client, _) = contexts();
        let (frames, _) = frames_of(&messages);
        assert!(matches!(
            read(&frames.concat(), client, time)[..],
            [Err(FrameError::Seal(_))]
        ));
    }

    #[test]
    fn a_conversation_ends_with_its_ticket() {
        let (frames, daemon) = frames_of(&[show("a")]);
        assert!(matches!(
            read(&frames.concat(), daemon, too_late)[..],
            [Err(FrameError::Seal(_))]
        ));
        let (client, _) = contexts();
        let mut client: End<Vec<u8>> = Sealed::new(Vec::new(), client, too_late, Counter(3));
        assert!(write_frame(&mut client, &show("a")).is_err() && client.stream_mut().is_empty());
    }

    #[test]
    fn what_is_signed_and_not_sealed_or_in_the_clear_is_refused() {
        let (mut client, daemon) = contexts();
        let message = serde_json::to_vec(&show("a")).unwrap();
        let signed = client
            .wrap(&message, Protection::Integrity, NOW, &mut Counter(5))
            .unwrap();
        let mut frame = Vec::new();
        write_octets(&mut frame, &signed, MAX_FRAME).unwrap();
        assert!(matches!(
            read(&frame, daemon, time)[..],
            [Err(FrameError::NotConfidential)]
        ));
        let (_, daemon) = contexts();
        let mut frame = Vec::new();
        let hello = Hello {
            protocol: 2,
            program: "x".into(),
        };
        write_frame(&mut frame, &hello).unwrap();
        assert!(matches!(read(&frame, daemon, time)[..], [Err(FrameError::Seal(_))]));
    }

    #[test]
    fn lengths_are_looked_at_before_anything_is_read() {
        let announced = |octets: usize| u32::try_from(octets).unwrap().to_be_bytes();
        for octets in [MAX_TOKEN + 1, usize::try_from(u32::MAX).unwrap()] {
            let error = read_token(&mut &announced(octets)[..]).unwrap_err();
            assert!(matches!(error, FrameError::TooLong { most: MAX_TOKEN, .. }), "{error}");
        }
        let (_, daemon) = contexts();
        let seen = read(&announced(MAX_FRAME + OVERHEAD + 1), daemon, time);
        assert!(matches!(seen[..], [Err(FrameError::TooLong { .. })]));
        assert_eq!(read_token(&mut &[][..]).unwrap(), None);
    }

    #[test]
    fn the_longest_message_fits_and_a_longer_one_does_not() {
        let empty = serde_json::to_vec(&show("")).unwrap().len();
        let longest = show(&"x".repeat(MAX_FRAME - empty));
        let (frames, daemon) = frames_of(core::slice::from_ref(&longest));
        assert_eq!(read(&frames.concat(), daemon, time).remove(0).unwrap(), Some(longest));
        let (mut client, daemon) = contexts();
        let longer = vec![b' '; MAX_FRAME + 1];
        let token = client
            .wrap(&longer, Protection::Confidential, NOW, &mut Counter(5))
            .unwrap();
        let mut frame = Vec::new();
        write_octets(&mut frame, &token, MAX_FRAME + OVERHEAD).unwrap();
        assert!(matches!(
            read(&frame, daemon, time)[..],
            [Err(FrameError::TooLong { .. })]
        ));
    }
}
