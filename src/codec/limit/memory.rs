//! What a value needs on the heap, reckoned before it is there (threat: 110).
//!
//! Nobody tells what a value allocates, but serde shows the types that it is made of: the size of
//! each element before it is read, and of each value that a visitor makes. With the ways in which
//! the collections of the standard library grow, that is enough to know what they will ask for.
//! What is freed on the way is not given back: the reckoning is never below what is held.

use core::{any::type_name, cell::Cell};

use super::{Limits, Reason};

/// How much memory a message may need for each of its bytes.
///
/// Enough for a text without characters (24 bytes for one), and for a vector of numbers of one
/// byte each while it moves to a larger place (24 bytes for one at that moment).
pub const MEMORY_PER_BYTE: usize = 32;

/// How much memory a message may need beyond that for its bytes.
///
/// Short messages need it: where no length is written, the first element of a vector makes room
/// for four.
pub const SPARE_MEMORY: usize = 4096;

/// What the codec itself may hold for each byte: a text that it reads in parts, into a buffer that
/// doubles and moves.
const CODEC_PER_BYTE: usize = 3;

/// And beyond that, for errors of its own.
const CODEC_SPARE: usize = 512;

/// How large an element may be whose size is not known yet and for which room is reserved.
const UNSEEN_ELEMENT: usize = 1024;

/// serde reserves no more than this on a claimed length.
const MOST_RESERVED: usize = 1024 * 1024;

/// How many times at most a message is read: again when room had to be reserved for elements
/// whose size was learned only then.
const MAX_READINGS: usize = 3;

/// How much memory a message of `len` bytes may need.
pub(in crate::codec) const fn most_memory(len: usize) -> usize {
    MEMORY_PER_BYTE
        .saturating_mul(len)
        .saturating_add(SPARE_MEMORY)
}

/// Of that, what the value may need.
const fn most_for_the_value(len: usize) -> usize {
    most_memory(len)
        .saturating_sub(CODEC_PER_BYTE.saturating_mul(len))
        .saturating_sub(CODEC_SPARE)
}

/// What a reading learned for the next one: the sizes of elements.
///
/// `size_hint` is asked before the type of an element is known. A vector whose claimed length is
/// not reserved in full doubles, and may then need three times its size while it moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::codec) struct Lesson {
    /// Up to this sequence, in the order in which they are read, the sizes are known.
    pub(in crate::codec) sequences: usize,
    /// The largest of them.
    pub(in crate::codec) largest: usize,
}

/// Reads once more for each new lesson.
pub(in crate::codec) fn readings<R>(
    mut read: impl FnMut(Lesson) -> R,
    learned: impl Fn(&R) -> Option<Lesson>,
) -> R {
    let mut lesson = Lesson::default();
    for _ in 1..MAX_READINGS {
        let outcome = read(lesson);
        match learned(&outcome) {
            Some(next) if next.sequences > lesson.sequences => lesson = next,
            _ => return outcome,
        }
    }
    read(lesson)
}

/// What the value may still need.
#[derive(Debug)]
pub(super) struct Memory {
    left: Cell<usize>,
    /// How many sequences were begun.
    sequences: Cell<usize>,
    known: Lesson,
    learned: Cell<Lesson>,
}

impl Memory {
    pub(super) const fn new(len: usize, known: Lesson) -> Self {
        Self {
            left: Cell::new(most_for_the_value(len)),
            sequences: Cell::new(0),
            known,
            learned: Cell::new(Lesson {
                sequences: 0,
                largest: 0,
            }),
        }
    }

    pub(super) fn spend(&self, bytes: usize) -> Result<(), Reason> {
        self.replace(0, bytes, Growth::InPlace)
    }

    /// Room of `old` bytes becomes room of `new` bytes.
    fn replace(&self, old: usize, new: usize, growth: Growth) -> Result<(), Reason> {
        let more = new.saturating_sub(old);
        let needed = match growth {
            Growth::InPlace => more,
            Growth::Moves => new,
        };
        let left = self.left.get();
        if needed > left {
            return Err(Reason::TooMuchMemory(self.learned.get()));
        }
        self.left.set(left.saturating_sub(more));
        Ok(())
    }

    fn learn(&self, size: usize) {
        let learned = self.learned.get();
        self.learned.set(Lesson {
            largest: learned.largest.max(size),
            ..learned
        });
    }
}

/// Whether old and new room are held together for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    InPlace,
    Moves,
}

/// The place that has been reckoned for a value that is about to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    size: usize,
    name: &'static str,
}

impl Slot {
    pub(super) fn of<T>() -> Self {
        Self {
            size: size_of::<T>(),
            name: type_name::<T>(),
        }
    }

    /// What a value of type `V` needs outside of this place: itself, if it is behind a pointer.
    ///
    /// What is larger than the place is elsewhere, and a place of a pointer's size may be a `Box`
    /// unless it is of the very type. Types of one name and size differ in nothing that counts.
    pub(super) fn outside<V>(self) -> usize {
        let size = size_of::<V>();
        let may_point = self.size == size_of::<usize>() && self.name != type_name::<V>();
        if size > self.size || may_point {
            size
        } else {
            0
        }
    }
}

/// The size of what a collection holds: of an element, or of a key and its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    bytes: usize,
    align: usize,
}

impl Element {
    pub(super) const fn of<T>() -> Self {
        Self {
            bytes: size_of::<T>(),
            align: align_of::<T>(),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            align: self.align.max(other.align),
        }
    }

    /// One behind another.
    fn stride(self) -> usize {
        round_up(self.bytes, self.align)
    }
}

fn round_up(bytes: usize, align: usize) -> usize {
    bytes.checked_next_multiple_of(align).unwrap_or(usize::MAX)
}

/// How a collection lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One block that doubles: vectors, and all that nobody knows better.
    Vector,
    /// Buckets, an eighth of them empty, and a byte for each.
    Table,
    /// Nodes with room for eleven entries, at least five of them used.
    Tree,
    /// A map of some sort.
    TableOrTree,
}

impl Shape {
    fn of_sequence<C>() -> Self {
        let name = type_name::<C>();
        if name.starts_with("std::collections::hash::") {
            Self::Table
        } else if name.starts_with("alloc::collections::btree::") {
            Self::Tree
        } else {
            Self::Vector
        }
    }

    fn of_map<C>() -> Self {
        match Self::of_sequence::<C>() {
            Self::Vector => Self::TableOrTree,
            known @ (Self::Table | Self::Tree | Self::TableOrTree) => known,
        }
    }

    const fn growth(self) -> Growth {
        match self {
            Self::Vector | Self::Table | Self::TableOrTree => Growth::Moves,
            Self::Tree => Growth::InPlace,
        }
    }

    /// For how many elements there is room, when there must be room for `needed`.
    fn room(self, room: usize, needed: usize, element: Element) -> usize {
        if needed <= room {
            return room;
        }
        match self {
            // As `Vec` does.
            Self::Vector => room.saturating_mul(2).max(needed).max(match element.bytes {
                0 | 1 => 8,
                2..=1024 => 4,
                _ => 1,
            }),
            Self::Table | Self::Tree | Self::TableOrTree => needed,
        }
    }

    /// What so many elements of this size need.
    fn bytes(self, elements: usize, element: Element) -> usize {
        // Elements without bytes are all equal: a set or map of them has one.
        if elements == 0 || element.bytes == 0 {
            return 0;
        }
        match self {
            Self::Vector => elements.saturating_mul(element.bytes),
            Self::Table => table(elements, element),
            Self::Tree => tree(elements, element),
            Self::TableOrTree => table(elements, element).max(tree(elements, element)),
        }
    }

    /// At most what each of many elements needs, beyond [`TABLE_SPARE`].
    const fn reserved(self, size: usize) -> usize {
        match self {
            Self::Vector | Self::Tree => size,
            Self::Table | Self::TableOrTree => size.saturating_add(1).saturating_mul(4),
        }
    }
}

/// A table's last bytes, its alignment, and the buckets that a small one has beyond its need.
const TABLE_SPARE: usize = 64;

/// As `hashbrown` does: a power of two, at most seven eighths of it used.
fn table(elements: usize, element: Element) -> usize {
    let buckets = match elements {
        0..=3 => 4,
        4..=7 => 8,
        _ => elements
            .saturating_mul(8)
            .div_ceil(7)
            .checked_next_power_of_two()
            .unwrap_or(usize::MAX),
    };
    buckets
        .saturating_mul(element.stride().saturating_add(1))
        .saturating_add(TABLE_SPARE)
}

/// As `BTreeMap` does: nodes for eleven, split so that no half has fewer than five; one of each
/// twelve entries moves up.
fn tree(elements: usize, element: Element) -> usize {
    const HEAD: usize = 12;
    const EDGES: usize = 96;
    let leaf = element.bytes.saturating_mul(11).saturating_add(HEAD);
    let leaf = round_up(leaf, element.align.max(align_of::<usize>()));
    if elements <= 11 {
        return leaf;
    }
    let leaves = elements.saturating_add(1).div_euclid(6);
    let inner = leaves.div_euclid(5).saturating_add(1);
    let leaves = leaves.saturating_mul(leaf);
    inner
        .saturating_mul(leaf.saturating_add(EDGES))
        .saturating_add(leaves)
}

/// What one collection holds by our reckoning.
#[derive(Debug)]
pub(super) struct Held {
    shape: Shape,
    /// The how manieth sequence of the message, if it is one: its elements may be known.
    sequence: Option<usize>,
    /// How many elements the collection was told to reserve.
    hint: Cell<Option<usize>>,
    begun: bool,
    elements: usize,
    room: usize,
    bytes: usize,
}

impl Held {
    fn new(shape: Shape, sequence: Option<usize>) -> Self {
        Self {
            shape,
            sequence,
            hint: Cell::new(None),
            begun: false,
            elements: 0,
            room: 0,
            bytes: 0,
        }
    }

    pub(super) fn sequence<C>(limits: &Limits) -> Self {
        let sequences = &limits.memory.sequences;
        sequences.set(sequences.get().saturating_add(1));
        Self::new(Shape::of_sequence::<C>(), Some(sequences.get()))
    }

    pub(super) fn map<C>() -> Self {
        Self::new(Shape::of_map::<C>(), None)
    }

    /// As much of a claimed length as is safe to reserve, the same whenever it is asked.
    pub(super) fn hint(&self, limits: &Limits, claimed: Option<usize>) -> Option<usize> {
        let claimed = claimed?;
        if let Some(hint) = self.hint.get() {
            return Some(hint.min(claimed));
        }
        let Memory {
            left,
            known,
            learned,
            ..
        } = &limits.memory;
        let seen = self.sequence.filter(|at| *at <= known.sequences);
        let size = match seen {
            Some(_) => known.largest.max(1),
            None => UNSEEN_ELEMENT,
        };
        let left = left.get().saturating_sub(TABLE_SPARE);
        let affordable = left.checked_div(self.shape.reserved(size));
        let hint = claimed.min(affordable.unwrap_or(0));
        if let (true, None, Some(sequences)) = (hint < claimed, seen, self.sequence) {
            learned.set(Lesson {
                sequences,
                ..learned.get()
            });
        }
        self.hint.set(Some(hint));
        Some(hint)
    }

    /// Before the first element is read: what was reserved is held from now on.
    pub(super) fn begin(&mut self, limits: &Limits, element: Element) -> Result<(), Reason> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        if self.sequence.is_some() {
            limits.memory.learn(element.bytes);
        }
        let most = MOST_RESERVED.checked_div(element.stride()).unwrap_or(0);
        self.room = self.hint.get().unwrap_or(0).min(most);
        self.hold(limits, self.room, element)
    }

    /// After an element has been read, and before the collection has it.
    pub(super) fn add(&mut self, limits: &Limits, element: Element) -> Result<(), Reason> {
        self.elements = self.elements.saturating_add(1);
        self.room = self.shape.room(self.room, self.elements, element);
        self.hold(limits, self.room, element)
    }

    fn hold(&mut self, limits: &Limits, room: usize, element: Element) -> Result<(), Reason> {
        let bytes = self.shape.bytes(room, element);
        if bytes > self.bytes {
            let growth = self.shape.growth();
            limits.memory.replace(self.bytes, bytes, growth)?;
            self.bytes = bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

    use super::*;

    #[test]
    fn the_collections_of_the_standard_library_are_known() {
        assert_eq!(Shape::of_sequence::<HashSet<u8>>(), Shape::Table);
        assert_eq!(Shape::of_map::<HashMap<u8, String>>(), Shape::Table);
        assert_eq!(Shape::of_sequence::<BTreeSet<u8>>(), Shape::Tree);
        assert_eq!(Shape::of_map::<BTreeMap<u8, String>>(), Shape::Tree);
        assert_eq!(Shape::of_sequence::<Vec<HashSet<u8>>>(), Shape::Vector);
        assert_eq!(Shape::of_sequence::<VecDeque<u8>>(), Shape::Vector);
        assert_eq!(Shape::of_sequence::<BinaryHeap<u8>>(), Shape::Vector);
        let json = serde_json::Map::<String, serde_json::Value>::new();
        assert_eq!(of_value(&json), Shape::TableOrTree);
    }

    fn of_value<C>(_value: &C) -> Shape {
        Shape::of_map::<C>()
    }

    #[test]
    fn a_box_is_outside_of_its_place_and_a_number_is_not() {
        struct Wide([u64; 3]);
        assert_eq!(Slot::of::<u64>().outside::<u64>(), 0);
        assert_eq!(Slot::of::<Box<u64>>().outside::<u64>(), 8);
        assert_eq!(Slot::of::<Box<Wide>>().outside::<Wide>(), 24);
        assert_eq!(Slot::of::<Option<Box<Wide>>>().outside::<Wide>(), 24);
        assert_eq!(Slot::of::<Option<Wide>>().outside::<Wide>(), 0);
        assert_eq!(Wide([0; 3]).0.len(), 3);
    }

    #[test]
    fn a_message_is_read_again_as_long_as_there_is_something_to_learn() {
        let lesson = |sequences| Lesson {
            sequences,
            largest: 1,
        };
        let count = |lessons: &[usize]| {
            let mut lessons = lessons.iter();
            let mut times = 0;
            let read = |_| {
                times += 1;
                lessons.next().copied().map(lesson)
            };
            readings(read, |learned| *learned);
            times
        };
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[0]), 1);
        assert_eq!(count(&[1]), 2);
        assert_eq!(count(&[1, 1]), 2);
        assert_eq!(count(&[1, 2]), MAX_READINGS);
        assert_eq!(count(&[1, 2, 3, 4]), MAX_READINGS);
    }
}
