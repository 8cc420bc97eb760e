//! DER as RFC 4120 uses it.

/// One element: tag, minimal length, content.
#[must_use]
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length.try_into().unwrap());
    } else {
        let octets = length.to_be_bytes();
        let significant = &octets[octets.iter().position(|octet| *octet != 0).unwrap()..];
        out.push(0x80 | u8::try_from(significant.len()).unwrap());
        out.extend_from_slice(significant);
    }
    out.extend_from_slice(content);
    out
}

/// `SEQUENCE` of what is already encoded.
#[must_use]
pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// `[n]`, explicit.
#[must_use]
pub fn tagged(n: u8, inner: &[u8]) -> Vec<u8> {
    element(0xa0 | n, inner)
}

/// `[APPLICATION n]`.
#[must_use]
pub fn application(n: u8, inner: &[u8]) -> Vec<u8> {
    element(0x60 | n, inner)
}

/// `INTEGER`.
#[must_use]
pub fn integer(value: i64) -> Vec<u8> {
    let octets = value.to_be_bytes();
    let mut start = 0;
    while start < 7
        && (octets[start] == 0 && octets[start + 1] < 0x80 || octets[start] == 0xff && octets[start + 1] >= 0x80)
    {
        start += 1;
    }
    element(0x02, &octets[start..])
}

/// `OCTET STRING`.
#[must_use]
pub fn octets(value: &[u8]) -> Vec<u8> {
    element(0x04, value)
}

/// `GeneralString`, whatever the octets.
#[must_use]
pub fn string(value: &[u8]) -> Vec<u8> {
    element(0x1b, value)
}

/// `BIT STRING` of 32 bits.
#[must_use]
pub fn bits(value: u32) -> Vec<u8> {
    element(0x03, &[&[0][..], &value.to_be_bytes()].concat())
}

/// `GeneralizedTime`, whole seconds, from seconds since 1970.
#[must_use]
pub fn time(seconds: i64) -> Vec<u8> {
    let (day, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let (y, m, d) = civil(day);
    let text = format!(
        "{y:04}{m:02}{d:02}{:02}{:02}{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    element(0x18, text.as_bytes())
}

/// Days since 1970 to year, month, day (Howard Hinnant's algorithm).
fn civil(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    (yoe + era * 400 + i64::from(m <= 2), m, d)
}

/// Days since 1970 of a date.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (y.div_euclid(400), y.rem_euclid(400));
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// A parsed element: its tag, and its content as it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The first octet.
    pub tag: u8,
    /// What is inside.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads one element that takes up all of `bytes`.
    #[must_use]
    #[track_caller]
    pub fn parse(bytes: &'a [u8]) -> Self {
        let (element, rest) = Self::first(bytes).unwrap_or_else(|| panic!("not DER: {bytes:02x?}"));
        assert!(rest.is_empty(), "{} octets follow", rest.len());
        element
    }

    /// Reads the first element of `bytes`, and gives what follows it.
    #[must_use]
    pub fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = if short < 0x80 {
            (usize::from(short), rest)
        } else {
            let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (
                long.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)),
                rest,
            )
        };
        let (content, after) = rest.split_at_checked(length)?;
        Some((
            Self {
                tag,
                content,
                whole: &bytes[..bytes.len() - after.len()],
            },
            after,
        ))
    }

    /// The elements inside.
    #[must_use]
    #[track_caller]
    pub fn children(self) -> Vec<Self> {
        let mut rest = self.content;
        let mut children = Vec::new();
        while !rest.is_empty() {
            let (child, after) = Self::first(rest).unwrap_or_else(|| panic!("not DER: {rest:02x?}"));
            children.push(child);
            rest = after;
        }
        children
    }

    /// What stands in the context tag `[n]` of this `SEQUENCE`; an application tag around it is skipped.
    #[must_use]
    #[track_caller]
    pub fn optional(self, n: u8) -> Option<Self> {
        let sequence = if self.tag & 0xc0 == 0x40 {
            Self::parse(self.content)
        } else {
            self
        };
        let field = sequence.children().into_iter().find(|child| child.tag == 0xa0 | n)?;
        Some(Self::parse(field.content))
    }

    /// As [`Self::optional`], for a field that must be there.
    #[must_use]
    #[track_caller]
    pub fn field(self, n: u8) -> Self {
        self.optional(n)
            .unwrap_or_else(|| panic!("no [{n}] in {:02x?}", self.whole))
    }

    /// The value of an `INTEGER`.
    #[must_use]
    #[track_caller]
    pub fn integer(self) -> i64 {
        assert_eq!(self.tag, 0x02, "not an INTEGER");
        let negative = self.content[0] >= 0x80;
        self.content.iter().fold(if negative { -1 } else { 0 }, |value, octet| {
            value << 8 | i64::from(*octet)
        })
    }

    /// The first 32 bits of a `BIT STRING`.
    #[must_use]
    #[track_caller]
    pub fn bits(self) -> u32 {
        assert_eq!(self.tag, 0x03, "not a BIT STRING");
        u32::from_be_bytes(self.content[1..5].try_into().unwrap())
    }

    /// The text of a string.
    #[must_use]
    pub fn text(self) -> String {
        String::from_utf8_lossy(self.content).into_owned()
    }

    /// Seconds since 1970 of a `GeneralizedTime`.
    #[must_use]
    #[track_caller]
    pub fn time(self) -> i64 {
        assert_eq!(self.tag, 0x18, "not a GeneralizedTime");
        assert_eq!(self.content.len(), 15, "not in whole seconds: {}", self.text());
        let text = self.text();
        let n = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
        days(n(0, 4), n(4, 6), n(6, 8)) * 86400 + n(8, 10) * 3600 + n(10, 12) * 60 + n(12, 14)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for seconds in [0, 951_782_400, 951_868_799, 1_700_000_000, 4_102_444_800, 2_147_483_648] {
            assert_eq!(Element::parse(&time(seconds)).time(), seconds);
        }
        assert_eq!(Element::parse(&time(1_000_000_000)).text(), "20010909014640Z");
    }

    #[test]
    fn integers_are_minimal() {
        for (value, encoding) in [
            (0, "020100"),
            (127, "02017f"),
            (128, "02020080"),
            (-1, "0201ff"),
            (-128, "020180"),
            (-129, "0202ff7f"),
        ] {
            let hex: String = integer(value).iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(hex, encoding);
            assert_eq!(Element::parse(&integer(value)).integer(), value);
        }
    }
}
