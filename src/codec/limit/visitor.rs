//! The wrapper around a value's visitor: here a level of nesting is entered, and text is weighed.

use core::fmt;

use serde::de::{Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::{
    Fault, Limit, Limits,
    access::{LimitedEnum, LimitedMap, LimitedSeq},
    memory::{Held, Slot},
};

/// A visitor that the codec calls in place of the value's own.
#[derive(Debug)]
pub(super) struct Watch<'l, V> {
    limits: &'l Limits,
    /// How many elements of a sequence the type itself asks for: fields, not the peer's choice.
    fields: usize,
    visitor: V,
}

impl<'l, 'de, V: Visitor<'de>> Watch<'l, V> {
    pub(super) const fn new(limits: &'l Limits, fields: usize, visitor: V) -> Self {
        Self {
            limits,
            fields,
            visitor,
        }
    }

    fn leaf<E: Error>(
        self,
        visit: impl FnOnce(V) -> Result<V::Value, Fault<E>>,
    ) -> Result<V::Value, E> {
        visit(self.visitor).map_err(|fault| self.limits.outward(fault))
    }

    /// A text or bytes, which the value may keep.
    fn copied<E: Error>(
        self,
        len: usize,
        visit: impl FnOnce(V) -> Result<V::Value, Fault<E>>,
    ) -> Result<V::Value, E> {
        let limits = self.limits;
        limits
            .memory
            .spend(len)
            .map_err(|reason| limits.outward(Fault::Ours(reason)))?;
        self.leaf(visit)
    }

    fn nest<E: Error>(
        self,
        visit: impl FnOnce(V) -> Result<V::Value, Fault<E>>,
    ) -> Result<V::Value, E> {
        let limits = self.limits;
        limits
            .nested(|| visit(self.visitor))
            .map_err(|fault| limits.outward(fault))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watch<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_bool(value))
    }

    fn visit_i8<E: Error>(self, value: i8) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_i8(value))
    }

    fn visit_i16<E: Error>(self, value: i16) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_i16(value))
    }

    fn visit_i32<E: Error>(self, value: i32) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_i32(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_i64(value))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_i128(value))
    }

    fn visit_u8<E: Error>(self, value: u8) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_u8(value))
    }

    fn visit_u16<E: Error>(self, value: u16) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_u16(value))
    }

    fn visit_u32<E: Error>(self, value: u32) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_u32(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_u64(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_u128(value))
    }

    fn visit_f32<E: Error>(self, value: f32) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_f32(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_f64(value))
    }

    fn visit_char<E: Error>(self, value: char) -> Result<V::Value, E> {
        self.leaf(|visitor| visitor.visit_char(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.copied(value.len(), |visitor| visitor.visit_str(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.copied(value.len(), |visitor| visitor.visit_borrowed_str(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<V::Value, E> {
        self.copied(value.capacity(), |visitor| visitor.visit_string(value))
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<V::Value, E> {
        self.copied(value.len(), |visitor| visitor.visit_bytes(value))
    }

    fn visit_borrowed_bytes<E: Error>(self, value: &'de [u8]) -> Result<V::Value, E> {
        self.copied(value.len(), |visitor| visitor.visit_borrowed_bytes(value))
    }

    fn visit_byte_buf<E: Error>(self, value: Vec<u8>) -> Result<V::Value, E> {
        self.copied(value.capacity(), |visitor| visitor.visit_byte_buf(value))
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.leaf(V::visit_none)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.leaf(V::visit_unit)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let limits = self.limits;
        let slot = Slot::of::<V::Value>();
        self.nest(|visitor| visitor.visit_some(Limit::new(limits, slot, inner)))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let limits = self.limits;
        let slot = Slot::of::<V::Value>();
        self.nest(|visitor| visitor.visit_newtype_struct(Limit::new(limits, slot, inner)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let held = Held::sequence::<V::Value>(self.limits);
        let mut seq = LimitedSeq::new(self.limits, held, inner).with_fields(self.fields);
        self.nest(|visitor| {
            let value = visitor.visit_seq(&mut seq)?;
            seq.finish()?;
            Ok(value)
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        // The fields of a struct lie in its own place.
        let held = (self.fields == 0).then(Held::map::<V::Value>);
        let mut map = LimitedMap::new(self.limits, held, inner);
        self.nest(|visitor| {
            let value = visitor.visit_map(&mut map)?;
            map.finish()?;
            Ok(value)
        })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let limits = self.limits;
        self.nest(|visitor| visitor.visit_enum(LimitedEnum::new(limits, inner)))
    }
}
