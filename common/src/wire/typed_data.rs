use rasn::{AsnType, Decode, Decoder as _, Encode, Encoder as _};

use super::Octets;

/// `TYPED-DATA ::= SEQUENCE SIZE (1..MAX) OF …` (RFC 4120 §5.9.1): what some errors carry as e-data, in place of METHOD-DATA.
pub type TypedData = Vec<TypedDataElement>;

/// One element of [`TypedData`]: `SEQUENCE { data-type [0] Int32, data-value [1] OCTET STRING OPTIONAL }`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct TypedDataElement {
    /// What kind.
    #[rasn(tag(explicit(0)))]
    pub data_type: i32,
    /// What the type says.
    #[rasn(tag(explicit(1)))]
    pub data_value: Option<Octets>,
}
