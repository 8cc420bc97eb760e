//! Asking a person, or a pipe, for passwords.

use core::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

// As long as anybody types, and no longer: a file piped in by mistake is not read to its end.
const LONGEST: usize = 1024;

/// A password. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// A password of these octets; people's are UTF-8.
    #[must_use]
    pub fn new(octets: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(octets.into()))
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next line of a file or a pipe, without its end.
    ///
    /// # Errors
    /// [`PromptError`]; no octet before the end is [`PromptError::Ended`].
    pub fn from_line(input: &mut File) -> Result<Self, PromptError> {
        read_line(input, &Keys::default())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password([redacted])")
    }
}

/// Who is asked for passwords and told of what happens.
pub trait Prompter {
    /// Asks for a password; `question` stands without the colon, as in "Password for alice@EXAMPLE.COM".
    ///
    /// # Errors
    /// [`PromptError`].
    fn ask(&mut self, question: &str) -> Result<Password, PromptError>;

    /// Shows a line.
    fn tell(&mut self, line: &str);
}

/// Why there is no password.
#[derive(Debug)]
#[non_exhaustive]
pub enum PromptError {
    /// The terminal or the pipe failed.
    Io(io::Error),
    /// The input ended before the end of a line.
    Ended,
    /// The interrupt key.
    Interrupted,
    /// More than a password can have.
    TooLong,
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => write!(f, "Cannot read password: {why}"),
            Self::Ended => f.write_str("Cannot read password: the input ended"),
            Self::Interrupted => f.write_str("Password read interrupted"),
            Self::TooLong => write!(f, "Cannot read password: longer than {LONGEST} octets"),
        }
    }
}

impl core::error::Error for PromptError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(source) => Some(source),
            Self::Ended | Self::Interrupted | Self::TooLong => None,
        }
    }
}

impl From<io::Error> for PromptError {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

/// The standard input: a terminal, where what is typed does not show, or anything else, line by line. Questions go to the
/// standard output.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardInput;

impl StandardInput {
    /// The next line, without a question: for a pipe.
    ///
    /// # Errors
    /// As [`Password::from_line`].
    pub fn line(self) -> Result<Password, PromptError> {
        Password::from_line(&mut unbuffered(&io::stdin())?)
    }
}

impl Prompter for StandardInput {
    fn ask(&mut self, question: &str) -> Result<Password, PromptError> {
        ask_and_show(question, &mut io::stdout())
    }

    fn tell(&mut self, line: &str) {
        let _ = show(&format!("{line}\n"), &mut io::stdout());
    }
}

/// The standard input, where the standard output is for others to read: questions go to the standard error output, and a
/// pipe is asked none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aside;

impl Prompter for Aside {
    fn ask(&mut self, question: &str) -> Result<Password, PromptError> {
        if io::stdin().is_terminal() {
            ask_and_show(question, &mut io::stderr())
        } else {
            StandardInput.line()
        }
    }

    fn tell(&mut self, line: &str) {
        let _ = show(&format!("{line}\n"), &mut io::stderr());
    }
}

fn ask_and_show(question: &str, out: &mut dyn io::Write) -> Result<Password, PromptError> {
    let stdin = io::stdin();
    // Silent before the question shows: who types at once would see the password.
    let silence = if stdin.is_terminal() {
        Some(Silence::on(&stdin)?)
    } else {
        None
    };
    show(&format!("{question}: "), out)?;
    let keys = silence.as_ref().map(Silence::keys).unwrap_or_default();
    let line = read_line(&mut unbuffered(&stdin)?, &keys);
    drop(silence);
    show("\n", out)?;
    line
}

fn show(text: &str, out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

// The library's own standard input is buffered: it would keep a copy of the password, and swallow what the next program in the
// same shell is to read.
fn unbuffered(stdin: &io::Stdin) -> io::Result<File> {
    Ok(File::from(stdin.as_fd().try_clone_to_owned()?))
}

fn read_line(input: &mut File, keys: &Keys) -> Result<Password, PromptError> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    let mut octet = Zeroizing::new([0; 1]);
    loop {
        match input.read(&mut *octet) {
            Ok(0) if line.is_empty() => return Err(PromptError::Ended),
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e.into()),
        }
        let [key] = *octet;
        match key {
            b'\n' => break,
            _ if keys.interrupt == Some(key) => return Err(PromptError::Interrupted),
            _ if keys.end == Some(key) && line.is_empty() => return Err(PromptError::Ended),
            _ if keys.end == Some(key) => break,
            _ if keys.kill == Some(key) => line.clear(),
            _ if keys.erase.contains(&Some(key)) => erase_character(&mut line),
            _ if line.len() == LONGEST => return Err(PromptError::TooLong),
            _ => line.push(key),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Password(line))
}

// The last character may be several octets of UTF-8.
fn erase_character(line: &mut Vec<u8>) {
    while line.pop().is_some_and(|octet| octet & 0xc0 == 0x80) {}
}

/// What is not text but a command to the terminal. In a pipe, nothing is.
#[derive(Default)]
struct Keys {
    interrupt: Option<u8>,
    end: Option<u8>,
    kill: Option<u8>,
    erase: [Option<u8>; 2],
}

/// A terminal that shows nothing and passes every key on, until this is dropped.
///
/// Were the interrupt key left to the terminal, it would end the program and leave a shell behind that shows nothing.
struct Silence<'a> {
    terminal: &'a io::Stdin,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn on(terminal: &'a io::Stdin) -> io::Result<Self> {
        let before = tcgetattr(terminal.as_fd())?;
        let mut silent = before.clone();
        silent
            .local_flags
            .remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        for (index, value) in [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)] {
            if let Some(slot) = silent.control_chars.get_mut(index as usize) {
                *slot = value;
            }
        }
        tcsetattr(terminal.as_fd(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { terminal, before })
    }

    fn keys(&self) -> Keys {
        // 0 stands for "no such key".
        let key = |index: SpecialCharacterIndices| {
            self.before
                .control_chars
                .get(index as usize)
                .copied()
                .filter(|key| *key != 0)
        };
        Keys {
            interrupt: key(SpecialCharacterIndices::VINTR),
            end: key(SpecialCharacterIndices::VEOF),
            kill: key(SpecialCharacterIndices::VKILL),
            erase: [key(SpecialCharacterIndices::VERASE), Some(0x08)],
        }
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal.as_fd(), SetArg::TCSANOW, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn typed(octets: &[u8], keys: &Keys) -> Result<Vec<u8>, PromptError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file.rewind().unwrap();
        read_line(&mut file, keys).map(|password| password.octets().to_vec())
    }

    #[test]
    fn a_pipe_gives_its_lines_as_they_are() {
        let none = Keys::default();
        for (octets, password) in [
            (&b"secret\nmore"[..], &b"secret"[..]),
            (b"secret", b"secret"),
            (b"secret\r\n", b"secret"),
            (b" spaces count \n", b" spaces count "),
            (b"a\x03\x7f\n", b"a\x03\x7f"),
            (b"\n", b""),
        ] {
            assert_eq!(typed(octets, &none).unwrap(), password);
        }
        assert!(matches!(typed(b"", &none), Err(PromptError::Ended)));
        assert!(matches!(typed(&[b'x'; 1025], &none), Err(PromptError::TooLong)));
        assert_eq!(typed(&[b'x'; 1024], &none).unwrap().len(), 1024);
    }

    #[test]
    fn at_a_terminal_keys_edit_the_line() {
        let keys = Keys {
            interrupt: Some(3),
            end: Some(4),
            kill: Some(0x15),
            erase: [Some(0x7f), Some(8)],
        };
        for (octets, password) in [
            (&b"sex\x7fcret\n"[..], &b"secret"[..]),
            ("a\u{17e}\u{7f}b\n".as_bytes(), b"ab"),
            (b"\x7f\x08x\n", b"x"),
            (b"wrong\x15right\n", b"right"),
            (b"end\x04", b"end"),
        ] {
            assert_eq!(typed(octets, &keys).unwrap(), password);
        }
        assert!(matches!(typed(b"secr\x03", &keys), Err(PromptError::Interrupted)));
        assert!(matches!(typed(b"\x04", &keys), Err(PromptError::Ended)));
    }

    #[test]
    fn a_password_is_never_printed() {
        assert_eq!(format!("{:?}", Password::new("secret")), "Password([redacted])");
    }
}
