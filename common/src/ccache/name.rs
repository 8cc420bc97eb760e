use core::fmt;
use core::str::FromStr;
use std::path::{Path, PathBuf};

/// The primary cache of a collection whose directory has no file `primary`.
pub const DEFAULT_PRIMARY: &str = "tkt";

const PRIMARY_FILE: &str = "primary";
// MIT reads that much of the file `primary`, the end of the line included.
const LONGEST_PRIMARY_LINE: usize = 63;

/// Where a cache is, as `KRB5CCNAME`, `-c` and `default_ccache_name` name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheName {
    /// `FILE:path`, or a path alone: one file.
    File(PathBuf),
    /// `DIR:path`: the primary cache of a directory's collection.
    Collection(Collection),
    /// `DIR::path/tktNAME`: one cache of a directory's collection.
    Subsidiary(Subsidiary),
}

/// A directory with several caches, one of which is primary: the one that is used when none is named.
///
/// The file `primary` in it holds one line with the name of the primary cache's file. The caches' files begin with `tkt`;
/// nothing else in the directory is a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The directory.
    pub directory: PathBuf,
}

/// One cache of a collection. Its file's name begins with `tkt` and has no `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subsidiary {
    collection: Collection,
    file_name: String,
}

/// Why a text names no cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheNameError {
    /// Nothing there, or nothing behind the type.
    Empty,
    /// A type other than FILE and DIR.
    UnknownType(String),
    /// `DIR::` and a path without a directory, or whose last part does not begin with `tkt`.
    NotSubsidiary(String),
    /// The file `primary` holds no single line with the name of a cache's file.
    BadPrimary,
}

impl Collection {
    /// The collection in `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The file that says which cache is primary; see [`parse_primary`] and [`write_primary`].
    #[must_use]
    pub fn primary_file(&self) -> PathBuf {
        self.directory.join(PRIMARY_FILE)
    }

    /// The cache in the file `file_name` of this directory.
    ///
    /// # Errors
    /// [`CacheNameError::NotSubsidiary`] when that is not the name of a cache's file.
    pub fn subsidiary(&self, file_name: &str) -> Result<Subsidiary, CacheNameError> {
        if is_subsidiary_name(file_name) {
            Ok(Subsidiary {
                collection: self.clone(),
                file_name: file_name.to_owned(),
            })
        } else {
            Err(CacheNameError::NotSubsidiary(file_name.to_owned()))
        }
    }
}

impl Subsidiary {
    /// The collection that it belongs to.
    #[must_use]
    pub const fn collection(&self) -> &Collection {
        &self.collection
    }

    /// The name of its file within the directory.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.collection.directory.join(&self.file_name)
    }
}

/// Whether a file of a collection's directory is a cache: the name begins with `tkt` and is a name, not a path.
#[must_use]
pub fn is_subsidiary_name(file_name: &str) -> bool {
    file_name.starts_with(DEFAULT_PRIMARY)
        && file_name.len() < LONGEST_PRIMARY_LINE
        && !file_name.contains(['/', '\\', '\n', '\0'])
}

/// The name of the primary cache's file, from the content of the file `primary`.
///
/// # Errors
/// [`CacheNameError::BadPrimary`] unless the first line is the name of a cache's file, with the end of the line.
pub fn parse_primary(content: &str) -> Result<&str, CacheNameError> {
    let (line, _) = content.split_once('\n').ok_or(CacheNameError::BadPrimary)?;
    if is_subsidiary_name(line) {
        Ok(line)
    } else {
        Err(CacheNameError::BadPrimary)
    }
}

/// The content of the file `primary` that makes `subsidiary` primary. Write it to a new file of mode 0600 and rename that, so
/// that nobody reads half of it.
#[must_use]
pub fn write_primary(subsidiary: &Subsidiary) -> String {
    format!("{}\n", subsidiary.file_name)
}

impl FromStr for CacheName {
    type Err = CacheNameError;

    /// Reads `FILE:path`, `DIR:path`, `DIR::path/tktNAME` or a path. What begins with `/` is a path even with a colon in it.
    fn from_str(text: &str) -> Result<Self, CacheNameError> {
        let (kind, rest) = match text.split_once(':') {
            Some((kind, rest)) if !text.starts_with('/') => (kind, rest),
            _ => ("FILE", text),
        };
        match (kind, rest) {
            ("FILE" | "DIR", "") => Err(CacheNameError::Empty),
            ("FILE", path) => Ok(Self::File(path.into())),
            ("DIR", rest) => match rest.strip_prefix(':') {
                None => Ok(Self::Collection(Collection::new(rest))),
                Some(path) => {
                    let not_subsidiary = || CacheNameError::NotSubsidiary(path.to_owned());
                    let (directory, file_name) = path.rsplit_once('/').ok_or_else(not_subsidiary)?;
                    let directory = if directory.is_empty() { "/" } else { directory };
                    let subsidiary = Collection::new(directory)
                        .subsidiary(file_name)
                        .map_err(|_| not_subsidiary())?;
                    Ok(Self::Subsidiary(subsidiary))
                }
            },
            (other, _) => Err(CacheNameError::UnknownType(other.to_owned())),
        }
    }
}

/// As [`CacheName::from_str`] reads it, always with the type.
impl fmt::Display for CacheName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path): (_, &Path) = match self {
            Self::File(path) => ("FILE:", path),
            Self::Collection(collection) => ("DIR:", &collection.directory),
            Self::Subsidiary(subsidiary) => ("DIR::", &subsidiary.path()),
        };
        write!(f, "{kind}{}", path.display())
    }
}

impl fmt::Display for CacheNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the credential cache's name is empty"),
            Self::UnknownType(kind) => write!(
                f,
                "credential caches of type {kind} are not supported; use FILE:path or DIR:directory"
            ),
            Self::NotSubsidiary(name) => write!(
                f,
                "{name} is no cache of a directory's collection; write DIR::directory/tktNAME"
            ),
            Self::BadPrimary => f.write_str(
                "the collection's file \"primary\" does not hold the name of a cache; switch to a cache to write it anew",
            ),
        }
    }
}

impl core::error::Error for CacheNameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, written) in [
            ("/tmp/krb5cc_1000", "FILE:/tmp/krb5cc_1000"),
            ("FILE:/tmp/krb5cc_1000", "FILE:/tmp/krb5cc_1000"),
            ("krb5cc", "FILE:krb5cc"),
            ("/tmp/a:b", "FILE:/tmp/a:b"),
            ("FILE:a:b", "FILE:a:b"),
            ("DIR:/run/user/1000/krb5cc", "DIR:/run/user/1000/krb5cc"),
            ("DIR::/run/user/1000/krb5cc/tktabc", "DIR::/run/user/1000/krb5cc/tktabc"),
            ("DIR::/tkt", "DIR::/tkt"),
        ] {
            let name: CacheName = text.parse().unwrap();
            assert_eq!(name.to_string(), written);
            assert_eq!(written.parse(), Ok(name));
        }
    }

    #[test]
    fn what_names_no_cache_is_refused() {
        let unknown = |kind: &str| CacheNameError::UnknownType(kind.into());
        let stray = |path: &str| CacheNameError::NotSubsidiary(path.into());
        for (text, error) in [
            ("", CacheNameError::Empty),
            ("FILE:", CacheNameError::Empty),
            ("DIR:", CacheNameError::Empty),
            ("DIR::", stray("")),
            ("DIR::tktabc", stray("tktabc")),
            ("DIR::/run/primary", stray("/run/primary")),
            ("DIR::/run/", stray("/run/")),
            ("KEYRING:persistent:1000", unknown("KEYRING")),
            ("KCM:", unknown("KCM")),
            ("file:/tmp/x", unknown("file")),
        ] {
            assert_eq!(text.parse::<CacheName>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_collection_knows_its_files() {
        let collection = Collection::new("/run/cc");
        assert_eq!(collection.primary_file(), Path::new("/run/cc/primary"));
        let cache = collection.subsidiary("tktX").unwrap();
        assert_eq!(
            (cache.path(), cache.collection()),
            (PathBuf::from("/run/cc/tktX"), &collection)
        );
        assert_eq!(write_primary(&cache), "tktX\n");
        assert_eq!(parse_primary(&write_primary(&cache)), Ok("tktX"));
        assert!(collection.subsidiary(DEFAULT_PRIMARY).is_ok());
    }

    #[test]
    fn a_primary_file_that_names_no_cache_is_refused() {
        let long = format!("tkt{}\n", "x".repeat(60));
        for content in [
            "",
            "tkt",
            "primary\n",
            "tkt/../../etc/passwd\n",
            "../tkt\n",
            "tkt\\x\n",
            "\ntkt\n",
            &long,
        ] {
            assert_eq!(parse_primary(content), Err(CacheNameError::BadPrimary), "{content:?}");
        }
        assert_eq!(parse_primary("tktA\ntktB\n"), Ok("tktA"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written(text in "(FILE:|DIR:|DIR::)?[/a-z:]{0,12}(/tkt[a-z:]{0,3})?") {
            if let Ok(name) = text.parse::<CacheName>() {
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }
    }
}
