//! Freed memory is searched for every secret that a handshake, a new key and an end leave behind.
//!
//! Seen is what Rust code frees. Not seen: what AWS-LC holds in C (it overwrites its own keys), the stack and
//! registers. The portable provider has all of its keys on the heap that is searched.
#![expect(clippy::print_stdout, reason = "the counts are part of the evidence")]

mod common;

use std::time::Instant;

use common::{
    OURS, RAWS, SHARED, Script, Scripted, config, options, pins, providers,
    raw_peer::{
        Opened, Pattern, RawFrame, RawHandshake, RawParams, RawRecord, RawSession, Suite,
        handshake::public_key,
        wire::{take_body, with_length},
    },
    raws_key, uses_psk,
};
use duologue::{
    Code, Config, Origin, Psk, SecretKey, accept,
    proto::{Channel, Handshake, Step},
};
use duologue_heap::{Freed, Heap, Meter};
use ml_kem::{DecapsulationKey768, KeyExport, Seed};

#[global_allocator]
static HEAP: Heap = Heap::new();

/// The secrets of one handshake, as the raw peer knows them.
struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    fn of(raw: &RawHandshake) -> Self {
        let symmetric = raw.symmetric.as_ref().unwrap();
        let (first, second) = symmetric.split();
        let mut all = vec![
            ("our static key".to_owned(), OURS.to_vec()),
            ("the pre-shared key".to_owned(), SHARED.to_vec()),
            (
                "the chaining key".to_owned(),
                symmetric.chaining_key.to_vec(),
            ),
            ("the initiator's key".to_owned(), first.key.to_vec()),
            ("the responder's key".to_owned(), second.key.to_vec()),
        ];
        let cipher = symmetric.cipher.as_ref().unwrap();
        all.push(("the handshake's last key".to_owned(), cipher.key.to_vec()));
        for (number, secret) in raw.mixed.iter().enumerate() {
            all.push((format!("shared secret {number}"), secret.clone()));
        }
        Self(all)
    }

    /// Fails for each one that was left; a half of it is a trace too.
    fn are_gone_from(&self, freed: &Freed, when: &str) {
        assert!(!freed.is_empty(), "{when}: nothing was freed");
        for (name, secret) in &self.0 {
            for half in secret.chunks(16) {
                if let Some((length, at)) = freed.find(half) {
                    panic!("{when}: {name} is left in a freed block of {length} bytes, at {at}");
                }
            }
        }
    }
}

/// Every combination that has other secrets, or has them elsewhere.
fn handshakes() -> impl Iterator<Item = (Pattern, Suite)> {
    [Pattern::Xx, Pattern::XkPsk0]
        .into_iter()
        .flat_map(|pattern| Suite::ALL.map(|suite| (pattern, suite)))
}

/// What our side is after a whole handshake with the raw peer, and what it said on the way.
struct Met {
    channel: Channel,
    raw: RawSession,
    secrets: Secrets,
    /// Our first body.
    first: Vec<u8>,
}

fn accepted(step: Step, input: &mut &[u8], output: &mut Vec<u8>) -> Step {
    let Step::Judge(judging) = step else {
        return step;
    };
    let next = judging.accept(output).unwrap();
    next.step(input, output, Instant::now()).unwrap()
}

/// A handshake of ours in a meter, with the raw peer outside of it.
fn meet(meter: &mut Meter, config: &Config, raw: RawHandshake, initiates: bool) -> Met {
    let remote = pins(raw.options.pattern).then(raws_key);
    let (mut raw, mut output) = (raw, Vec::new());
    let (mut input, mut first) = (Vec::new(), Vec::new());
    let mut session: Option<RawSession> = None;
    let mut secrets = None;
    let mut handshake = Some(meter.run(|| {
        if initiates {
            Handshake::initiator(config, remote.as_ref(), &mut output).unwrap()
        } else {
            Handshake::responder(config, Origin::Unknown).unwrap()
        }
    }));
    loop {
        let mut came = std::mem::take(&mut output);
        if first.is_empty() {
            first.clone_from(&came);
        }
        while session.is_none() {
            if raw.writes_next() {
                input.extend(with_length(&raw.write_body().unwrap()));
            } else if let Some(body) = take_body(&mut came) {
                raw.read_body(&body).unwrap();
            } else {
                break;
            }
            if raw.is_finished() {
                secrets = Some(Secrets::of(&raw));
                let done = RawHandshake::responder(raw.options.clone());
                let mut opened = std::mem::replace(&mut raw, done).into_session().unwrap();
                let params = RawParams::default().encode(&opened.hash);
                input.extend(opened.seal_frames(&[RawFrame::Params(params)]));
                session = Some(opened);
            }
        }
        if let Some(session) = &mut session {
            while let Some(opened) = session.open(&mut came) {
                assert!(matches!(opened, Opened::Plaintext(_)));
            }
        }
        let mut rest = &input[..];
        let step = meter.run(|| {
            let step = handshake
                .take()
                .unwrap()
                .step(&mut rest, &mut output, Instant::now());
            accepted(step.unwrap(), &mut rest, &mut output)
        });
        let used = input.len() - rest.len();
        input.drain(..used);
        match step {
            Step::NeedInput(next) => handshake = Some(next),
            Step::Established(channel) => {
                let mut raw = session.unwrap();
                while let Some(opened) = raw.open(&mut output) {
                    assert!(matches!(opened, Opened::Plaintext(_)));
                }
                let secrets = secrets.unwrap();
                return Met {
                    channel,
                    raw,
                    secrets,
                    first,
                };
            }
            other => panic!("{other:?}"),
        }
    }
}

fn raw(pattern: Pattern, suite: Suite, initiates: bool) -> RawHandshake {
    if initiates {
        RawHandshake::initiator(options(pattern, suite))
    } else {
        RawHandshake::responder(options(pattern, suite))
    }
}

#[test]
fn a_handshake_leaves_no_secret_in_freed_memory() {
    // spec: H-12; threat: 63, 118
    let mut searched = 0;
    for (pattern, suite) in handshakes() {
        for provider in providers() {
            for initiates in [true, false] {
                let mut meter = Meter::keeping();
                let config = meter.run(|| config(pattern, suite, provider));
                let met = meet(
                    &mut meter,
                    &config,
                    raw(pattern, suite, !initiates),
                    initiates,
                );
                let when = format!("{pattern:?} {suite:?} {} {initiates}", provider.name());
                let mut freed = meter.take_freed();
                searched += freed.len();
                met.secrets.are_gone_from(&freed, &when);
                meter.run(|| drop((met.channel, config)));
                freed = meter.take_freed();
                searched += freed.len();
                met.secrets.are_gone_from(&freed, &format!("{when}, ended"));
            }
        }
    }
    println!("{searched} freed bytes searched");
}

#[test]
fn a_handshake_that_fails_leaves_no_secret_either() {
    // spec: H-9, H-12; threat: 118
    for (pattern, suite) in handshakes() {
        for provider in providers() {
            let mut meter = Meter::keeping();
            let config = meter.run(|| config(pattern, suite, provider));
            let mut raw = raw(pattern, suite, true);
            let mut output = Vec::new();
            let hello = with_length(&raw.write_body().unwrap());
            let step = meter.run(|| {
                let ours = Handshake::responder(&config, Origin::Unknown).unwrap();
                ours.step(&mut &hello[..], &mut output, Instant::now())
            });
            let Ok(Step::NeedInput(ours)) = step else {
                panic!("{step:?}");
            };
            raw.read_body(&take_body(&mut output).unwrap()).unwrap();
            let mut proof = with_length(&raw.write_body().unwrap());
            proof[40] ^= 1;
            let failed = meter.run(|| ours.step(&mut &proof[..], &mut output, Instant::now()));
            assert!(failed.is_err());
            meter.run(|| drop(config));
            let when = format!("{pattern:?} {suite:?} {}", provider.name());
            Secrets::of(&raw).are_gone_from(&meter.take_freed(), &when);
        }
    }
}

#[test]
fn no_stretch_of_freed_memory_is_an_ephemeral_secret() {
    // spec: H-12; threat: 118
    let mut tried = 0;
    for (pattern, suite) in [
        (Pattern::Xx, Suite::AesGcm),
        (Pattern::Xx, Suite::HybridChaChaPoly),
    ] {
        for provider in providers() {
            let mut meter = Meter::keeping();
            let config = meter.run(|| config(pattern, suite, provider));
            let met = meet(&mut meter, &config, raw(pattern, suite, false), true);
            meter.run(|| drop((met.channel, config)));
            let freed = meter.take_freed();
            // len | hello | e | e1
            let ephemeral: [u8; 32] = met.first[10..42].try_into().unwrap();
            for stretch in freed.stretches::<32>() {
                assert_ne!(public_key(stretch), ephemeral, "{}", provider.name());
                tried += 1;
            }
            if suite.is_hybrid() && provider == duologue::Provider::portable() {
                let encapsulation = &met.first[42..42 + 1_184];
                for stretch in freed.stretches::<64>() {
                    let key = DecapsulationKey768::from_seed(Seed::from(stretch));
                    let public = key.encapsulation_key().to_bytes();
                    assert_ne!(*public, *encapsulation, "the seed of the KEM's key");
                    tried += 1;
                }
            }
        }
    }
    println!("{tried} stretches tried as secrets");
    assert!(tried > 5_000);
}

/// Sends a message so that it must be sealed, or brings one to be opened.
fn pass(meter: &mut Meter, met: &mut Met) {
    let now = Instant::now();
    let record = met.raw.seal(&RawRecord::Message(b"over".to_vec()));
    let channel = &mut met.channel;
    meter.run(|| {
        channel.receive.input().extend_from_slice(&record);
        let facts = channel.send.facts();
        let _needs = channel.receive.process(&facts, now, 16);
        assert_eq!(channel.receive.take().as_deref(), Some(&b"over"[..]));
    });
}

#[test]
fn an_old_key_is_overwritten_when_it_is_replaced_and_the_last_at_the_end() {
    // spec: T-10; threat: 62
    for suite in [Suite::ChaChaPoly, Suite::AesGcm] {
        for provider in providers() {
            let mut meter = Meter::keeping();
            let config = meter.run(|| config(Pattern::Xx, suite, provider));
            let mut met = meet(&mut meter, &config, raw(Pattern::Xx, suite, true), false);
            let when = format!("{suite:?} {}", provider.name());
            drop(meter.take_freed());
            for _epoch in 0..3 {
                let now = Instant::now();
                let rekey = met
                    .raw
                    .seal_frames(&[RawFrame::Message(vec![1]), RawFrame::Rekey]);
                let old = [met.raw.send.key, met.raw.receive.key];
                met.raw.rekey_send();
                met.raw.rekey_receive();
                let channel = &mut met.channel;
                meter.run(|| {
                    channel.receive.input().extend_from_slice(&rekey);
                    let facts = channel.send.facts();
                    let _needs = channel.receive.process(&facts, now, 16);
                    assert_eq!(channel.receive.take().as_deref(), Some(&[1][..]));
                    channel.send.rekey_now(now).unwrap();
                    let length = channel.send.pending().len();
                    channel.send.written(length);
                });
                for key in old
                    .into_iter()
                    .chain([met.raw.send.key, met.raw.receive.key])
                {
                    met.secrets
                        .0
                        .push(("a key of an epoch".to_owned(), key.to_vec()));
                }
                met.secrets.are_gone_from(&meter.take_freed(), &when);
                pass(&mut meter, &mut met);
            }
            let Met {
                channel, secrets, ..
            } = met;
            meter.run(|| drop((channel, config)));
            secrets.are_gone_from(&meter.take_freed(), &format!("{when}, ended"));
        }
    }
}

#[test]
fn the_text_of_a_secret_is_overwritten_too() {
    // threat: 117, 118
    let mut meter = Meter::keeping();
    let (secret, shared) = meter.run(|| {
        let secret = SecretKey::from_bytes(&mut OURS.clone());
        let shared = Psk::from_bytes(&mut SHARED.clone());
        let texts = (secret.to_text(), shared.to_text());
        let again = SecretKey::from_text(&texts.0).unwrap();
        assert_eq!(again.public_key(), secret.public_key());
        drop(Psk::from_text(&texts.1).unwrap());
        drop((secret, shared, again));
        duologue_heap::unmetered(|| (texts.0.to_string(), texts.1.to_string()))
    });
    let freed = meter.take_freed();
    assert!(freed.len() >= 4 * 32);
    for trace in [
        &OURS[..16],
        &OURS[16..],
        &SHARED[..16],
        &SHARED[16..],
        &secret.as_bytes()[6..30],
        &shared.as_bytes()[7..30],
    ] {
        assert_eq!(freed.count(trace), 0);
    }
}

/// An honest raw peer that says a message, answers ours, and ends.
struct Honest {
    initiator: common::Initiator,
    turn: usize,
    keys: std::sync::mpsc::Sender<Vec<u8>>,
}

impl Script for Honest {
    fn next(&mut self, came: &mut Vec<u8>) -> Option<Vec<u8>> {
        if let Some(bytes) = self.initiator.next(came) {
            return Some(bytes);
        }
        let session = self.initiator.session.as_mut()?;
        while let Some(opened) = session.open(came) {
            assert!(matches!(opened, Opened::Plaintext(_)));
        }
        self.turn += 1;
        for key in [session.send.key, session.receive.key] {
            self.keys.send(key.to_vec()).unwrap();
        }
        match self.turn {
            1 => {
                let bytes = session.seal_frames(&[RawFrame::Message(vec![1]), RawFrame::Rekey]);
                session.rekey_send();
                Some(bytes)
            }
            2 => Some(session.seal(&RawRecord::Message(vec![2; 3_000]))),
            3 => Some(session.seal_frames(&[RawFrame::End(2, 0, Vec::new())])),
            _ => None,
        }
    }
}

#[test]
fn a_session_from_accept_to_close_leaves_no_secret() {
    // spec: H-12, T-10; threat: 118
    for (pattern, suite) in handshakes() {
        for provider in providers() {
            let (sender, keys) = std::sync::mpsc::channel();
            let honest = Honest {
                initiator: common::Initiator::new(options(pattern, suite)),
                turn: 0,
                keys: sender,
            };
            let transport = Scripted::new(honest, usize::MAX);
            let mut meter = Meter::keeping();
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap()
                .block_on(meter.future(|| async move {
                    let config = config(pattern, suite, provider);
                    let mut session = accept(transport, &config).await.unwrap();
                    let _heard = session.send(b"said").await;
                    assert_eq!(session.recv().await.unwrap().as_deref(), Some(&[1][..]));
                    assert_eq!(session.recv().await.unwrap().unwrap().len(), 3_000);
                    // The peer may be gone by then: what we say need not be heard any more.
                    let _heard = session.finish_with(Code::NONE, "").await;
                    assert_eq!(session.recv().await.unwrap(), None);
                    session.close().await;
                }));
            let freed = meter.take_freed();
            let mut secrets: Vec<Vec<u8>> = keys.iter().collect();
            assert!(secrets.len() >= 6);
            secrets.push(OURS.to_vec());
            if uses_psk(pattern) {
                secrets.push(SHARED.to_vec());
            }
            for (number, secret) in secrets.into_iter().enumerate() {
                let provider = provider.name();
                let when = format!("{pattern:?} {suite:?} {provider}: secret {number}");
                assert_eq!(freed.find(&secret), None, "{when}");
            }
            // The search itself: our public key passes through memory that is freed unwiped.
            assert!(freed.count(&public_key(RAWS)) > 0);
        }
    }
}
