//! The limits that every codec of ours reads through (threat: 110, 111, 114).
//!
//! [`Limit`] wraps a codec's deserializer; each visitor it hands down is wrapped in a `Watch`,
//! each access the codec hands back in a `Limited…`, so that no way into a nested value is
//! outside. Depth is counted where a visitor is entered, elements where a seed is run: these are
//! the two steps that a codec cannot leave out. Memory is reckoned from the sizes of the types that
//! pass by, before it is needed.

mod access;
mod deserializer;
mod fault;
mod memory;
mod visitor;

use std::cell::Cell;

use serde::de::{self, DeserializeOwned, Deserializer};

pub(super) use deserializer::Limit;
pub(super) use fault::{Fault, Reason};
pub(super) use memory::{Lesson, most_memory, readings};
pub use memory::{MEMORY_PER_BYTE, SPARE_MEMORY};
use memory::{Memory, Slot};

/// How many levels a message may be nested.
///
/// Enough for what people design, and few enough for a small stack.
pub const MAX_DEPTH: usize = 64;

/// How many elements a message may have beyond one for each of its bytes.
///
/// Elements without bytes exist (`Vec<()>`): some are legal, as many as the peer likes are not.
pub const SPARE_ELEMENTS: usize = 4096;

/// How many elements a message of `len` bytes may have.
pub(super) const fn most_elements(len: usize) -> usize {
    len.saturating_add(SPARE_ELEMENTS)
}

/// Reads one value under the limits of a message of `len` bytes.
pub(super) fn decode<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    len: usize,
    lesson: Lesson,
    deserializer: D,
) -> Result<T, Fault<D::Error>> {
    let limits = Limits::new(len, lesson);
    T::deserialize(Limit::new(&limits, Slot::of::<T>(), deserializer)).map_err(|fault| {
        let reason = limits.reason.take();
        reason.map_or(fault, Fault::Ours)
    })
}

/// What is left of each limit while one message is read.
#[derive(Debug)]
pub(super) struct Limits {
    depth: Cell<usize>,
    elements: Cell<usize>,
    memory: Memory,
    /// Our reason, while an error of the codec stands for it on the way up.
    reason: Cell<Option<Reason>>,
}

impl Limits {
    pub(super) const fn new(len: usize, lesson: Lesson) -> Self {
        Self {
            depth: Cell::new(MAX_DEPTH),
            elements: Cell::new(most_elements(len)),
            memory: Memory::new(len, lesson),
            reason: Cell::new(None),
        }
    }

    /// Runs `read` one level deeper.
    fn nested<T, E>(&self, read: impl FnOnce() -> Result<T, Fault<E>>) -> Result<T, Fault<E>> {
        let depth = self.depth.get();
        let Some(below) = depth.checked_sub(1) else {
            return Err(Fault::Ours(Reason::TooDeep));
        };
        self.depth.set(below);
        let outcome = read();
        self.depth.set(depth);
        outcome
    }

    fn count_element(&self) -> Result<(), Reason> {
        let left = self.elements.get().checked_sub(1);
        self.elements.set(left.ok_or(Reason::TooManyElements)?);
        Ok(())
    }

    /// Our fault as an error of the codec.
    ///
    /// The codec's error then travels up as it is: JSON would allocate one for each level. A type
    /// that swallows it leaves the reason behind, at worst as the text of a later error.
    pub(super) fn outward<E: de::Error>(&self, fault: Fault<E>) -> E {
        match fault {
            Fault::Codec(error) => error,
            Fault::Ours(reason) => {
                self.reason.set(Some(reason));
                E::custom("")
            }
        }
    }
}
