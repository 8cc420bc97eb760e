//! The form in which MIT's releases before 1.7 stashed the master key, and which Heimdal reads, too.

/// The longest key in it, as for MIT's programs.
const MAX_KEY_OCTETS: usize = 1024;

/// The number of the key's enctype, and its octets: the enctype in two octets, the length in four, both in the byte order of the
/// machine that wrote them, and the key. `None`: the file has another form.
pub(super) fn parse(file: &[u8]) -> Option<(i32, &[u8])> {
    let (etype, rest) = file.split_first_chunk::<2>()?;
    let (length, octets) = rest.split_first_chunk::<4>()?;
    let little = (i16::from_le_bytes(*etype), u32::from_le_bytes(*length));
    let big = (i16::from_be_bytes(*etype), u32::from_be_bytes(*length));
    // Read in the wrong order, the length of no key that there is fits.
    let fits = |(_, length): &(i16, u32)| {
        usize::try_from(*length).is_ok_and(|length| (1..=MAX_KEY_OCTETS).contains(&length) && length == octets.len())
    };
    let (etype, _) = [little, big].into_iter().find(fits)?;
    Some((etype.into(), octets))
}
