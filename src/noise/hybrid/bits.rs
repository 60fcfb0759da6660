//! Any bit of any message, and any other size of it.

use std::env;

use super::{
    super::{Pattern, Provider, Role, Suite, tests::providers},
    Party, SUITES, Stopped,
    double::{Double, Fault},
    first_is_sealed,
};

/// `DUOLOGUE_LONG=1`: every bit with every provider and suite, which takes minutes.
fn long() -> bool {
    env::var_os("DUOLOGUE_LONG").is_some_and(|value| value == "1")
}

/// The portable provider is slow: of its bits, ordinary runs take those apart by a prime.
fn stride(provider: Provider) -> usize {
    if long() || provider != Provider::portable() {
        1
    } else {
        61
    }
}

/// Flips each bit of each message in a handshake of its own; gives how many there were.
fn flip_bits(party: &Party, provider: Provider) -> usize {
    let sizes = party.pattern.message_sizes(party.suite);
    let mut flipped = 0;
    for (place, size) in sizes.into_iter().enumerate() {
        for bit in (0..size * 8).step_by(stride(provider)) {
            let run = party.run([provider; 2], |turn, message| {
                if turn == place {
                    message[bit / 8] ^= 1 << (bit % 8);
                }
            });
            let stopped = run.map(|_sides| ()).unwrap_err();
            let expected = if place == 0 && !first_is_sealed(party.pattern) {
                // An encapsulation key may have left its range; if not, the transcripts differ.
                stopped == Stopped::writing(1) || stopped == Stopped::reading(1)
            } else {
                stopped == Stopped::reading(place)
            };
            assert!(
                expected,
                "{party:?}, message {place}, bit {bit}: {stopped:?}"
            );
            flipped += 1;
        }
    }
    flipped
}

/// All providers; every suite in long runs, else the given one.
fn flip_bits_of(pattern: Pattern, suite: Suite) {
    for provider in providers() {
        let suites = SUITES.into_iter().filter(|one| long() || *one == suite);
        for party in suites.map(|suite| Party::new(pattern, suite)) {
            let sizes = pattern.message_sizes(party.suite);
            let bits = |size: usize| (size * 8).div_ceil(stride(provider));
            let all: usize = sizes.into_iter().map(bits).sum();
            assert_eq!(flip_bits(&party, provider), all);
        }
    }
}

#[test]
fn any_bit_flipped_in_xx_ends_the_handshake() {
    flip_bits_of(Pattern::Xx, Suite::HybridAesGcm);
}

#[test]
fn any_bit_flipped_in_xk_ends_the_handshake() {
    flip_bits_of(Pattern::Xk, Suite::HybridChaChaPoly);
}

#[test]
fn any_bit_flipped_in_xx_with_a_psk_ends_the_handshake() {
    flip_bits_of(Pattern::XxPsk0, Suite::HybridChaChaPoly);
}

#[test]
fn any_bit_flipped_in_xk_with_a_psk_ends_the_handshake() {
    flip_bits_of(Pattern::XkPsk0, Suite::HybridAesGcm);
}

#[test]
fn a_handshake_left_alone_is_finished() {
    for provider in providers() {
        for party in Party::all() {
            let sides = party.run([provider; 2], |_turn, _message| ()).unwrap();
            let [left, right] = sides.map(|side| side.finish().unwrap());
            assert_eq!(left.2, right.2, "{party:?}");
        }
    }
}

#[test] // spec: H-3
fn a_message_of_another_size_is_refused_where_it_is_read() {
    for provider in providers() {
        for party in Party::all() {
            for (place, size) in party
                .pattern
                .message_sizes(party.suite)
                .into_iter()
                .enumerate()
            {
                for other in [0, 1, size - 17, size - 16, size - 1, size + 1, size + 16] {
                    let run = party.run([provider; 2], |turn, message| {
                        if turn == place {
                            message.resize(other, 0);
                        }
                    });
                    let stopped = run.map(|_sides| ()).unwrap_err();
                    assert_eq!(stopped, Stopped::reading(place), "{party:?} {other}");
                }
            }
        }
    }
}

#[test] // spec: H-3
fn a_message_of_another_size_costs_no_key_agreement() {
    for party in Party::all() {
        for (place, size) in party
            .pattern
            .message_sizes(party.suite)
            .into_iter()
            .enumerate()
        {
            for other in [size - 1, size + 1] {
                let sides =
                    [Role::Initiator, Role::Responder].map(|role| Double::new(role, Fault::None));
                // The responder reads the first and the third.
                let reader = sides[1 - place % 2];
                let mut before = 0;
                let run = party.run(sides.map(|side| Provider::of(side)), |turn, message| {
                    if turn == place {
                        before = reader.agreements();
                        message.resize(other, 0);
                    }
                });
                assert!(run.is_err(), "{party:?}, message {place}");
                assert_eq!(reader.agreements(), before, "{party:?}, message {place}");
            }
        }
    }
}

#[test]
fn a_message_of_another_handshake_ends_the_handshake() {
    let provider = Provider::default();
    for party in Party::all() {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let run = party.run([provider; 2], |_turn, message| seen.push(message.clone()));
        assert!(run.is_ok());
        // Each message of that handshake instead of each message of another.
        for place in 0..3 {
            for old in &seen {
                let run = party.run([provider; 2], |turn, message| {
                    if turn == place {
                        message.clone_from(old);
                    }
                });
                assert!(run.is_err(), "{party:?}, message {place}");
            }
        }
    }
}
