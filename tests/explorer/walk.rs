//! Long random walks, each repeatable by its seed.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::{
    moves::{Amount, Deed, Fault, Move},
    world::{World, configs},
};

const LENGTH: usize = 200;

/// How often each deed is drawn.
const WEIGHTS: [(Deed, u32); 23] = [
    (Deed::Send, 8),
    (Deed::Feed, 6),
    (Deed::Large, 2),
    (Deed::Discard, 2),
    (Deed::Flush(Amount::One), 2),
    (Deed::Flush(Amount::Half), 4),
    (Deed::Flush(Amount::All), 14),
    (Deed::Read(Amount::One), 2),
    (Deed::Read(Amount::Half), 4),
    (Deed::Read(Amount::All), 14),
    (Deed::Recv, 14),
    (Deed::Rekey, 3),
    (Deed::Ping, 10),
    (Deed::Request, 5),
    (Deed::Tick, 1),
    // From here on, what leads to an end.
    (Deed::Finish, 1),
    (Deed::Stop, 1),
    (Deed::Close, 1),
    (Deed::Abort, 1),
    (Deed::Drop, 1),
    (Deed::Fault(Fault::Eof), 1),
    (Deed::Fault(Fault::Cut), 1),
    (Deed::Fault(Fault::Change), 1),
];
const HARMLESS: usize = 15;

pub(crate) fn walks() {
    let seed = std::env::var("DUOLOGUE_SEED").ok();
    let long = std::env::var_os("DUOLOGUE_LONG").is_some();
    let seeds = match seed.map(|seed| seed.parse().unwrap()) {
        Some(seed) => seed..=seed,
        None if long => 0..=100_000_u64,
        None => 0..=2_000,
    };
    let (start, mut steps) = (Instant::now(), 0);
    for seed in seeds.clone() {
        steps += walk(seed);
    }
    eprintln!(
        "{seeds:?}: {steps} moves, all laws kept, {:?}",
        start.elapsed()
    );
}

fn walk(seed: u64) -> usize {
    let mut rng = Rng::with_seed(seed);
    let setup = configs().map(|config| {
        let records = rng.u64(2..40);
        config.rekey_after(records, 1 << rng.u32(10..30), Duration::from_secs(60))
    });
    let mut world = World::new(&setup);
    // Where both talk on, more can go wrong with talking.
    let talkative = rng.bool();
    // Each walk has likes and dislikes of its own.
    let weights = WEIGHTS.map(|(deed, weight)| (deed, weight * [0, 1, 1, 4][rng.usize(..4)]));
    let mut path = Vec::new();
    for at in 0..LENGTH {
        let harmless = talkative && at < LENGTH * 3 / 4 || rng.u8(..) < 200;
        let drawn = if harmless { HARMLESS } else { weights.len() };
        let Some(step) = draw(&world, &mut rng, &weights[..drawn]) else {
            break;
        };
        path.push(step);
        let played = world.play(step).and_then(|()| world.judge());
        played.unwrap_or_else(|wrong| panic!("DUOLOGUE_SEED={seed}: {path:?}: {wrong}"));
    }
    let settled = world.settle();
    settled.unwrap_or_else(|wrong| panic!("DUOLOGUE_SEED={seed}: {path:?}, settled: {wrong}"));
    path.len()
}

fn draw(world: &World, rng: &mut Rng, deeds: &[(Deed, u32)]) -> Option<Move> {
    let total: u32 = deeds.iter().map(|(_deed, weight)| weight).sum();
    if total == 0 {
        return None;
    }
    for _try in 0..100 {
        let mut left = rng.u32(..total);
        let chosen = deeds.iter().find(|(_deed, weight)| {
            let hit = left < *weight;
            left = left.saturating_sub(*weight);
            hit
        });
        let step = (rng.usize(..2), chosen.unwrap().0);
        if world.allows(step) {
            return Some(step);
        }
    }
    None
}
