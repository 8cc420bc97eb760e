use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use tessera_common::ccache::{
    CacheName, Collection, CredentialCache, DEFAULT_PRIMARY, Subsidiary, parse_primary, write_primary,
};
use tessera_common::name::Principal;

use super::replace::{create_new, random_suffix};
use super::{CacheError, CacheFile, replace_file};

/// The cache that a name leads to; in a collection, the primary one. A collection's directory is made if it is missing, but not
/// its parents.
///
/// # Errors
/// [`CacheError::Io`] when the directory cannot be made or read, [`CacheError::Name`] when its file `primary` names no cache.
pub fn open(name: &CacheName) -> Result<CacheFile, CacheError> {
    match name {
        CacheName::File(path) => Ok(CacheFile::new(name.clone(), path.clone())),
        CacheName::Subsidiary(subsidiary) => {
            make_directory(&subsidiary.collection().directory)?;
            Ok(file_of(subsidiary))
        }
        CacheName::Collection(collection) => {
            make_directory(&collection.directory)?;
            Ok(file_of(&primary(collection)?))
        }
    }
}

/// Every cache that a name leads to: one for a file; for a collection all that are there, the primary one first.
///
/// # Errors
/// As [`open`].
pub fn all(name: &CacheName) -> Result<Vec<CacheFile>, CacheError> {
    let CacheName::Collection(collection) = name else {
        let cache = open(name)?;
        return Ok(if cache.path().exists() { vec![cache] } else { Vec::new() });
    };
    let primary = open(name)?;
    let failed = |source| CacheError::Io {
        what: "cannot read",
        path: collection.directory.clone(),
        source,
    };
    let mut caches = Vec::new();
    for found in fs::read_dir(&collection.directory).map_err(failed)? {
        let file_name = found.map_err(failed)?.file_name();
        let subsidiary = file_name
            .to_str()
            .and_then(|file_name| collection.subsidiary(file_name).ok());
        caches.extend(
            subsidiary
                .map(|subsidiary| file_of(&subsidiary))
                .filter(|cache| *cache != primary),
        );
    }
    if primary.path().exists() {
        caches.insert(0, primary);
    }
    Ok(caches)
}

/// The cache of `principal` among [`all`].
///
/// # Errors
/// [`CacheError::NoneOf`] when there is none; as [`open`].
pub fn by_principal(name: &CacheName, principal: &Principal) -> Result<CacheFile, CacheError> {
    all(name)?
        .into_iter()
        .find(|cache| {
            cache
                .load()
                .is_ok_and(|content: CredentialCache| content.principal == *principal)
        })
        .ok_or_else(|| CacheError::NoneOf(principal.clone()))
}

/// A new cache in a collection, under a name that nobody uses. Its file is there, and empty.
///
/// # Errors
/// [`CacheError::NoCollection`] for the name of a single file; [`CacheError::Io`].
pub fn new_in(name: &CacheName) -> Result<CacheFile, CacheError> {
    let CacheName::Collection(collection) = name else {
        return Err(CacheError::NoCollection);
    };
    make_directory(&collection.directory)?;
    loop {
        let failed = |source| CacheError::Io {
            what: "cannot make a cache in",
            path: collection.directory.clone(),
            source,
        };
        let file_name = format!("{DEFAULT_PRIMARY}{}", random_suffix().map_err(failed)?);
        let cache = file_of(&collection.subsidiary(&file_name)?);
        match create_new(cache.path()) {
            Ok(_) => return Ok(cache),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

/// Makes a cache the primary one of its collection.
///
/// # Errors
/// [`CacheError::NoCollection`] for a cache that is in none; [`CacheError::Io`].
pub fn make_primary(cache: &CacheFile) -> Result<(), CacheError> {
    let CacheName::Subsidiary(subsidiary) = cache.name() else {
        return Err(CacheError::NoCollection);
    };
    let path = subsidiary.collection().primary_file();
    replace_file(&path, write_primary(subsidiary).as_bytes()).map_err(|source| CacheError::Io {
        what: "cannot write",
        path,
        source,
    })
}

fn primary(collection: &Collection) -> Result<Subsidiary, CacheError> {
    let path = collection.primary_file();
    match fs::read_to_string(&path) {
        Ok(content) => Ok(collection.subsidiary(parse_primary(&content)?)?),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let primary = collection.subsidiary(DEFAULT_PRIMARY)?;
            make_primary(&file_of(&primary))?;
            Ok(primary)
        }
        Err(source) => Err(CacheError::Io {
            what: "cannot read",
            path,
            source,
        }),
    }
}

fn file_of(subsidiary: &Subsidiary) -> CacheFile {
    CacheFile::new(CacheName::Subsidiary(subsidiary.clone()), subsidiary.path())
}

fn make_directory(directory: &Path) -> Result<(), CacheError> {
    let failed = |source| CacheError::Io {
        what: "cannot make the cache directory",
        path: directory.to_owned(),
        source,
    };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(failed(e)),
        _ if directory.is_dir() => Ok(()),
        _ => Err(failed(ErrorKind::NotADirectory.into())),
    }
}

#[cfg(test)]
mod tests {
    use tessera_common::name::name_type;

    use super::*;

    fn store(cache: &CacheFile, principal: &str) {
        cache
            .store(&CredentialCache::new(principal.parse().unwrap(), name_type::PRINCIPAL))
            .unwrap();
    }

    #[test]
    fn a_collection_keeps_one_cache_for_each_principal() {
        let directory = tempfile::tempdir().unwrap();
        let name: CacheName = format!("DIR:{}/cc", directory.path().display()).parse().unwrap();
        let first = open(&name).unwrap();
        assert_eq!(first.path(), directory.path().join("cc/tkt"));
        assert!(all(&name).unwrap().is_empty());
        store(&first, "alice@R");
        let second = new_in(&name).unwrap();
        store(&second, "bob@R");
        assert_eq!(by_principal(&name, &"bob@R".parse().unwrap()).unwrap(), second);
        assert_eq!(open(&name).unwrap(), first);
        make_primary(&second).unwrap();
        assert_eq!(open(&name).unwrap(), second);
        assert_eq!(all(&name).unwrap(), [second.clone(), first]);
        assert_eq!(open(second.name()).unwrap(), second);
        assert!(matches!(
            by_principal(&name, &"eve@R".parse().unwrap()),
            Err(CacheError::NoneOf(_))
        ));
    }

    #[test]
    fn a_single_file_is_no_collection() {
        let directory = tempfile::tempdir().unwrap();
        let name: CacheName = format!("FILE:{}/cc", directory.path().display()).parse().unwrap();
        assert!(matches!(new_in(&name), Err(CacheError::NoCollection)));
        assert!(matches!(
            make_primary(&open(&name).unwrap()),
            Err(CacheError::NoCollection)
        ));
        assert!(all(&name).unwrap().is_empty());
        store(&open(&name).unwrap(), "alice@R");
        assert_eq!(all(&name).unwrap().len(), 1);
    }

    #[test]
    fn a_damaged_primary_is_told_and_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let name: CacheName = format!("DIR:{}", directory.path().display()).parse().unwrap();
        fs::write(directory.path().join("primary"), "../etc/passwd\n").unwrap();
        assert!(matches!(open(&name), Err(CacheError::Name(_))));
    }
}
