//! Two whole cores, their pipes, faults and the clock: the laws of the end (spec: section 6; E-1 to E-15).
//!
//! Input: rekeying limits, then moves of two bytes. The world, its moves and its laws are those of the
//! library's explorer (`tests/explorer`); here the fuzzer searches, guided by coverage. Asserted after
//! each move: nothing is said of the peer's messages or ours that is not so, no honest peer is accused,
//! nothing known is taken back, nothing arrives behind a failure. Asserted at the end: both sides come to
//! one, and without a fault to proof of everything.

use std::time::Duration;

use crate::{
    input::Input,
    moves::Deed,
    world::{World, configs},
};

const MOVES: usize = 250;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = configs().map(|config| {
        let records = 2 + u64::from(input.byte());
        config.rekey_after(
            records,
            1 << (10 + input.choice(20)),
            Duration::from_secs(60),
        )
    });
    let mut world = World::new(&setup);
    let mut path = Vec::new();
    while !input.is_empty() && path.len() < MOVES {
        let step = (input.choice(2), Deed::ALL[input.choice(Deed::ALL.len())]);
        if !world.allows(step) {
            continue;
        }
        path.push(step);
        let played = world.play(step).and_then(|()| world.judge());
        played.unwrap_or_else(|wrong| panic!("{path:?}: {wrong}"));
    }
    let settled = world.settle();
    settled.unwrap_or_else(|wrong| panic!("{path:?}, settled: {wrong}"));
}
