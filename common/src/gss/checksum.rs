//! What stands in the place of the authenticator's checksum (RFC 4121 §4.1.1).

use core::fmt;

use super::bindings::ChannelBindings;
use super::context_flags::ContextFlags;
use crate::wire::Checksum;

/// The checksum type that says that it is none.
pub(super) const CKSUMTYPE: i32 = 0x8003;

const BINDINGS_LEN: usize = 16;
// The one delegation option that there is.
const FOR_CREDS: u16 = 1;

/// The fields:
///
/// | octets | name | |
/// |---|---|---|
/// | 0..3 | Lgth | 16 |
/// | 4..19 | Bnd | the bindings' hash, or zeros |
/// | 20..23 | Flags | |
/// | 24..25 | DlgOpt | 1, if Flags has [`ContextFlags::DELEG`] |
/// | 26..27 | Dlgth | the length of Deleg |
/// | 28.. | Deleg | a KRB-CRED |
/// | then | Exts | extensions: type, length and value |
///
/// The lowest octet stands first, but for extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitiatorFields<'a> {
    /// The bindings' hash, if it is not the zeros that stand for none.
    pub(super) bindings: Option<[u8; BINDINGS_LEN]>,
    pub(super) flags: ContextFlags,
    pub(super) delegated: Option<&'a [u8]>,
}

/// Why an authenticator's checksum is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChecksumError {
    /// Shorter than the 24 octets that are always there.
    Short(usize),
    /// Bindings of another length than 16.
    BindingsLength(u32),
    /// A delegation of another kind than a KRB-CRED.
    DelegationOption(u16),
    /// Something in it is longer than what is there.
    Overrun,
}

impl fmt::Display for ChecksumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(length) => write!(f, "it has {length} octets, and 24 are the least"),
            Self::BindingsLength(length) => write!(f, "its channel bindings have {length} octets, not 16"),
            Self::DelegationOption(found) => write!(f, "it delegates in the way {found}, not 1"),
            Self::Overrun => f.write_str("a part of it is longer than the whole"),
        }
    }
}

impl core::error::Error for ChecksumError {}

impl<'a> InitiatorFields<'a> {
    /// Reads them. Extensions are gone through, so that they are known to be whole, and ignored: the only ones that anybody
    /// sends are for IAKERB, which is not offered.
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, ChecksumError> {
        let short = ChecksumError::Short(octets.len());
        let (length, rest) = octets.split_first_chunk().ok_or(short)?;
        let length = u32::from_le_bytes(*length);
        if rest.len() < BINDINGS_LEN + 4 {
            return Err(short);
        }
        if usize::try_from(length) != Ok(BINDINGS_LEN) {
            return Err(ChecksumError::BindingsLength(length));
        }
        let (bindings, rest) = rest.split_first_chunk::<BINDINGS_LEN>().ok_or(short)?;
        let (flags, mut rest) = rest.split_first_chunk().ok_or(short)?;
        let flags = ContextFlags(u32::from_le_bytes(*flags));
        let mut delegated = None;
        // The flag without anything behind it is no delegation, as with MIT: some programs set it in hope.
        if flags.contains(ContextFlags::DELEG)
            && let Some((option, after)) = rest.split_first_chunk()
            && let Some((length, after)) = after.split_first_chunk()
        {
            let (length, option) = (u16::from_le_bytes(*length), u16::from_le_bytes(*option));
            let (credentials, after) = after.split_at_checked(length.into()).ok_or(ChecksumError::Overrun)?;
            if option != FOR_CREDS {
                return Err(ChecksumError::DelegationOption(option));
            }
            delegated = Some(credentials);
            rest = after;
        }
        skip_extensions(rest)?;
        Ok(Self {
            bindings: (*bindings != [0; BINDINGS_LEN]).then_some(*bindings),
            flags,
            delegated,
        })
    }
}

fn skip_extensions(mut rest: &[u8]) -> Result<(), ChecksumError> {
    while !rest.is_empty() {
        let (_, after) = rest.split_first_chunk::<4>().ok_or(ChecksumError::Overrun)?;
        let (length, after) = after.split_first_chunk().ok_or(ChecksumError::Overrun)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| ChecksumError::Overrun)?;
        rest = after.get(length..).ok_or(ChecksumError::Overrun)?;
    }
    Ok(())
}

/// The checksum of an initiator. `delegated`, a KRB-CRED, must be no longer than [`MAX_DELEGATED`], and goes along if the
/// flags say so.
pub(super) fn make(bindings: Option<&ChannelBindings>, flags: ContextFlags, delegated: Option<&[u8]>) -> Checksum {
    let bindings = bindings.map_or([0; BINDINGS_LEN], ChannelBindings::hash);
    let mut octets = Vec::with_capacity(28 + delegated.map_or(0, <[u8]>::len));
    octets.extend_from_slice(&[16, 0, 0, 0]);
    octets.extend_from_slice(&bindings);
    octets.extend_from_slice(&flags.0.to_le_bytes());
    if let Some((credentials, length)) = delegated.and_then(|octets| Some((octets, u16::try_from(octets.len()).ok()?)))
    {
        octets.extend_from_slice(&FOR_CREDS.to_le_bytes());
        octets.extend_from_slice(&length.to_le_bytes());
        octets.extend_from_slice(credentials);
    }
    Checksum {
        cksumtype: CKSUMTYPE,
        checksum: octets.into(),
    }
}

/// The longest KRB-CRED that the field's 16 bits can tell the length of.
pub(super) const MAX_DELEGATED: usize = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_where_rfc_4121_puts_them() {
        let bindings = ChannelBindings::of_application(b"x");
        let flags = ContextFlags::MUTUAL | ContextFlags::DELEG | ContextFlags::DELEG_POLICY;
        let made = make(Some(&bindings), flags, Some(b"credentials"));
        assert_eq!(made.cksumtype, 0x8003);
        let expected = [
            &[16, 0, 0, 0][..],
            &bindings.hash(),
            &[3, 0x80, 0, 0, 1, 0, 11, 0],
            b"credentials",
        ]
        .concat();
        assert_eq!(made.checksum.0, expected);
        let read = InitiatorFields {
            bindings: Some(bindings.hash()),
            flags,
            delegated: Some(b"credentials"),
        };
        assert_eq!(InitiatorFields::parse(&expected), Ok(read));
    }

    #[test]
    fn zeros_are_no_bindings() {
        let octets = make(None, ContextFlags::CONF, None).checksum.0;
        assert_eq!(octets.len(), 24);
        assert_eq!(octets[4..20], [0; 16]);
        assert_eq!(InitiatorFields::parse(&octets).unwrap().bindings, None);
    }

    #[test]
    fn what_is_too_short_or_too_long_is_refused() {
        let whole = make(None, ContextFlags::DELEG, Some(&[7; 9])).checksum.0;
        for cut in 0..24 {
            let error = ChecksumError::Short(cut);
            assert_eq!(InitiatorFields::parse(&whole[..cut]), Err(error), "{cut}");
        }
        // The flag alone delegates nothing.
        assert_eq!(InitiatorFields::parse(&whole[..24]).unwrap().delegated, None);
        for cut in 25..whole.len() {
            assert_eq!(
                InitiatorFields::parse(&whole[..cut]),
                Err(ChecksumError::Overrun),
                "{cut}"
            );
        }
        for length in [0, 15, 17, 0x8000_0000, u32::MAX] {
            let mut other = whole.clone();
            other[..4].copy_from_slice(&length.to_le_bytes());
            assert_eq!(
                InitiatorFields::parse(&other),
                Err(ChecksumError::BindingsLength(length))
            );
        }
        let mut other = whole;
        other[24] = 2;
        assert_eq!(InitiatorFields::parse(&other), Err(ChecksumError::DelegationOption(2)));
    }

    #[test]
    fn whole_extensions_are_passed_over_and_others_refused() {
        let plain = make(None, ContextFlags::CONF, None).checksum.0;
        let delegating = make(None, ContextFlags::DELEG, Some(&[7; 9])).checksum.0;
        let extensions = [0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 9, 0, 0, 0, 0];
        for before in [plain, delegating] {
            let alone = InitiatorFields::parse(&before).unwrap();
            for cut in 0..=extensions.len() {
                let octets = [&before[..], &extensions[..cut]].concat();
                let expected = if [0, 11, 19].contains(&cut) {
                    Ok(alone)
                } else {
                    Err(ChecksumError::Overrun)
                };
                assert_eq!(InitiatorFields::parse(&octets), expected, "{cut}");
            }
        }
    }
}
