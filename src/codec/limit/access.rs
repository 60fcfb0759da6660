//! The wrappers around what a codec hands to a visitor: here elements are counted and weighed.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{
    Fault, Limit, Limits,
    memory::{Element, Held, Slot},
    visitor::Watch,
};

/// Whether the value that a seed makes is an element by the peer's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Yes,
    No,
}

#[derive(Debug)]
struct LimitedSeed<'l, S> {
    limits: &'l Limits,
    counted: Counted,
    seed: S,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for LimitedSeed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        // Before the element is read: one that reads nothing costs time all the same.
        if self.counted == Counted::Yes {
            self.limits
                .count_element()
                .map_err(|reason| self.limits.outward(Fault::Ours(reason)))?;
        }
        self.seed
            .deserialize(Limit::new(self.limits, Slot::of::<S::Value>(), inner))
            .map_err(|fault| self.limits.outward(fault))
    }
}

/// Sees that there is an element, and leaves it unread.
struct Surplus;

impl<'de> DeserializeSeed<'de> for Surplus {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _inner: D) -> Result<(), D::Error> {
        Ok(())
    }
}

/// The elements of a sequence, a tuple, or a struct without names.
#[derive(Debug)]
pub(super) struct LimitedSeq<'l, A> {
    limits: &'l Limits,
    /// How many elements are fields: of a number that the type sets, and in its own place.
    fields: usize,
    held: Held,
    ended: bool,
    inner: A,
}

impl<'l, 'de, A: SeqAccess<'de>> LimitedSeq<'l, A> {
    pub(super) const fn new(limits: &'l Limits, held: Held, inner: A) -> Self {
        Self {
            limits,
            fields: 0,
            held,
            ended: false,
            inner,
        }
    }

    pub(super) fn with_fields(self, fields: usize) -> Self {
        Self { fields, ..self }
    }

    /// Refuses elements that the value did not want; some codecs would take them for what follows.
    pub(super) fn finish(&mut self) -> Result<(), Fault<A::Error>> {
        if self.ended {
            return Ok(());
        }
        match self.inner.next_element_seed(Surplus) {
            Ok(None) => Ok(()),
            Ok(Some(())) => Err(Fault::invalid_length(0, &"fewer")),
            Err(error) => Err(Fault::Codec(error)),
        }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for LimitedSeq<'_, A> {
    type Error = Fault<A::Error>;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        let counted = match self.fields {
            0 => Counted::Yes,
            _ => Counted::No,
        };
        self.fields = self.fields.saturating_sub(1);
        let kind = Element::of::<S::Value>();
        if counted == Counted::Yes {
            self.held.begin(self.limits, kind).map_err(Fault::Ours)?;
        }
        let element = self
            .inner
            .next_element_seed(LimitedSeed {
                limits: self.limits,
                counted,
                seed,
            })
            .map_err(Fault::Codec)?;
        self.ended = element.is_none();
        if counted == Counted::Yes && !self.ended {
            self.held.add(self.limits, kind).map_err(Fault::Ours)?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        let claimed = self.inner.size_hint();
        match self.fields {
            0 => self.held.hint(self.limits, claimed),
            fields => claimed.map(|claimed| claimed.min(fields)),
        }
    }
}

/// The entries of a map, or of a struct with names.
#[derive(Debug)]
pub(super) struct LimitedMap<'l, A> {
    limits: &'l Limits,
    /// Nothing, if the entries are fields.
    held: Option<Held>,
    /// The last key's size.
    key: Element,
    ended: bool,
    inner: A,
}

impl<'l, 'de, A: MapAccess<'de>> LimitedMap<'l, A> {
    pub(super) const fn new(limits: &'l Limits, held: Option<Held>, inner: A) -> Self {
        Self {
            limits,
            held,
            key: Element::of::<()>(),
            ended: false,
            inner,
        }
    }

    /// Refuses entries that the value did not want, as for sequences.
    pub(super) fn finish(&mut self) -> Result<(), Fault<A::Error>> {
        if self.ended {
            return Ok(());
        }
        match self.inner.next_key_seed(Surplus) {
            Ok(None) => Ok(()),
            Ok(Some(())) => Err(Fault::invalid_length(0, &"fewer")),
            Err(error) => Err(Fault::Codec(error)),
        }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for LimitedMap<'_, A> {
    type Error = Fault<A::Error>;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        let key = self
            .inner
            .next_key_seed(LimitedSeed {
                limits: self.limits,
                counted: Counted::Yes,
                seed,
            })
            .map_err(Fault::Codec)?;
        self.ended = key.is_none();
        self.key = Element::of::<S::Value>();
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Self::Error> {
        let entry = self.key.and(Element::of::<S::Value>());
        if let Some(held) = &mut self.held {
            held.begin(self.limits, entry).map_err(Fault::Ours)?;
        }
        let value = self
            .inner
            .next_value_seed(LimitedSeed {
                limits: self.limits,
                counted: Counted::No,
                seed,
            })
            .map_err(Fault::Codec)?;
        if let Some(held) = &mut self.held {
            held.add(self.limits, entry).map_err(Fault::Ours)?;
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        let held = self.held.as_ref()?;
        held.hint(self.limits, self.inner.size_hint())
    }
}

/// An enum's variant, and then what is in it.
#[derive(Debug)]
pub(super) struct LimitedEnum<'l, A> {
    limits: &'l Limits,
    inner: A,
}

impl<'l, A> LimitedEnum<'l, A> {
    pub(super) const fn new(limits: &'l Limits, inner: A) -> Self {
        Self { limits, inner }
    }
}

impl<'l, 'de, A: EnumAccess<'de>> EnumAccess<'de> for LimitedEnum<'l, A> {
    type Error = Fault<A::Error>;
    type Variant = LimitedEnum<'l, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), Self::Error> {
        let limits = self.limits;
        // Not counted: in each codec a variant has a byte of its own.
        let (variant, inner) = self
            .inner
            .variant_seed(LimitedSeed {
                limits,
                counted: Counted::No,
                seed,
            })
            .map_err(Fault::Codec)?;
        Ok((variant, LimitedEnum { limits, inner }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for LimitedEnum<'_, A> {
    type Error = Fault<A::Error>;

    fn unit_variant(self) -> Result<(), Self::Error> {
        self.inner.unit_variant().map_err(Fault::Codec)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, Self::Error> {
        self.inner
            .newtype_variant_seed(LimitedSeed {
                limits: self.limits,
                counted: Counted::No,
                seed,
            })
            .map_err(Fault::Codec)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.inner
            .tuple_variant(len, Watch::new(self.limits, len, visitor))
            .map_err(Fault::Codec)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.inner
            .struct_variant(fields, Watch::new(self.limits, fields.len(), visitor))
            .map_err(Fault::Codec)
    }
}
