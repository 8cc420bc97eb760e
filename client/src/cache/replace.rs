use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Puts a file of mode 0600 with this content in the place of `path`. Readers see the old file or the new one, never half of
/// one; a symbolic link is replaced, not followed.
///
/// # Errors
/// What the system says; the old file is then as it was.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let (mut file, beside) = create_beside(path)?;
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Creates an empty file of mode 0600 whose name is `path` and a suffix that nobody uses.
pub(crate) fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", random_suffix()?));
        let beside = PathBuf::from(name);
        match create_new(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
}

/// Creates a file of mode 0600 that does not exist yet; a symbolic link counts as existing.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Six letters or digits that nobody can guess.
pub(super) fn random_suffix() -> io::Result<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut octets = [0; 6];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(octets
        .iter()
        .filter_map(|octet| ALPHABET.get(usize::from(octet % 32)))
        .map(|letter| char::from(*letter))
        .collect())
}
