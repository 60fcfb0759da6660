//! The wrapper around a codec's deserializer.

use serde::de::{Deserializer, Visitor};

use super::{Fault, Limits, memory::Slot, visitor::Watch};

/// A codec's deserializer whose values stay within the limits.
#[derive(Debug)]
pub(in crate::codec) struct Limit<'l, D> {
    limits: &'l Limits,
    /// Where the value will lie.
    slot: Slot,
    inner: D,
}

impl<'l, 'de, D: Deserializer<'de>> Limit<'l, D> {
    pub(super) const fn new(limits: &'l Limits, slot: Slot, inner: D) -> Self {
        Self {
            limits,
            slot,
            inner,
        }
    }

    fn read<V: Visitor<'de>>(
        self,
        visitor: V,
        read: impl FnOnce(D, Watch<'l, V>) -> Result<V::Value, D::Error>,
    ) -> Result<V::Value, Fault<D::Error>> {
        self.read_fields(0, visitor, read)
    }

    fn read_fields<V: Visitor<'de>>(
        self,
        fields: usize,
        visitor: V,
        read: impl FnOnce(D, Watch<'l, V>) -> Result<V::Value, D::Error>,
    ) -> Result<V::Value, Fault<D::Error>> {
        let outside = self.slot.outside::<V::Value>();
        self.limits.memory.spend(outside).map_err(Fault::Ours)?;
        read(self.inner, Watch::new(self.limits, fields, visitor)).map_err(Fault::Codec)
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Limit<'_, D> {
    type Error = Fault<D::Error>;

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_any)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_bool)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_i8)
    }

    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_i16)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_i32)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_i64)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_i128)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_u8)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_u16)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_u32)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_u64)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_u128)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_f32)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_f64)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_char)
    }

    // The owned form in both cases: nothing is borrowed, and CBOR lends no more than its buffer.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_string)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_string)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_byte_buf)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_byte_buf)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_option)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_unit)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_seq)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_map)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_identifier)
    }

    // What is skipped is read like all else: a codec that skips by itself would not count.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.read(visitor, D::deserialize_any)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.read(visitor, |inner, watch| {
            inner.deserialize_unit_struct(name, watch)
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.read(visitor, |inner, watch| {
            inner.deserialize_newtype_struct(name, watch)
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.read_fields(len, visitor, |inner, watch| {
            inner.deserialize_tuple(len, watch)
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.read_fields(len, visitor, |inner, watch| {
            inner.deserialize_tuple_struct(name, len, watch)
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.read_fields(fields.len(), visitor, |inner, watch| {
            inner.deserialize_struct(name, fields, watch)
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.read(visitor, |inner, watch| {
            inner.deserialize_enum(name, variants, watch)
        })
    }
}
