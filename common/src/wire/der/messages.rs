//! The types that take the short way. Their fields and tags stand here a second time: one that is missing does not compile,
//! and a tag that is wrong differs from the codec's.

use rasn::types::Any;

use super::super::primitive::{MOST_MICROSECONDS, bits_of, flag_bits, flag_octets};
use super::super::{
    ApReq, AsRep, AsReq, Authenticator, AuthorizationDataElement, Cammac, Checksum, EncAsRepPart, EncKdcRepPart,
    EncTgsRepPart, EncTicketPart, EncryptedData, EncryptionKey, EtypeInfo2Entry, HostAddress, KdcRep, KdcReq,
    KdcReqBody, KerberosString, KrbError, KrbFastArmor, KrbFastArmoredRep, KrbFastArmoredReq, KrbFastFinished,
    KrbFastReq, KrbFastResponse, Kvno, LastReqEntry, Microseconds, Octets, PaData, PaEncTsEnc, PaFxFastReply,
    PaFxFastRequest, PrincipalName, TgsRep, TgsReq, Ticket, TransitedEncoding, UInt32, VerifierMac,
};
use super::{Der, Field as _, Reader, SEQUENCE, Writer, with_header};
use crate::flags::{ApOptions, FastOptions, KdcOptions, TicketFlags};
use crate::time::KerberosTime;

// Writes fields, the last one first.
macro_rules! put_backwards {
    ($value:ident, $out:ident,) => {};
    ($value:ident, $out:ident, $number:literal $field:ident $(, $($later:tt)*)?) => {
        put_backwards!($value, $out, $($($later)*)?);
        $value.$field.put_field(0xa0 | $number, $out);
    };
}

// The fields of a SEQUENCE, each with the number of its explicit tag; before the name, the tag around the SEQUENCE if there
// is one.
macro_rules! sequence {
    ($type:ident { $($number:literal $field:ident),+ $(,)? }) => {
        impl Der for $type {
            const TAG: u8 = SEQUENCE;

            fn length(&self) -> usize {
                0 $(+ self.$field.field_length())+
            }

            fn put(&self, out: &mut Writer<'_>) {
                put_backwards!(self, out, $($number $field),+);
            }

            fn get(content: &[u8]) -> Option<Self> {
                let mut reader = Reader(content);
                let value = Self { $($field: super::Field::get_field(0xa0 | $number, &mut reader)?),+ };
                reader.is_empty().then_some(value)
            }
        }
    };
    ($tag:literal $type:ident { $($number:literal $field:ident),+ $(,)? }) => {
        impl Der for $type {
            const TAG: u8 = $tag;

            fn length(&self) -> usize {
                with_header(0 $(+ self.$field.field_length())+)
            }

            fn put(&self, out: &mut Writer<'_>) {
                let after = out.left();
                put_backwards!(self, out, $($number $field),+);
                out.put_header(SEQUENCE, after - out.left());
            }

            fn get(content: &[u8]) -> Option<Self> {
                let mut outer = Reader(content);
                let mut reader = Reader(outer.value(SEQUENCE)?);
                let value = Self { $($field: super::Field::get_field(0xa0 | $number, &mut reader)?),+ };
                (outer.is_empty() && reader.is_empty()).then_some(value)
            }
        }
    };
}

// A value under one more tag.
macro_rules! under_a_tag {
    ($($tag:literal $type:ident $(:: $variant:ident)? ($inner:ident)),+ $(,)?) => {$(
        impl Der for $type {
            const TAG: u8 = $tag;

            fn length(&self) -> usize {
                let Self $(:: $variant)? (inner) = self;
                inner.whole_length()
            }

            fn put(&self, out: &mut Writer<'_>) {
                let Self $(:: $variant)? (inner) = self;
                inner.put_whole(out);
            }

            fn get(content: &[u8]) -> Option<Self> {
                super::read::<$inner>(content).map(Self $(:: $variant)?)
            }
        }
    )+};
}

under_a_tag!(
    0x6a AsReq(KdcReq),
    0x6c TgsReq(KdcReq),
    0x6b AsRep(KdcRep),
    0x6d TgsRep(KdcRep),
    0x79 EncAsRepPart(EncKdcRepPart),
    0x7a EncTgsRepPart(EncKdcRepPart),
    0xa0 PaFxFastRequest::ArmoredData(KrbFastArmoredReq),
    0xa0 PaFxFastReply::ArmoredData(KrbFastArmoredRep),
);

sequence!(KdcReq { 1 pvno, 2 msg_type, 3 padata, 4 req_body });
sequence!(KdcReqBody {
    0 kdc_options, 1 cname, 2 realm, 3 sname, 4 from, 5 till, 6 rtime, 7 nonce, 8 etype, 9 addresses,
    10 enc_authorization_data, 11 additional_tickets,
});
sequence!(KdcRep { 0 pvno, 1 msg_type, 2 padata, 3 crealm, 4 cname, 5 ticket, 6 enc_part });
sequence!(EncKdcRepPart {
    0 key, 1 last_req, 2 nonce, 3 key_expiration, 4 flags, 5 authtime, 6 starttime, 7 endtime, 8 renew_till, 9 srealm,
    10 sname, 11 caddr, 12 encrypted_pa_data,
});
sequence!(LastReqEntry { 0 lr_type, 1 lr_value });
sequence!(0x61 Ticket { 0 tkt_vno, 1 realm, 2 sname, 3 enc_part });
sequence!(0x63 EncTicketPart {
    0 flags, 1 key, 2 crealm, 3 cname, 4 transited, 5 authtime, 6 starttime, 7 endtime, 8 renew_till, 9 caddr,
    10 authorization_data,
});
sequence!(TransitedEncoding { 0 tr_type, 1 contents });
sequence!(0x6e ApReq { 0 pvno, 1 msg_type, 2 ap_options, 3 ticket, 4 authenticator });
sequence!(0x62 Authenticator {
    0 authenticator_vno, 1 crealm, 2 cname, 3 cksum, 4 cusec, 5 ctime, 6 subkey, 7 seq_number, 8 authorization_data,
});
sequence!(0x7e KrbError {
    0 pvno, 1 msg_type, 2 ctime, 3 cusec, 4 stime, 5 susec, 6 error_code, 7 crealm, 8 cname, 9 realm, 10 sname,
    11 e_text, 12 e_data,
});
sequence!(EncryptedData { 0 etype, 1 kvno, 2 cipher });
sequence!(EncryptionKey { 0 keytype, 1 keyvalue });
sequence!(Checksum { 0 cksumtype, 1 checksum });
sequence!(PrincipalName { 0 name_type, 1 name_string });
sequence!(HostAddress { 0 addr_type, 1 address });
sequence!(AuthorizationDataElement { 0 ad_type, 1 ad_data });
sequence!(Cammac { 0 elements, 1 kdc_verifier, 2 svc_verifier, 3 other_verifiers });
sequence!(VerifierMac { 0 identifier, 1 kvno, 2 enctype, 3 mac });
sequence!(PaData { 1 padata_type, 2 padata_value });
sequence!(PaEncTsEnc { 0 patimestamp, 1 pausec });
sequence!(EtypeInfo2Entry { 0 etype, 1 salt, 2 s2kparams });
sequence!(KrbFastArmoredReq { 0 armor, 1 req_checksum, 2 enc_fast_req });
sequence!(KrbFastArmor { 0 armor_type, 1 armor_value });
sequence!(KrbFastReq { 0 fast_options, 1 padata, 2 req_body });
sequence!(KrbFastArmoredRep { 0 enc_fast_rep });
sequence!(KrbFastResponse { 0 padata, 1 strengthen_key, 2 finished, 3 nonce });
sequence!(KrbFastFinished { 0 timestamp, 1 usec, 2 crealm, 3 cname, 4 ticket_checksum });

// Strings of octets under a tag: how many, how to write them, and what they are read as.
macro_rules! octets {
    ($($tag:literal $type:ty, |$value:ident| $write:expr, |$octets:ident| $read:expr;)+) => {$(
        impl Der for $type {
            const TAG: u8 = $tag;

            #[inline]
            fn length(&self) -> usize {
                let $value = self;
                $write.len()
            }

            #[inline]
            fn put(&self, out: &mut Writer<'_>) {
                let $value = self;
                out.put(&$write);
            }

            #[inline]
            fn get($octets: &[u8]) -> Option<Self> {
                $read
            }
        }
    )+};
}

octets!(
    0x04 Octets, |value| value.0, |octets| Some(Self(octets.to_vec()));
    0x1b KerberosString, |value| value.as_bytes(), |octets| Some(octets.into());
);

// The same, of a number of octets that is always the same.
macro_rules! fixed {
    ($($tag:literal $length:literal $type:ty, |$value:ident| $write:expr, |$octets:ident| $read:expr;)+) => {$(
        impl Der for $type {
            const TAG: u8 = $tag;

            #[inline]
            fn length(&self) -> usize {
                $length
            }

            #[inline]
            fn put(&self, out: &mut Writer<'_>) {
                let $value = self;
                let octets: [u8; $length] = $write;
                out.put(&octets);
            }

            #[inline]
            fn get($octets: &[u8]) -> Option<Self> {
                $read
            }
        }
    )+};
}

fixed!(
    0x18 15 KerberosTime, |value| value.to_wire(), |octets| Self::from_wire(octets);
    0x03 5 KdcOptions, |value| flag_octets(value.0), |octets| flag_bits(octets).map(Self);
    0x03 5 TicketFlags, |value| flag_octets(value.0), |octets| flag_bits(octets).map(Self);
    0x03 5 ApOptions, |value| flag_octets(value.0), |octets| flag_bits(octets).map(Self);
    0x03 5 FastOptions, |value| flag_octets(value.0), |octets| flag_bits(octets).map(Self);
);

// Numbers, by way of one that holds them all.
macro_rules! integer {
    ($($type:ty, |$value:ident| $write:expr, |$number:ident| $read:expr;)+) => {$(
        impl Der for $type {
            const TAG: u8 = 0x02;

            #[inline]
            fn length(&self) -> usize {
                let $value = self;
                integer_length($write)
            }

            #[inline]
            fn put(&self, out: &mut Writer<'_>) {
                let $value = self;
                let number: i64 = $write;
                let octets = number.to_be_bytes();
                let leading = octets.len() - integer_length(number);
                out.put(octets.get(leading..).unwrap_or_default());
            }

            #[inline]
            fn get(content: &[u8]) -> Option<Self> {
                let $number = integer(content)?;
                $read
            }
        }
    )+};
}

integer!(
    i32, |value| i64::from(*value), |number| Self::try_from(number).ok();
    UInt32, |value| i64::from(value.0), |number| bits_of(number).map(Self);
    Kvno, |value| i64::from(value.0.cast_signed()), |number| bits_of(number).map(Self);
    Microseconds, |value| i64::from(value.0),
        |number| u32::try_from(number).ok().filter(|n| *n <= MOST_MICROSECONDS).map(Self);
);

// Two's complement in as few octets as hold the sign, too.
#[inline]
const fn integer_length(number: i64) -> usize {
    let significant = i64::BITS - (number ^ number >> 63).leading_zeros();
    significant as usize / 8 + 1
}

#[inline]
fn integer(content: &[u8]) -> Option<i64> {
    let negative = content.first()? & 0x80 != 0;
    if content.len() > 5 {
        return None;
    }
    let sign = if negative { -1 } else { 0 };
    Some(content.iter().fold(sign, |n, octet| n << 8 | i64::from(*octet)))
}

/// The bit of a tag that says that there are values inside.
const CONSTRUCTED: u8 = 0x20;

// Kept as received, tag and length with it.
impl Der for Any {
    // Never looked at: it is whatever the octets say.
    const TAG: u8 = 0;

    fn length(&self) -> usize {
        self.as_bytes().len()
    }

    fn put(&self, out: &mut Writer<'_>) {
        out.put(self.as_bytes());
    }

    fn get(content: &[u8]) -> Option<Self> {
        Some(Self::new(content.to_vec()))
    }

    fn whole_length(&self) -> usize {
        self.length()
    }

    fn put_whole(&self, out: &mut Writer<'_>) {
        self.put(out);
    }

    fn get_whole(from: &mut Reader<'_>) -> Option<Self> {
        let before = from.0;
        let (tag, _) = from.any_value()?;
        // A tag number over 30, or no tag at all: number 0 of the universal class, be it called constructed or not.
        if tag & 0x1f == 0x1f || tag & !CONSTRUCTED == 0 {
            return None;
        }
        Self::get(before.get(..before.len() - from.0.len())?)
    }
}

/// `UTF8String`.
impl Der for String {
    const TAG: u8 = 0x0c;

    fn length(&self) -> usize {
        self.len()
    }

    fn put(&self, out: &mut Writer<'_>) {
        out.put(self.as_bytes());
    }

    fn get(content: &[u8]) -> Option<Self> {
        core::str::from_utf8(content).ok().map(str::to_owned)
    }
}
