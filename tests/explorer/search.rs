//! Breadth first, each state reached by replaying its moves from a fresh session.

use std::{collections::HashSet, time::Instant};

use crate::{
    moves::{Deed, Move},
    world::{World, configs},
};

/// Plays every sequence of these deeds, up to so many moves; a state seen before is not gone on from.
pub(crate) fn explore(name: &str, deeds: &[Deed], depth: usize) {
    let (start, configs) = (Instant::now(), configs());
    let moves: Vec<Move> = [0, 1]
        .into_iter()
        .flat_map(|side| deeds.iter().map(move |deed| (side, *deed)))
        .collect();
    let allowed = |world: &World| -> Vec<Move> {
        let allowed = moves.iter().copied();
        allowed.filter(|step| world.allows(*step)).collect()
    };
    let fresh = World::new(&configs);
    let mut seen = HashSet::from([fresh.digest()]);
    let mut frontier = vec![(Vec::new(), allowed(&fresh))];
    let mut runs = 0_usize;
    for _level in 0..depth {
        let mut next = Vec::new();
        for (path, steps) in frontier {
            for step in steps {
                let mut longer: Vec<Move> = path.clone();
                longer.push(step);
                runs += 1;
                let mut world = replay(&configs, &longer);
                if seen.insert(world.digest()) {
                    let steps = allowed(&world);
                    let settled = world.settle();
                    settled.unwrap_or_else(|wrong| panic!("{longer:?}, then settled: {wrong}"));
                    next.push((longer, steps));
                }
            }
        }
        frontier = next;
    }
    eprintln!(
        "{name}: {} states of up to {depth} moves, {runs} sessions, {:?}",
        seen.len(),
        start.elapsed()
    );
}

fn replay(configs: &[duologue::Config; 2], path: &[Move]) -> World {
    let mut world = World::new(configs);
    for step in path {
        let played = world.play(*step).and_then(|()| world.judge());
        played.unwrap_or_else(|wrong| panic!("{path:?} at {step:?}: {wrong}"));
    }
    world
}
