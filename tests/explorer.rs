//! Every interleaving of what two processes, their pipes and the clock may do, as deep as time allows.
//!
//! No I/O: two channels, two bounded pipes that may be cut or changed at any byte, and a clock that is
//! turned by hand. In every state the laws of [`laws`] must hold, and from every state the session must
//! come to the end that they demand. `DUOLOGUE_LONG=1` goes deeper; `DUOLOGUE_SEED=n` repeats one walk.

#[path = "explorer/laws.rs"]
mod laws;
#[path = "explorer/moves.rs"]
mod moves;
#[path = "explorer/search.rs"]
mod search;
#[path = "explorer/settle.rs"]
mod settle;
#[path = "explorer/walk.rs"]
mod walk;
#[path = "explorer/world.rs"]
mod world;

use moves::{Amount, Deed, Fault};
use search::explore;

/// One more level where there is time.
fn deeper(depth: usize) -> usize {
    depth + usize::from(std::env::var_os("DUOLOGUE_LONG").is_some())
}

#[test]
fn every_interleaving_of_everything_keeps_the_laws() {
    let all = Deed::ALL;
    explore("everything", &all, deeper(3));
}

#[test]
fn every_interleaving_of_ends_keeps_the_laws() {
    // spec: E-4, E-6, E-8, E-13
    let ends = [
        Deed::Send,
        Deed::Feed,
        Deed::Flush(Amount::All),
        Deed::Read(Amount::All),
        Deed::Recv,
        Deed::Finish,
        Deed::Stop,
    ];
    explore("ends", &ends, deeper(6));
}

#[test]
fn every_interleaving_of_closing_and_faults_keeps_the_laws() {
    // spec: E-9, E-10, E-12
    let faults = [
        Deed::Send,
        Deed::Flush(Amount::All),
        Deed::Flush(Amount::One),
        Deed::Read(Amount::All),
        Deed::Read(Amount::Half),
        Deed::Recv,
        Deed::Close,
        Deed::Abort,
        Deed::Drop,
        Deed::Fault(Fault::Eof),
        Deed::Fault(Fault::Cut),
        Deed::Fault(Fault::Change),
    ];
    explore("faults", &faults, deeper(5));
}

#[test]
fn every_interleaving_of_large_messages_and_control_keeps_the_laws() {
    // spec: T-10, T-15, T-17, T-19
    let control = [
        Deed::Large,
        Deed::Discard,
        Deed::Send,
        Deed::Flush(Amount::All),
        Deed::Read(Amount::All),
        Deed::Recv,
        Deed::Rekey,
        Deed::Ping,
        Deed::Request,
        Deed::Stop,
        Deed::Finish,
    ];
    explore("control", &control, deeper(4));
}

#[test]
fn long_random_walks_keep_the_laws() {
    walk::walks();
}
