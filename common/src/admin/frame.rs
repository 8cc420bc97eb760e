//! Messages in a stream of octets.

use core::fmt;
use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The longest frame, in octets: a thousand principals with all their keys are a quarter of it.
pub const MAX_FRAME: usize = 4 << 20;

/// Why there is no message.
#[derive(Debug)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream failed, or ended within a frame.
    Stream(io::Error),
    /// The frame is longer than [`MAX_FRAME`].
    TooLong(u32),
    /// The frame holds no message of the expected type. The text names the place and nothing of the content.
    Message(String),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(why) => write!(f, "the connection failed: {why}"),
            Self::TooLong(octets) => write!(f, "a message of {octets} octets; at most {MAX_FRAME} are taken"),
            Self::Message(what) => write!(f, "not a message of this protocol: {what}"),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(why: io::Error) -> Self {
        Self::Stream(why)
    }
}

/// Reads one message; `None` when the stream ends before one begins.
///
/// # Errors
/// [`FrameError`]. After [`FrameError::Message`] the next frame can be read, after the others not.
pub fn read_frame<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, FrameError> {
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
    let length = u32::from_be_bytes(length);
    let octets = usize::try_from(length)
        .ok()
        .filter(|octets| *octets <= MAX_FRAME)
        .ok_or(FrameError::TooLong(length))?;
    // As large as it will get: growing would leave copies of secrets behind.
    let mut body = Zeroizing::new(vec![0; octets]);
    stream.read_exact(&mut body)?;
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| FrameError::Message(described(&error)))
}

/// Writes one message.
///
/// # Errors
/// [`FrameError::Stream`], or [`FrameError::TooLong`] before anything is written.
pub fn write_frame(stream: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, message).map_err(|error| FrameError::Message(described(&error)))?;
    let length = u32::try_from(counter.0).unwrap_or(u32::MAX);
    if counter.0 > MAX_FRAME {
        return Err(FrameError::TooLong(length));
    }
    let mut frame = Zeroizing::new(Vec::with_capacity(4 + counter.0));
    frame.extend_from_slice(&length.to_be_bytes());
    serde_json::to_writer(&mut *frame, message).map_err(|error| FrameError::Message(described(&error)))?;
    stream.write_all(&frame)?;
    stream.flush()?;
    Ok(())
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
        assert!(matches!(error, FrameError::TooLong(length) if length == too_long));
        let mut nowhere = Vec::new();
        let error = write_frame(&mut nowhere, &show(&"x".repeat(MAX_FRAME))).unwrap_err();
        assert!(matches!(error, FrameError::TooLong(_)) && nowhere.is_empty());
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
