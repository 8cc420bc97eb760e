//! Messages in a stream of octets: each is a frame, its length in four octets, big-endian, and that many octets of JSON.
//! On a stream in the clear they stand as they are, on a [`Sealed`](super::Sealed) one in tokens.

use core::fmt;
use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::gss::ContextError;

/// The longest message, in octets: a thousand principals with all their keys are a quarter of it.
pub const MAX_FRAME: usize = 4 << 20;

/// Why there is no message.
#[derive(Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream failed, or ended within a frame.
    Stream(io::Error),
    /// The frame is longer than may be.
    TooLong {
        /// How many octets it announces or would have.
        octets: u32,
        /// How many are taken.
        most: usize,
    },
    /// The frame holds no message of the expected type. The text names the place and nothing of the content.
    Message(String),
    /// The token is not the next one of this conversation, or its time is over.
    Seal(ContextError),
    /// The token's data can be read by everybody on the way.
    NotConfidential,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(why) => write!(f, "the connection failed: {why}"),
            Self::TooLong { octets, most } => write!(f, "a message of {octets} octets; at most {most} are taken"),
            Self::Message(what) => write!(f, "not a message of this protocol: {what}"),
            Self::Seal(why) => write!(f, "not a sealed message of this conversation: {why}"),
            Self::NotConfidential => f.write_str("a message that is signed and not sealed"),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(why: io::Error) -> Self {
        Self::Stream(why)
    }
}

impl From<ContextError> for FrameError {
    fn from(why: ContextError) -> Self {
        Self::Seal(why)
    }
}

/// Where messages come from, one after the other: a stream in the clear, or a [`Sealed`](super::Sealed) one.
pub trait MessageSource {
    /// The octets of the next message, at most [`MAX_FRAME`]; `None` when the stream ends before one begins.
    ///
    /// # Errors
    /// [`FrameError`]; nothing can be read after it.
    fn next_message(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError>;
}

/// Where messages go.
pub trait MessageSink {
    /// Sends the octets of one message, at most [`MAX_FRAME`].
    ///
    /// # Errors
    /// [`FrameError`]; nothing can be sent after it.
    fn put_message(&mut self, message: &[u8]) -> Result<(), FrameError>;
}

/// Both ways.
pub trait Dialogue: MessageSource + MessageSink {}

impl<D: MessageSource + MessageSink> Dialogue for D {}

impl<S: Read> MessageSource for S {
    fn next_message(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        read_octets(self, MAX_FRAME)
    }
}

impl<S: Write> MessageSink for S {
    fn put_message(&mut self, message: &[u8]) -> Result<(), FrameError> {
        write_octets(self, message, MAX_FRAME)
    }
}

/// Reads one message; `None` when the stream ends before one begins.
///
/// # Errors
/// [`FrameError`]. After [`FrameError::Message`] the next frame can be read, after the others not.
pub fn read_frame<T: DeserializeOwned>(source: &mut impl MessageSource) -> Result<Option<T>, FrameError> {
    let Some(message) = source.next_message()? else {
        return Ok(None);
    };
    serde_json::from_slice(&message)
        .map(Some)
        .map_err(|error| FrameError::Message(described(&error)))
}

/// Writes one message.
///
/// # Errors
/// [`FrameError`]; [`FrameError::TooLong`] before anything is written.
pub fn write_frame(sink: &mut impl MessageSink, message: &impl Serialize) -> Result<(), FrameError> {
    let unwritten = |error| FrameError::Message(described(&error));
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, message).map_err(unwritten)?;
    check_length(counter.0, MAX_FRAME)?;
    // As large as it will get: growing would leave copies of secrets behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(counter.0));
    serde_json::to_writer(&mut *octets, message).map_err(unwritten)?;
    sink.put_message(&octets)
}

/// Reads one frame of at most `most` octets; `None` when the stream ends before one begins.
pub(super) fn read_octets(stream: &mut impl Read, most: usize) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
    let mut length = [0; 4];
    let mut have = 0;
    while let Some(rest) = length.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(octets) => have += octets,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why.into()),
        }
    }
    let octets = u32::from_be_bytes(length);
    let too_long = FrameError::TooLong { octets, most };
    let length = usize::try_from(octets).ok().filter(|length| *length <= most);
    // As above.
    let mut body = Zeroizing::new(vec![0; length.ok_or(too_long)?]);
    stream.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Writes one frame of at most `most` octets, at once.
pub(super) fn write_octets(stream: &mut impl Write, octets: &[u8], most: usize) -> Result<(), FrameError> {
    let length = check_length(octets.len(), most)?;
    let mut frame = Zeroizing::new(Vec::with_capacity(4 + octets.len()));
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(octets);
    stream.write_all(&frame)?;
    stream.flush()?;
    Ok(())
}

fn check_length(octets: usize, most: usize) -> Result<u32, FrameError> {
    let length = u32::try_from(octets).unwrap_or(u32::MAX);
    if octets > most {
        return Err(FrameError::TooLong { octets: length, most });
    }
    Ok(length)
}

// serde_json's own texts may quote the value that did not fit, which may be a password.
fn described(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "not written",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Eof => "cut short",
        serde_json::error::Category::Data => "an unknown field or value, or one that is missing",
    };
    format!("{what}, at line {} column {}", error.line(), error.column())
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Hello, Request, Response};
    use super::*;

    fn show(name: &str) -> Request {
        Request::Show { name: name.into() }
    }

    // Gives one octet at a time, with interruptions.
    struct Drip<'o>(&'o [u8], bool);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            out[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn frames_follow_one_another() {
        let mut stream = Vec::new();
        write_frame(&mut stream, &show("a")).unwrap();
        write_frame(&mut stream, &Request::Reload).unwrap();
        let mut stream = Drip(&stream, false);
        assert_eq!(read_frame::<Request>(&mut stream).unwrap(), Some(show("a")));
        assert_eq!(read_frame::<Request>(&mut stream).unwrap(), Some(Request::Reload));
        assert_eq!(read_frame::<Request>(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_wrong_message_does_not_spoil_the_next() {
        let mut stream = Vec::new();
        write_frame(
            &mut stream,
            &Hello {
                protocol: 1,
                program: "x".into(),
            },
        )
        .unwrap();
        write_frame(&mut stream, &show("a")).unwrap();
        let mut stream = &stream[..];
        assert!(matches!(
            read_frame::<Request>(&mut stream),
            Err(FrameError::Message(_))
        ));
        assert_eq!(read_frame::<Request>(&mut stream).unwrap(), Some(show("a")));
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_an_error() {
        let mut whole = Vec::new();
        write_frame(&mut whole, &show("a")).unwrap();
        for end in 1..whole.len() {
            assert!(
                matches!(read_frame::<Request>(&mut &whole[..end]), Err(FrameError::Stream(_))),
                "{end}"
            );
        }
        let too_long = u32::try_from(MAX_FRAME).unwrap() + 1;
        let error = read_frame::<Request>(&mut &too_long.to_be_bytes()[..]).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { octets, .. } if octets == too_long));
        let mut nowhere = Vec::new();
        let error = write_frame(&mut nowhere, &show(&"x".repeat(MAX_FRAME))).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { .. }) && nowhere.is_empty());
    }

    #[test]
    fn an_error_repeats_nothing_of_what_was_sent() {
        let secret = br#"{"add":{"name":"a","keys":{"hunter2":"hunter2"}}}"#;
        let stream = [&u32::try_from(secret.len()).unwrap().to_be_bytes()[..], secret].concat();
        let error = read_frame::<Request>(&mut &stream[..]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    proptest! {
        #[test]
        fn arbitrary_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_frame::<Request>(&mut &octets[..]);
            let framed = [&u32::try_from(octets.len()).unwrap().to_be_bytes()[..], &octets].concat();
            let _ = read_frame::<Request>(&mut &framed[..]);
            let _ = read_frame::<Response>(&mut &framed[..]);
        }

        #[test]
        fn mutilated_requests_never_panic(at in 0usize..140, octet: u8) {
            let mut json = br#"{"add":{"name":"alice","keys":{"given":[{"enctype":"aes256-cts","kvno":1,"key":"00ff","salt":"x"}]},"settings":{"expires":"+7d"}}}"#.to_vec();
            if let Some(place) = json.get_mut(at) {
                *place = octet;
            }
            let framed = [&u32::try_from(json.len()).unwrap().to_be_bytes()[..], &json].concat();
            let _ = read_frame::<Request>(&mut &framed[..]);
        }
    }
}
