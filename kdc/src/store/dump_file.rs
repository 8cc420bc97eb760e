//! A database as a text file: a copy to keep, to look into, and to make a database of again.
//!
//! Each line is a JSON object:
//! ```text
//! {"tessera-dump":1,"realm":…,"sequence":…,"principals":…,"master-key":{"id":…,"check":…}}
//! {"role":…,"revision":…,…} or {"rule":{…},…}          roles and rules, in the order of their names
//! {"name":…,"id":…,"revision":…,…}                     a principal; in the order of their names
//! {"principals":…,"crc32c":…}                          the checksum, in hexadecimal, of all lines before
//! ```
//! With roles or rules, the first line says `"tessera-dump":2`, and with `"access"` how many: whoever does not know of them
//! must not pass them over. Times are seconds since 1970, octets hexadecimal. Keys are sealed as they are in the database: whoever reads a dump
//! reads no key, and whoever loads it needs the master key.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tessera_common::hexadecimal;
use tessera_common::name::Realm;

use super::atomic_file::AtomicFile;
use super::dump_access::DumpedAccess;
use super::dump_record::DumpedRecord;
use super::error::{OpenError, io_error};
use super::{KeyCheck, Keyring, View};
use crate::realm::principal::PrincipalRecord;

const FORMAT: u32 = 1;
/// With roles or rules of the realm.
const FORMAT_WITH_ACCESS: u32 = 2;
/// Far more than a record's octets can become in text.
const MAX_LINE_OCTETS: u64 = 256 << 10;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    tessera_dump: u32,
    realm: Realm,
    sequence: u64,
    principals: usize,
    /// Roles and rules.
    #[serde(default, skip_serializing_if = "is_zero")]
    access: usize,
    master_key: MasterKeyCheck,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct MasterKeyCheck {
    id: u32,
    check: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Trailer {
    principals: usize,
    crc32c: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Writes a dump, in place of one that is there.
pub(super) fn write(path: &Path, realm: &Realm, check: KeyCheck, view: &View) -> io::Result<()> {
    let mut out = Summed {
        file: AtomicFile::create(path)?,
        checksum: 0,
    };
    let master_key = MasterKeyCheck {
        id: check.master,
        check: hexadecimal::write(&check.value),
    };
    let (sequence, principals) = (view.sequence(), view.len());
    let header = Header {
        tessera_dump: match view.access().is_empty() {
            true => FORMAT,
            false => FORMAT_WITH_ACCESS,
        },
        realm: realm.clone(),
        sequence,
        principals,
        access: view.access().len(),
        master_key,
    };
    out.line(&header)?;
    for record in view.access().iter() {
        out.line(&DumpedAccess::of(record))?;
    }
    for record in view.sorted() {
        out.line(&DumpedRecord::of(&record))?;
    }
    let crc32c = format!("{:08x}", out.checksum);
    out.line(&Trailer { principals, crc32c })?;
    out.file.commit()
}

struct Summed {
    file: AtomicFile,
    checksum: u32,
}

impl Summed {
    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut octets = serde_json::to_vec(line)?;
        octets.push(b'\n');
        self.checksum = crc32c::crc32c_append(self.checksum, &octets);
        self.file.write_all(&octets)
    }
}

/// What a dump says of itself at its beginning.
pub(super) struct DumpFile<'a> {
    path: &'a Path,
    file: BufReader<File>,
    pub(super) realm: Realm,
    pub(super) sequence: u64,
    pub(super) check: KeyCheck,
    principals: usize,
    access: usize,
    checksum: u32,
    line: usize,
}

impl<'a> DumpFile<'a> {
    /// Opens a dump and reads its first line.
    pub(super) fn open(path: &'a Path) -> Result<Self, OpenError> {
        let file = File::open(path).map_err(io_error("open", path))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let octets = next_line(path, &mut file, 1)?;
        let malformed = |why: &str| OpenError::Dump {
            file: path.to_owned(),
            line: 1,
            why: why.to_owned(),
        };
        let header: Header = serde_json::from_slice(&octets)
            .map_err(|error| malformed(&format!("this is not the first line of a dump: {error}")))?;
        if !(FORMAT..=FORMAT_WITH_ACCESS).contains(&header.tessera_dump) {
            return Err(malformed("the dump was written by a newer version of this program"));
        }
        let value = hexadecimal::read(&header.master_key.check).and_then(|octets| octets.as_slice().try_into().ok());
        let value = value.ok_or_else(|| malformed("the master key's check is not 32 hexadecimal digits"))?;
        Ok(Self {
            path,
            file,
            realm: header.realm,
            sequence: header.sequence,
            check: KeyCheck {
                master: header.master_key.id,
                value,
            },
            principals: header.principals,
            access: header.access,
            checksum: crc32c::crc32c(&octets),
            line: 1,
        })
    }

    /// Reads the rest: of each principal what `keep` makes of it. The view is at the dump's sequence number.
    pub(super) fn read(
        mut self,
        keyring: Arc<Keyring>,
        keep: impl Fn(PrincipalRecord) -> Option<PrincipalRecord>,
    ) -> Result<View, OpenError> {
        let mut view = View::empty(keyring);
        for _ in 0..self.access {
            let dumped: DumpedAccess = self.next_record()?;
            let record = dumped.into_record().map_err(|error| self.malformed(error))?;
            self.check_revision(record.revision)?;
            view.restore_access(record).map_err(|error| self.malformed(error))?;
        }
        for _ in 0..self.principals {
            let dumped: DumpedRecord = self.next_record()?;
            let record = dumped.into_record().map_err(|error| self.malformed(error))?;
            self.check_revision(record.revision)?;
            if let Some(record) = keep(record) {
                view.restore_record(&record).map_err(|error| self.malformed(error))?;
            }
        }
        let octets = self.next_line()?;
        let trailer: Trailer = serde_json::from_slice(&octets)
            .map_err(|error| self.malformed(format!("this is not the last line of a dump: {error}")))?;
        if trailer.principals != self.principals || trailer.crc32c != format!("{:08x}", self.checksum) {
            return Err(self.malformed("the dump was altered: the checksum does not fit"));
        }
        if self.file.read(&mut [0]).map_err(io_error("read", self.path))? != 0 {
            return Err(self.malformed("something follows the last line of the dump"));
        }
        view.set_position(self.sequence, 0);
        Ok(view)
    }

    fn next_record<T: DeserializeOwned>(&mut self) -> Result<T, OpenError> {
        let octets = self.next_line()?;
        self.checksum = crc32c::crc32c_append(self.checksum, &octets);
        serde_json::from_slice(&octets).map_err(|error| self.malformed(error))
    }

    fn check_revision(&self, revision: u64) -> Result<(), OpenError> {
        if revision > self.sequence {
            return Err(self.malformed("the revision is greater than the dump's sequence number"));
        }
        Ok(())
    }

    fn next_line(&mut self) -> Result<Vec<u8>, OpenError> {
        self.line += 1;
        next_line(self.path, &mut self.file, self.line)
    }

    fn malformed(&self, why: impl core::fmt::Display) -> OpenError {
        OpenError::Dump {
            file: self.path.to_owned(),
            line: self.line,
            why: why.to_string(),
        }
    }
}

/// A line with its end.
fn next_line(path: &Path, file: &mut BufReader<File>, line: usize) -> Result<Vec<u8>, OpenError> {
    let mut octets = Vec::new();
    file.take(MAX_LINE_OCTETS)
        .read_until(b'\n', &mut octets)
        .map_err(io_error("read", path))?;
    if octets.ends_with(b"\n") {
        return Ok(octets);
    }
    Err(OpenError::Dump {
        file: path.to_owned(),
        line,
        why: "the dump ends here, before its last line".into(),
    })
}
