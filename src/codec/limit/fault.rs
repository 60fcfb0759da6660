//! The error type that a value's `Deserialize` sees: it keeps the kind and drops the content.

use core::fmt;

use serde::de::{self, Expected, Unexpected};

use super::Lesson;

/// What stopped the reading.
#[derive(Debug)]
pub(in crate::codec) enum Fault<E> {
    /// A limit, or the type.
    Ours(Reason),
    /// The codec, with an error that may quote the message.
    Codec(E),
}

/// A reason in words that hold nothing of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Reason {
    TooDeep,
    TooManyElements,
    TooMuchMemory(Lesson),
    MissingField(&'static str),
    DuplicateField(&'static str),
    Mismatch(&'static str),
}

impl<E> fmt::Display for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the message is not a value of the type")
    }
}

impl<E: fmt::Debug> std::error::Error for Fault<E> {}

impl<E> Fault<E> {
    const fn mismatch(what: &'static str) -> Self {
        Self::Ours(Reason::Mismatch(what))
    }
}

impl<E: fmt::Debug> de::Error for Fault<E> {
    fn custom<T: fmt::Display>(_text: T) -> Self {
        Self::mismatch("a value that the type refuses")
    }

    fn invalid_type(found: Unexpected<'_>, _expected: &dyn Expected) -> Self {
        Self::mismatch(match found {
            Unexpected::Bool(_) => "unexpected boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "unexpected integer",
            Unexpected::Float(_) => "unexpected floating point number",
            Unexpected::Char(_) => "unexpected character",
            Unexpected::Str(_) => "unexpected text",
            Unexpected::Bytes(_) => "unexpected bytes",
            Unexpected::Unit => "unexpected unit or null",
            Unexpected::Option => "unexpected option",
            Unexpected::NewtypeStruct => "unexpected newtype",
            Unexpected::Seq => "unexpected sequence",
            Unexpected::Map => "unexpected map",
            Unexpected::Enum => "unexpected enum",
            Unexpected::UnitVariant => "unexpected variant without fields",
            Unexpected::NewtypeVariant => "unexpected variant with one field",
            Unexpected::TupleVariant => "unexpected variant with unnamed fields",
            Unexpected::StructVariant => "unexpected variant with named fields",
            Unexpected::Other(_) => "unexpected value",
        })
    }

    fn invalid_value(_found: Unexpected<'_>, _expected: &dyn Expected) -> Self {
        Self::mismatch("a value that the type refuses")
    }

    fn invalid_length(_len: usize, _expected: &dyn Expected) -> Self {
        Self::mismatch("another number of elements")
    }

    fn unknown_variant(_variant: &str, _expected: &'static [&'static str]) -> Self {
        Self::mismatch("a variant that the type lacks")
    }

    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Self::mismatch("a field that the type lacks")
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Ours(Reason::MissingField(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Ours(Reason::DuplicateField(field))
    }
}
