//! Handshakes: both sides on one core, bytes handed over in memory, mutual authentication.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clatter::{
    HybridHandshake, HybridHandshakeParams, NqHandshake,
    crypto::{cipher::ChaChaPoly, dh::X25519, hash::Sha256, kem::pqclean_ml_kem::MlKem768},
    handshakepattern::{noise_hybrid_xx, noise_xx},
    traits::{Cipher, Dh, Handshaker, Hash, Kem},
};
use duologue::{
    Config, Origin, Provider, PublicKey, Suite,
    proto::{Channel, Handshake, Step},
};
use rustls::{ClientConnection, NamedGroup, ServerConnection};

use crate::{
    clock::Stopwatch,
    peer::{Keys, Peer},
    run::{Better, Entry, Plan, Results, entry},
    snow_end::Engine,
    talk::{self, Threads},
    tls::{self, Choice, Tls},
    wire::Kind,
};

/// How often a handshake can be made in a second.
fn rate(plan: Plan, mut handshake: impl FnMut()) -> f64 {
    let time = Duration::from_millis(plan.amount(200, 60) as u64);
    let start = Stopwatch::start();
    let mut count = 0_u32;
    while start.elapsed() < time {
        handshake();
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// Takes steps as far as the input goes.
fn advance(
    mut handshake: Handshake,
    input: &mut Vec<u8>,
    output: &mut Vec<u8>,
) -> Result<Channel, Handshake> {
    let mut rest = input.as_slice();
    loop {
        match handshake
            .step(&mut rest, output, Instant::now())
            .expect("step")
        {
            Step::NeedInput(next) => {
                let left = rest.len();
                input.drain(..input.len() - left);
                return Err(next);
            }
            Step::Judge(judging) => handshake = judging.accept(output).expect("accepted"),
            Step::Established(channel) => return Ok(channel),
            _ => unreachable!("no other step"),
        }
    }
}

/// Two established channels, made in memory, PARAMS and all.
pub fn channels(alice: &Config, bob: &Config, remote: Option<&PublicKey>) -> (Channel, Channel) {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let one = Handshake::initiator(alice, remote, &mut there).expect("initiator");
    let other = Handshake::responder(bob, Origin::Unknown).expect("responder");
    let Err(other) = advance(other, &mut there, &mut back) else {
        unreachable!("established too early");
    };
    let Err(one) = advance(one, &mut back, &mut there) else {
        unreachable!("established too early");
    };
    let other = advance(other, &mut there, &mut back).expect("established");
    let one = advance(one, &mut back, &mut there).expect("established");
    (one, other)
}

fn rustls(tls: &Tls) {
    let mut client = ClientConnection::new(tls.client.clone(), tls::name()).expect("client");
    let mut server = ServerConnection::new(tls.server.clone()).expect("server");
    let mut bytes = Vec::with_capacity(8 * 1024);
    while client.is_handshaking() || server.is_handshaking() {
        bytes.clear();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("write");
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).expect("read");
            server.process_new_packets().expect("packets");
        }
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("write");
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("read");
            client.process_new_packets().expect("packets");
        }
    }
}

fn snow(engine: Engine, keys: &Keys) {
    let state = |at: usize| {
        let builder = engine.builder("Noise_XX_25519_ChaChaPoly_SHA256");
        let builder = builder.local_private_key(&keys.snow[at]).expect("key");
        let state = if at == 0 {
            builder.build_initiator()
        } else {
            builder.build_responder()
        };
        state.expect("state")
    };
    let (mut alice, mut bob) = (state(0), state(1));
    let (mut message, mut payload) = ([0; 256], [0; 256]);
    for _message in 0..3 {
        let length = alice.write_message(&[], &mut message).expect("message");
        bob.read_message(&message[..length], &mut payload)
            .expect("message");
        (alice, bob) = (bob, alice);
    }
    // Three turns: the initiator stands in `bob` now.
    bob.into_transport_mode().expect("transport");
    alice.into_transport_mode().expect("transport");
}

fn exchange<C: Cipher, H: Hash>(mut alice: impl Handshaker<C, H>, mut bob: impl Handshaker<C, H>) {
    let (mut message, mut payload) = (vec![0; 8 * 1024], vec![0; 8 * 1024]);
    while !(alice.is_finished() && bob.is_finished()) {
        if alice.is_write_turn() {
            let length = alice.write_message(&[], &mut message).expect("message");
            bob.read_message(&message[..length], &mut payload)
                .expect("message");
        } else {
            let length = bob.write_message(&[], &mut message).expect("message");
            alice
                .read_message(&message[..length], &mut payload)
                .expect("message");
        }
    }
    let _transports = (alice.finalize(), bob.finalize());
}

fn ours<'a>(keys: &'a Keys, plan: Plan, entries: &mut Vec<Entry<'a>>) {
    for provider in [Provider::aws_lc(), Provider::portable()] {
        for suite in Suite::ALL {
            for (pattern, remote) in [("XX", None), ("XK", Some(&keys.bob_public))] {
                if pattern == "XK" && provider == Provider::portable() {
                    continue;
                }
                let [alice, bob] = [&keys.alice, &keys.bob]
                    .map(|config| config.clone().suites([suite]).provider(provider));
                let name = format!(
                    "Duologue {} {pattern} {}",
                    provider.name(),
                    suite_name(suite)
                );
                entries.push(entry(name, move || {
                    rate(plan, || drop(channels(&alice, &bob, remote)))
                }));
            }
        }
    }
}

pub fn suite_name(suite: Suite) -> &'static str {
    match suite {
        Suite::ChaChaPoly => "classical ChaCha20",
        Suite::AesGcm => "classical AES",
        Suite::HybridChaChaPoly => "hybrid ChaCha20",
        _ => "hybrid AES",
    }
}

pub fn run(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    let mut entries = Vec::new();
    for (group, name) in [
        (NamedGroup::X25519, "X25519"),
        (NamedGroup::X25519MLKEM768, "X25519MLKEM768"),
    ] {
        let choice = Choice {
            group: Some(group),
            ..Choice::default()
        };
        let (raw, certificates) = (Tls::raw_keys(choice), Tls::certificates(choice));
        entries.push(entry(format!("rustls raw keys {name}"), move || {
            rate(plan, || rustls(&raw))
        }));
        entries.push(entry(format!("rustls certificates {name}"), move || {
            rate(plan, || rustls(&certificates))
        }));
    }
    for (engine, name) in [
        (Engine::Default, "snow XX default"),
        (Engine::Ring, "snow XX ring"),
    ] {
        entries.push(entry(name, move || rate(plan, || snow(engine, keys))));
    }
    let [one, other] = [(), ()].map(|()| X25519::genkey().expect("key"));
    entries.push(entry("clatter XX", move || {
        rate(plan, || {
            let end = |initiator, key| {
                NqHandshake::<X25519, ChaChaPoly, Sha256>::new(
                    noise_xx(),
                    &[],
                    initiator,
                    Some(key),
                    None,
                    None,
                    None,
                )
            };
            exchange(
                end(true, one.clone()).expect("state"),
                end(false, other.clone()).expect("state"),
            );
        })
    }));
    let dh = [(), ()].map(|()| X25519::genkey().expect("key"));
    let kem = [(), ()].map(|()| MlKem768::genkey().expect("key"));
    entries.push(entry("clatter hybrid XX", move || {
        rate(plan, || {
            let end = |at: usize| {
                let params = HybridHandshakeParams::new(noise_hybrid_xx(), at == 0)
                    .with_s(dh[at].clone())
                    .with_s_kem(kem[at].clone());
                HybridHandshake::<X25519, MlKem768, MlKem768, ChaChaPoly, Sha256>::new(params)
            };
            exchange(end(0).expect("state"), end(1).expect("state"));
        })
    }));
    entries.push(entry("libp2p-noise XX (duplex)", move || {
        session_rate(keys, Peer::Libp2pNoise, plan)
    }));
    entries.push(entry(
        "Duologue hybrid AES XK (duplex, sessions)",
        move || session_rate(keys, Peer::Aes, plan),
    ));
    ours(keys, plan, &mut entries);
    results.measure(
        (
            "handshake",
            "both sides, one core",
            "handshakes/s",
            Better::Higher,
        ),
        plan,
        entries,
    );
}

/// Handshakes with their I/O, over a pipe in memory.
fn session_rate(keys: &Arc<Keys>, peer: Peer, plan: Plan) -> f64 {
    let count = plan.amount(200, 50);
    let _warm = talk::between(
        (keys, peer),
        (Kind::Duplex, Threads::One),
        |_end| async {},
        |_end| async {},
    );
    let runtime = talk::runtime();
    runtime.block_on(async {
        let start = Stopwatch::start();
        for _handshake in 0..count {
            let (near, far) = Kind::Duplex.pair();
            let _pair = tokio::join!(
                keys.connect(peer, near.bind()),
                keys.accept(peer, far.bind())
            );
        }
        count as f64 / start.elapsed().as_secs_f64()
    })
}
