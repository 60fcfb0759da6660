//! The record layer alone: seal, hand over in memory (one copy), open.

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Instant,
};

use aws_lc_rs::aead::{
    AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use duologue::{
    Provider, Suite,
    proto::{Channel, Offered, Progress},
};
use rustls::{CipherSuite, ClientConnection, ServerConnection};

use super::handshake::{channels, suite_name};
use crate::{
    clock::Stopwatch,
    peer::Keys,
    run::{Better, Entry, Plan, Results, entry},
    snow_end::Engine,
    tls::{self, Choice, Tls},
};

pub fn run(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    for size in [64, 1_024, 16 * 1024, 32 * 1024, 64 * 1024] {
        let bytes = plan.amount(64 << 20, 16 << 20).min(size * 200_000);
        let times = bytes / size;
        let mut entries = vec![
            entry("aws-lc AES-256-GCM (limit)", move || {
                raw(&AES_256_GCM, size, times)
            }),
            entry("aws-lc ChaCha20 (limit)", move || {
                raw(&CHACHA20_POLY1305, size, times)
            }),
        ];
        for (name, suite) in [
            ("rustls AES-256-GCM", CipherSuite::TLS13_AES_256_GCM_SHA384),
            (
                "rustls ChaCha20",
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
            ),
        ] {
            let tls = Tls::raw_keys(Choice {
                suite: Some(suite),
                group: None,
            });
            entries.push(entry(name, move || rustls(&tls, size, times)));
        }
        if size + 16 <= 65_535 {
            for (name, engine, noise) in [
                (
                    "snow AESGCM ring",
                    Engine::Ring,
                    "Noise_NN_25519_AESGCM_SHA256",
                ),
                (
                    "snow ChaChaPoly default",
                    Engine::Default,
                    "Noise_NN_25519_ChaChaPoly_SHA256",
                ),
            ] {
                entries.push(entry(name, move || snow(engine, noise, size, times)));
            }
        }
        ours(keys, (size, times), &mut entries);
        results.measure(
            ("record", &format!("{size} B"), "GB/s", Better::Higher),
            plan,
            entries,
        );
    }
}

fn ours<'a>(keys: &'a Keys, (size, times): (usize, usize), entries: &mut Vec<Entry<'a>>) {
    for provider in [Provider::aws_lc(), Provider::portable()] {
        for suite in [Suite::AesGcm, Suite::ChaChaPoly] {
            let [alice, bob] = [&keys.alice, &keys.bob]
                .map(|config| config.clone().suites([suite]).provider(provider));
            let name = suite_name(suite).trim_start_matches("classical ");
            let name = format!("Duologue {} {name}", provider.name());
            entries.push(entry(name, move || {
                let (mut one, mut other) = channels(&alice, &bob, None);
                // The clock is data for the record layer: a session reads it once for up to 16 records.
                let now = Instant::now();
                speed(size, times, |message| {
                    pass((&mut one, &mut other), message, now)
                })
            }));
        }
    }
}

fn speed(size: usize, times: usize, mut pass: impl FnMut(&[u8]) -> usize) -> f64 {
    let message = vec![7; size];
    for _warm in 0..times / 10 + 1 {
        assert_eq!(pass(&message), size);
    }
    let start = Stopwatch::start();
    for _time in 0..times {
        assert_eq!(pass(&message), size);
    }
    (times * size) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// One message, sealed on one side and taken on the other; one record each, or a few for a large one.
fn pass((one, other): (&mut Channel, &mut Channel), message: &[u8], now: Instant) -> usize {
    let mut progress = Progress::default();
    let offered = one.send.offer(message, &mut progress, now).expect("offer");
    assert_eq!(offered, Offered::Whole);
    one.send.flush(now).expect("flush");
    let pending = one.send.pending();
    let length = pending.len();
    other.receive.input().extend_from_slice(pending);
    one.send.written(length);
    let _processed = other.receive.process(&other.send.facts(), now, 16);
    other.receive.take().expect("message").len()
}

fn raw(algorithm: &'static Algorithm, size: usize, times: usize) -> f64 {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &[7; 32]).expect("key"));
    let (mut sealed, mut input) = (vec![0; size + 17], Vec::with_capacity(size + 17));
    let mut counter = 0_u64;
    speed(size, times, |message| {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_be_bytes());
        counter += 1;
        let (head, rest) = sealed.split_at_mut(size);
        let unique = || Nonce::assume_unique_for_key(nonce);
        key.seal_out_of_place_scatter(unique(), Aad::empty(), message, head, &[0], rest)
            .expect("seal");
        input.clear();
        input.extend_from_slice(&sealed);
        let opened = key.open_in_place(unique(), Aad::empty(), &mut input);
        opened.expect("open").len() - 1
    })
}

fn rustls(tls: &Tls, size: usize, times: usize) -> f64 {
    let mut client = ClientConnection::new(tls.client.clone(), tls::name()).expect("client");
    let mut server = ServerConnection::new(tls.server.clone()).expect("server");
    let mut bytes = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        for turn in 0..2 {
            bytes.clear();
            if turn == 0 {
                client.write_tls(&mut bytes).expect("write");
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    server.read_tls(&mut rest).expect("read");
                    server.process_new_packets().expect("packets");
                }
            } else {
                server.write_tls(&mut bytes).expect("write");
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    client.read_tls(&mut rest).expect("read");
                    client.process_new_packets().expect("packets");
                }
            }
        }
    }
    client.set_buffer_limit(None);
    let mut plain = vec![0; size];
    speed(size, times, |message| {
        client.writer().write_all(message).expect("write");
        bytes.clear();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("write");
        }
        let (mut rest, mut got) = (bytes.as_slice(), 0);
        while got < message.len() {
            if !rest.is_empty() {
                server.read_tls(&mut rest).expect("read");
                server.process_new_packets().expect("packets");
            }
            // Nothing yet is an error in rustls's words.
            got += server.reader().read(&mut plain[got..]).unwrap_or(0);
        }
        got
    })
}

fn snow(engine: Engine, name: &str, size: usize, times: usize) -> f64 {
    let mut alice = engine.builder(name).build_initiator().expect("state");
    let mut bob = engine.builder(name).build_responder().expect("state");
    let (mut message, mut payload) = ([0; 256], [0; 256]);
    let length = alice.write_message(&[], &mut message).expect("message");
    bob.read_message(&message[..length], &mut payload)
        .expect("message");
    let length = bob.write_message(&[], &mut message).expect("message");
    alice
        .read_message(&message[..length], &mut payload)
        .expect("message");
    let mut alice = alice.into_transport_mode().expect("transport");
    let mut bob = bob.into_transport_mode().expect("transport");
    let (mut sealed, mut input, mut plain) = (vec![0; size + 16], Vec::new(), vec![0; size + 16]);
    speed(size, times, |message| {
        let length = alice.write_message(message, &mut sealed).expect("seal");
        input.clear();
        input.extend_from_slice(&sealed[..length]);
        bob.read_message(&input, &mut plain).expect("open")
    })
}
