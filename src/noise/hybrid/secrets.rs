//! Each of the two shared secrets is in the keys: without either, nothing opens.

use super::{
    super::{Exchange, Role},
    Party, Stopped,
    double::{Double, Fault},
};

/// What a finished handshake gives: a sealed record of each direction, and the transcript's hash.
fn keys(sides: [Exchange; 2]) -> [Vec<u8>; 3] {
    let [left, right] = sides.map(|side| side.finish().unwrap());
    let (mut seal_left, mut open_left, hash) = left;
    let (mut seal_right, mut open_right, other_hash) = right;
    assert_eq!(hash, other_hash);
    let [mut first, mut second] = [vec![0; 48], vec![0; 48]];
    seal_left.seal(&mut first).unwrap();
    seal_right.seal(&mut second).unwrap();
    open_right.open(&mut first.clone()).unwrap();
    open_left.open(&mut second.clone()).unwrap();
    [first, second, hash.to_vec()]
}

fn run(party: &Party, left: &Fault, right: &Fault) -> Result<[Vec<u8>; 3], Stopped> {
    let providers = [
        Double::provider(Role::Initiator, left.clone()),
        Double::provider(Role::Responder, right.clone()),
    ];
    party.run(providers, |_turn, _message| ()).map(keys)
}

#[test]
fn fixed_ephemerals_give_the_same_keys_again() {
    for party in Party::all() {
        let once = run(&party, &Fault::None, &Fault::None).unwrap();
        let again = run(&party, &Fault::None, &Fault::None).unwrap();
        assert_eq!(once, again, "{party:?}");
    }
}

#[test]
fn one_side_with_another_secret_of_either_kind_is_never_finished() {
    for party in Party::all() {
        for fault in [Fault::Ee, Fault::Kem] {
            for [left, right] in [[&fault, &Fault::None], [&Fault::None, &fault]] {
                let stopped = run(&party, left, right).unwrap_err();
                assert_eq!(stopped, Stopped::reading(1), "{party:?} {left:?} {right:?}");
            }
        }
    }
}

#[test]
fn both_sides_with_another_secret_of_either_kind_have_other_keys() {
    for party in Party::all() {
        let plain = run(&party, &Fault::None, &Fault::None).unwrap();
        for fault in [Fault::Ee, Fault::Kem] {
            let other = run(&party, &fault, &fault).unwrap();
            for (plain, other) in plain.iter().zip(&other) {
                assert_ne!(plain, other, "{party:?} {fault:?}");
            }
        }
    }
}
