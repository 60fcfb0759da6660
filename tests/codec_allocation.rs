//! What a hostile message may cost in memory: 32 times its length and 4 KiB (threat: 110).
//!
//! One test in a file of its own: the allocator counts what the whole process does.
#![cfg(feature = "serde")]

use std::alloc::System;
use std::collections::HashMap;

use duologue::codec::{Cbor, Codec, Json, MAX_DEPTH, Postcard};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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

/// Everything that was allocated, freed or not, is within the bound.
fn costs_little<T: DeserializeOwned>(what: &str, codec: &impl Codec, message: &[u8]) -> bool {
    costs::<T>(what, codec, message, 0)
}

/// The same for JSON, which tells no lengths: a vector then begins with room for four, level by
/// level.
fn costs_levels<T: DeserializeOwned>(what: &str, message: &[u8]) {
    let levels = MAX_DEPTH * 4 * size_of::<T>();
    assert!(!costs::<T>(what, &Json, message, levels));
}

fn costs<T: DeserializeOwned>(what: &str, codec: &impl Codec, message: &[u8], more: usize) -> bool {
    let region = Region::new(ALLOCATOR);
    let valid = codec.decode::<T>(message).is_ok();
    let bytes = region.change().bytes_allocated;
    let len = message.len();
    let bound = 32 * len + 4096 + more;
    assert!(
        bytes <= bound,
        "{what}: {bytes} bytes for {len}, not {bound}"
    );
    valid
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

fn claims_in_postcard() {
    for count in [1 << 10, 1 << 20, 1 << 32, 1 << 60, u64::MAX] {
        for body in [0, 10, 100, 10_000] {
            let message = claimed(&Postcard, count, &vec![1; body]);
            costs_little::<Vec<()>>("units", &Postcard, &message);
            costs_little::<Vec<u8>>("bytes", &Postcard, &message);
            costs_little::<String>("text", &Postcard, &message);
            costs_little::<Vec<u64>>("numbers", &Postcard, &message);
            costs_little::<Vec<String>>("texts", &Postcard, &message);
            costs_little::<HashMap<u64, ()>>("map", &Postcard, &message);
            costs_little::<Vec<Tree>>("trees", &Postcard, &message);
            costs_little::<Vec<Vec<Vec<u8>>>>("nested bytes", &Postcard, &message);
            costs_little::<Nest>("nest", &Postcard, &message);
        }
    }
}

fn claims_in_cbor() {
    for kind in [0x5b, 0x7b, 0x9b, 0xbb_u8] {
        for count in [1 << 10, 1 << 32, 1 << 60, u64::MAX] {
            for times in [1, 10, 1000] {
                let head = [&[kind][..], &u64::to_be_bytes(count)].concat();
                let message = head.repeat(times);
                assert!(!costs_little::<IgnoredAny>("skipped", &Cbor, &message));
                assert!(!costs_little::<Nest>("nest", &Cbor, &message));
                assert!(!costs_little::<Vec<()>>("units", &Cbor, &message));
                assert!(!costs_little::<Vec<String>>("texts", &Cbor, &message));
                assert!(!costs_little::<Vec<u8>>("bytes", &Cbor, &message));
                assert!(!costs_little::<String>("text", &Cbor, &message));
                assert!(!costs_little::<Tree>("tree", &Cbor, &message));
            }
        }
    }
}

fn depth_in_each() {
    for deep in [63, 64, 65, 10_000] {
        costs_little::<Nest>("nest", &Postcard, &vec![1; deep]);
        for variant in 1..6_u8 {
            costs_little::<Tree>("tree", &Postcard, &[variant, 1].repeat(deep));
        }
        costs_little::<Nest>("nest", &Cbor, &vec![0x81; deep]);
        costs_little::<IgnoredAny>("skipped", &Cbor, &vec![0x81; deep]);
        costs_little::<Tree>("tree", &Cbor, &b"\xa1\x65Boxed".repeat(deep));
        costs_little::<IgnoredAny>("skipped", &Json, &vec![b'['; deep]);
        costs_levels::<Nest>("nest", &vec![b'['; deep]);
        costs_levels::<Tree>("tree", &b"{\"Many\":[".repeat(deep));
    }
}

/// Valid, wide and with the smallest elements there are: what a recursive type costs most with.
fn width_in_each() {
    let pairs = || Tree::Many((0..300).map(|_| pair()).collect());
    let pair = Tree::Named {
        left: Box::new(Tree::Maybe(Some(Box::new(Tree::Leaf)))),
        right: Box::new(pairs()),
    };
    let wide = Tree::Many((0..30_000).map(|_| Tree::Leaf).collect());
    for tree in [wide, pairs(), pair] {
        assert!(costs_little::<Tree>(
            "tree",
            &Postcard,
            &encoded(&Postcard, &tree)
        ));
        assert!(costs_little::<Tree>("tree", &Cbor, &encoded(&Cbor, &tree)));
        assert!(costs_little::<Tree>("tree", &Json, &encoded(&Json, &tree)));
    }
    let empty = vec![String::new(); 30_000];
    assert!(costs_little::<Vec<String>>(
        "texts",
        &Postcard,
        &encoded(&Postcard, &empty)
    ));
    assert!(costs_little::<Vec<String>>(
        "texts",
        &Cbor,
        &encoded(&Cbor, &empty)
    ));
    assert!(costs_little::<Vec<String>>(
        "texts",
        &Json,
        &encoded(&Json, &empty)
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

#[test]
fn no_message_costs_more_than_32_times_its_length() {
    claims_in_postcard();
    claims_in_cbor();
    depth_in_each();
    width_in_each();
}
