//! What a message may need in memory: 32 times its length and 4 KiB (threat: 110).
//!
//! Measured is the most that is held at one time, on the thread of the test; a vector that moves holds
//! its old and its new place.
#![cfg(feature = "serde")]

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

use duologue::codec::{Cbor, Codec, DecodeError, Json, MEMORY_PER_BYTE, Postcard, SPARE_MEMORY};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Boxed(Box<Self>),
    Maybe(Option<Box<Self>>),
    Many(Vec<Self>),
    Pair(Box<Self>, Box<Self>),
    Named { left: Box<Self>, right: Box<Self> },
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Nest(Vec<Self>);

/// As many bytes as a struct of this size has in memory.
type Large = [u64; 24];

/// Whether the message is a value; whatever it is, it is within the bound.
fn costs_little<T: DeserializeOwned>(what: &str, codec: &impl Codec, message: &[u8]) -> bool {
    decoded::<T>(what, codec, message).is_ok()
}

fn decoded<T: DeserializeOwned>(
    what: &str,
    codec: &impl Codec,
    message: &[u8],
) -> Result<T, DecodeError> {
    let mut decoded = None;
    let cost = allocation_counter::measure(|| decoded = Some(codec.decode::<T>(message)));
    let (bytes, len) = (cost.bytes_max, message.len());
    let bound = most(len);
    assert!(
        bytes <= bound as u64,
        "{what}: {bytes} bytes for {len}, not {bound}"
    );
    decoded.unwrap()
}

fn most(len: usize) -> usize {
    MEMORY_PER_BYTE * len + SPARE_MEMORY
}

/// Each type, with the smallest messages and with the largest elements.
fn each_costs_little(codec: &impl Codec, message: &[u8]) {
    costs_little::<Vec<()>>("units", codec, message);
    costs_little::<Vec<u8>>("bytes", codec, message);
    costs_little::<String>("text", codec, message);
    costs_little::<Vec<u64>>("numbers", codec, message);
    costs_little::<Vec<String>>("texts", codec, message);
    costs_little::<Vec<Tree>>("trees", codec, message);
    costs_little::<Tree>("tree", codec, message);
    costs_little::<Vec<Vec<Vec<u8>>>>("nested bytes", codec, message);
    costs_little::<Nest>("nest", codec, message);
    costs_little::<Vec<Option<Large>>>("large", codec, message);
    costs_little::<(Vec<Option<u8>>, Vec<Option<Large>>)>("two", codec, message);
    costs_little::<Vec<Option<Box<Large>>>>("boxed", codec, message);
    costs_little::<Vec<Box<u64>>>("small boxes", codec, message);
    costs_little::<Vec<Vec<Large>>>("large in small", codec, message);
    costs_little::<HashMap<u64, ()>>("table", codec, message);
    costs_little::<BTreeMap<u8, Vec<u64>>>("tree map", codec, message);
    costs_little::<Vec<BTreeMap<String, Option<Large>>>>("maps", codec, message);
    costs_little::<Vec<HashMap<u8, Large>>>("tables", codec, message);
    costs_little::<Vec<HashSet<u64>>>("sets", codec, message);
    costs_little::<Vec<BTreeSet<u64>>>("tree sets", codec, message);
    costs_little::<VecDeque<BinaryHeap<u64>>>("queues", codec, message);
    costs_little::<Value>("anything", codec, message);
    costs_little::<IgnoredAny>("skipped", codec, message);
}

fn encoded<T: Serialize + ?Sized>(codec: &impl Codec, value: &T) -> Vec<u8> {
    let mut message = Vec::new();
    codec.encode(value, &mut message).unwrap();
    message
}

/// A claim of `count` elements, and then `body` in place of them.
fn claimed(codec: &impl Codec, count: u64, body: &[u8]) -> Vec<u8> {
    let mut message = encoded(codec, &count);
    message.extend_from_slice(body);
    message
}

#[test]
fn a_claim_in_postcard_costs_little() {
    for count in [100, 1 << 10, 1 << 16, 1 << 20, 1 << 32, 1 << 60, u64::MAX] {
        for body in [0, 10, 100, 1000, 10_000, 100_000] {
            for byte in [0, 1, 2] {
                let message = claimed(&Postcard, count, &vec![byte; body]);
                each_costs_little(&Postcard, &message);
            }
        }
    }
}

#[test]
fn a_claim_in_cbor_costs_little() {
    for kind in [0x5b, 0x7b, 0x9b, 0xbb_u8] {
        for count in [1 << 10, 1 << 16, 1 << 32, 1 << 60, u64::MAX] {
            for times in [1, 10, 1000] {
                let head = [&[kind][..], &u64::to_be_bytes(count)].concat();
                each_costs_little(&Cbor, &head.repeat(times));
                for element in [
                    &b"\xf6"[..],
                    b"\x80",
                    b"\xa0",
                    b"\x60",
                    b"\x01",
                    b"\x81\x01",
                ] {
                    each_costs_little(&Cbor, &[&head, &element.repeat(10 * times)[..]].concat());
                }
            }
        }
    }
}

#[test]
fn depth_costs_little() {
    for deep in [63, 64, 65, 10_000] {
        each_costs_little(&Postcard, &vec![1; deep]);
        for variant in 1..6_u8 {
            each_costs_little(&Postcard, &[variant, 1].repeat(deep));
        }
        each_costs_little(&Cbor, &vec![0x81; deep]);
        each_costs_little(&Cbor, &b"\xa1\x65Boxed".repeat(deep));
        each_costs_little(&Json, &vec![b'['; deep]);
        each_costs_little(&Json, &b"{\"Many\":[".repeat(deep));
        each_costs_little(&Json, &[vec![b'['; deep], vec![b']'; deep]].concat());
    }
}

/// The smallest elements there are, many of them, with a length, with a wrong one and without.
#[test]
fn width_costs_little() {
    for count in (1..40).chain((40..5_000).step_by(331)).chain([60_000]) {
        for element in ["[]", "{}", "null", "\"\"", "1", "[1]", "{\"a\":1}"] {
            let list = vec![element; count].join(",");
            each_costs_little(&Json, format!("[{list}]").as_bytes());
        }
        let entries: Vec<_> = (0..count).map(|n| format!("\"{n}\":[]")).collect();
        each_costs_little(&Json, format!("{{{}}}", entries.join(",")).as_bytes());
        for element in [
            &b"\xf6"[..],
            b"\x80",
            b"\xa0",
            b"\x60",
            b"\x01",
            b"\x81\x01",
        ] {
            let open = [b"\x9f", &element.repeat(count)[..], b"\xff"].concat();
            each_costs_little(&Cbor, &open);
        }
        let numbers: Vec<_> = (0..count as u64).collect();
        let falling: Vec<_> = numbers.iter().rev().copied().collect();
        for numbers in [numbers, falling] {
            let entries: BTreeMap<_, _> = numbers.iter().map(|n| (n, ())).collect();
            each_costs_little(&Postcard, &encoded(&Postcard, &numbers));
            each_costs_little(&Postcard, &encoded(&Postcard, &entries));
            each_costs_little(&Cbor, &encoded(&Cbor, &numbers));
            each_costs_little(&Cbor, &encoded(&Cbor, &entries));
        }
        let lists = vec![[7_u8; 1]; count].concat();
        let lists: Vec<_> = lists.iter().map(|byte| vec![byte]).collect();
        each_costs_little(&Postcard, &encoded(&Postcard, &lists));
    }
}

/// What a recursive type costs most with.
#[test]
fn an_honest_tree_costs_little() {
    let pairs = || Tree::Many((0..300).map(|_| pair()).collect());
    let pair = Tree::Named {
        left: Box::new(Tree::Maybe(Some(Box::new(Tree::Leaf)))),
        right: Box::new(pairs()),
    };
    let wide = Tree::Many((0..30_000).map(|_| Tree::Leaf).collect());
    for tree in [wide, pairs(), pair] {
        for_each(&tree, |valid, _| assert!(valid));
    }
}

/// Runs `check` with whether each codec reads what it has written, and its length.
fn for_each<T: Serialize + DeserializeOwned>(value: &T, check: impl Fn(bool, usize)) {
    fn one<T, C>(value: &T, codec: &C) -> (bool, usize)
    where
        T: Serialize + DeserializeOwned,
        C: Codec,
    {
        let message = encoded(codec, value);
        (costs_little::<T>("honest", codec, &message), message.len())
    }
    for (valid, len) in [one(value, &Postcard), one(value, &Cbor), one(value, &Json)] {
        check(valid, len);
    }
}

#[test]
fn a_vector_of_empty_texts_is_read_at_every_length() {
    for count in (0..600).chain((600..40_000).step_by(1_234)).chain([43_690]) {
        for_each(&vec![String::new(); count], |valid, _| {
            assert!(valid, "{count}")
        });
    }
}

#[test]
fn numbers_of_one_byte_are_read_at_every_length() {
    for count in (0..600).chain((1_000..1_000_000).step_by(99_991)) {
        for_each(&vec![7_u64; count], |valid, _| assert!(valid, "{count}"));
    }
}

#[test]
fn two_dense_vectors_of_different_elements_are_read() {
    let dense = (vec![None::<u64>; 2_000], vec![String::new(); 2_000]);
    for_each(&dense, |valid, _| assert!(valid));
}

#[test]
fn ordinary_collections_are_read() {
    let text = |n: u32| format!("name {n}");
    for count in [0, 1, 3, 11, 12, 100, 1_000, 10_000] {
        for_each(
            &(0..count).map(|n| (n, n)).collect::<BTreeMap<_, _>>(),
            |valid, _| assert!(valid, "{count}"),
        );
        for_each(
            &(0..count)
                .map(|n| (text(n), text(n)))
                .collect::<HashMap<_, _>>(),
            |valid, _| assert!(valid, "{count}"),
        );
        for_each(
            &(0..count)
                .map(|n| (text(n), vec![n]))
                .collect::<BTreeMap<_, _>>(),
            |valid, _| assert!(valid, "{count}"),
        );
        for_each(&(0..count).map(text).collect::<HashSet<_>>(), |valid, _| {
            assert!(valid, "{count}");
        });
        for_each(&(0..count).collect::<VecDeque<_>>(), |valid, _| {
            assert!(valid, "{count}");
        });
        let sets: Vec<_> = (0..count).map(|n| HashSet::from([text(n)])).collect();
        for_each(&sets, |valid, len| assert!(valid, "{count}, {len} bytes"));
    }
}

#[test]
fn a_value_that_needs_more_is_refused_by_name() {
    // 40 bytes for a message of one byte each.
    let message = encoded(&Postcard, &vec![None::<[u64; 4]>; 1_000]);
    let refused = decoded::<Vec<Option<[u64; 4]>>>("large", &Postcard, &message);
    assert_eq!(
        refused,
        Err(DecodeError::TooMuchMemory {
            max: most(message.len())
        })
    );
    let message = encoded(&Postcard, &vec![None::<[u64; 4]>; 80]);
    assert!(costs_little::<Vec<Option<[u64; 4]>>>(
        "large", &Postcard, &message
    ));
    // In a box each has 8, and so has each beside numbers that have bytes.
    let message = encoded(&Postcard, &vec![None::<Box<[u64; 4]>>; 1_000]);
    assert!(costs_little::<Vec<Option<Box<[u64; 4]>>>>(
        "boxed", &Postcard, &message
    ));
    let message = encoded(&Postcard, &vec![Some([1_u64; 4]); 1_000]);
    assert!(costs_little::<Vec<Option<[u64; 4]>>>(
        "large", &Postcard, &message
    ));
}

fn pair() -> Tree {
    Tree::Pair(
        Box::new(Tree::Leaf),
        Box::new(Tree::Many(vec![
            Tree::Leaf,
            Tree::Boxed(Box::new(Tree::Leaf)),
        ])),
    )
}
