//! A connection whose peer is not authenticated costs at most 16 KiB of heap, whatever it sends (spec: L-10).
//!
//! What AWS-LC allocates in C is not seen; the portable provider, which is measured too, has nothing there.
#![expect(clippy::print_stdout, reason = "the figures are part of the evidence")]

mod common;

use std::time::Instant;

use common::{
    Script, Scripted, config, options, pins, providers, raw_peer,
    raw_peer::{
        Pattern, RawHandshake, Suite,
        wire::{take_body, with_length},
    },
    raws_key,
};
use duologue::{
    Config, Origin, PublicKey, accept, connect,
    proto::{Handshake, Step},
};
use duologue_heap::{Heap, Meter};

#[global_allocator]
static HEAP: Heap = Heap::new();

/// What the specification allows.
const BOUND: isize = 16 * 1024;
/// What an attacker sends where it leaves the rules.
const NOISE: usize = 128 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    Zeros,
    Ones,
    Random,
    /// The longest body that is waited for in this place, then anything.
    Plausible,
}

const NOISES: [Noise; 4] = [Noise::Zeros, Noise::Ones, Noise::Random, Noise::Plausible];

/// SplitMix64: the same bytes from the same seed.
fn random(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    (0..length.div_ceil(8))
        .flat_map(|_| next())
        .take(length)
        .collect()
}

fn noise(kind: Noise, head: &[u8]) -> Vec<u8> {
    match kind {
        Noise::Zeros => vec![0; NOISE],
        Noise::Ones => vec![0xff; NOISE],
        Noise::Random => random(7, NOISE),
        Noise::Plausible => [head, &random(8, NOISE)].concat(),
    }
}

/// Keeps to the rules for so many turns of its own, and then makes noise.
#[derive(Debug)]
struct Attack {
    raw: Option<RawHandshake>,
    good: usize,
    noise: Noise,
    pattern: Pattern,
    suite: Suite,
    initiates: bool,
    turn: usize,
}

impl Attack {
    fn initiator(pattern: Pattern, suite: Suite, good: usize, noise: Noise) -> Self {
        Self {
            raw: Some(RawHandshake::initiator(options(pattern, suite))),
            initiates: true,
            ..Self::responder(pattern, suite, good, noise)
        }
    }

    fn responder(pattern: Pattern, suite: Suite, good: usize, noise: Noise) -> Self {
        Self {
            raw: Some(RawHandshake::responder(options(pattern, suite))),
            good,
            noise,
            pattern,
            suite,
            initiates: false,
            turn: 0,
        }
    }

    /// What makes our side wait for the most.
    fn head(&self) -> Vec<u8> {
        let hello = raw_peer::wire::hello(self.suite.id(), self.pattern.id());
        let sizes = raw_peer::suite::sizes(&self.pattern.messages(self.suite));
        let length = |size: usize| u16::try_from(size).unwrap().to_be_bytes();
        match (self.initiates, self.good) {
            (true, 0) => [&length(8 + sizes[0])[..], &hello].concat(),
            (true, 1) => length(sizes[2]).to_vec(),
            (false, 0) => [&length(1 + sizes[1])[..], &[0]].concat(),
            _ => length(4_112).to_vec(),
        }
    }
}

impl Script for Attack {
    fn next(&mut self, came: &mut Vec<u8>) -> Option<Vec<u8>> {
        self.turn += 1;
        if self.turn == self.good + 1 {
            return Some(noise(self.noise, &self.head()));
        }
        if self.turn > self.good {
            return None;
        }
        let raw = self.raw.as_mut()?;
        if !raw.writes_next() {
            raw.read_body(&take_body(came)?).ok()?;
        }
        Some(with_length(&raw.write_body().ok()?))
    }
}

fn combinations() -> Vec<(Pattern, Suite)> {
    Pattern::ALL
        .into_iter()
        .flat_map(|pattern| Suite::ALL.map(|suite| (pattern, suite)))
        .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// The most that the async face held for this attack.
fn through_session(attack: Attack, config: &Config, chunk: usize) -> isize {
    let remote = (!attack.initiates && pins(attack.pattern)).then(raws_key);
    let initiates = attack.initiates;
    let transport = Scripted::new(attack, chunk);
    let mut meter = Meter::new();
    runtime().block_on(async {
        if initiates {
            assert!(meter.future(|| accept(transport, config)).await.is_err());
        } else {
            let connecting = meter.future(|| connect(transport, remote.as_ref(), config));
            assert!(connecting.await.is_err());
        }
    });
    assert!(meter.live() <= 0, "{} bytes stay", meter.live());
    meter.peak()
}

/// The most that the machine without I/O held; its buffers belong to its caller.
fn through_proto(mut attack: Attack, config: &Config, chunk: usize) -> isize {
    let remote = (!attack.initiates && pins(attack.pattern)).then(raws_key);
    let mut meter = Meter::new();
    let mut output = Vec::with_capacity(8_192);
    let mut handshake = Some(meter.run(|| start(&attack, remote.as_ref(), config, &mut output)));
    let (mut came, mut input) = (Vec::new(), Vec::new());
    'all: while let Some(bytes) = {
        came.append(&mut output);
        attack.next(&mut came)
    } {
        for piece in bytes.chunks(chunk) {
            input.extend_from_slice(piece);
            let mut rest = &input[..];
            let step = meter.run(|| advance(handshake.take().unwrap(), &mut rest, &mut output));
            let used = input.len() - rest.len();
            input.drain(..used);
            match step {
                Some(next) => handshake = Some(next),
                None => break 'all,
            }
        }
    }
    meter.run(|| drop(handshake.take()));
    assert!(meter.live() <= 0, "{} bytes stay", meter.live());
    meter.peak()
}

fn start(
    attack: &Attack,
    remote: Option<&PublicKey>,
    config: &Config,
    output: &mut Vec<u8>,
) -> Handshake {
    if attack.initiates {
        Handshake::responder(config, Origin::Unknown).unwrap()
    } else {
        Handshake::initiator(config, remote, output).unwrap()
    }
}

/// One step; whoever proves a key is accepted. `None` when the handshake failed.
fn advance(handshake: Handshake, input: &mut &[u8], output: &mut Vec<u8>) -> Option<Handshake> {
    let mut step = handshake.step(input, output, Instant::now()).ok()?;
    loop {
        step = match step {
            Step::NeedInput(next) => return Some(next),
            Step::Judge(judging) => judging
                .accept(output)
                .ok()?
                .step(input, output, Instant::now())
                .ok()?,
            other => panic!("{other:?}"),
        };
    }
}

#[test]
fn an_unauthenticated_connection_costs_at_most_16_kib_whatever_it_sends() {
    // spec: L-10, W-4, H-18; threat: 35, 36, 86
    let mut worst = [0; 2];
    let mut attacks = 0;
    for (pattern, suite) in combinations() {
        for provider in providers() {
            let config = config(pattern, suite, provider);
            for noise in NOISES {
                // The initiator's turns are message 1 and message 3, the responder's is message 2.
                let turns = [(true, 0), (true, 1), (true, 2), (false, 0), (false, 1)];
                for (initiates, good) in turns {
                    let attack = || {
                        if initiates {
                            Attack::initiator(pattern, suite, good, noise)
                        } else {
                            Attack::responder(pattern, suite, good, noise)
                        }
                    };
                    let chunk = if noise == Noise::Plausible { 1 } else { 4_096 };
                    let peaks = [
                        through_session(attack(), &config, chunk),
                        through_proto(attack(), &config, chunk),
                    ];
                    for (worst, peak) in worst.iter_mut().zip(peaks) {
                        assert!(
                            peak <= BOUND,
                            "{peak} bytes: {pattern:?} {suite:?} {} {noise:?} {initiates} {good}",
                            provider.name()
                        );
                        *worst = peak.max(*worst);
                        attacks += 1;
                    }
                }
            }
        }
    }
    println!(
        "{attacks} attacks: at most {} bytes through the session, {} through proto",
        worst[0], worst[1]
    );
}

#[test]
fn a_peer_that_is_refused_costs_no_more() {
    // spec: L-10, L-14; threat: 8, 86
    let mut worst = 0;
    for (pattern, suite) in combinations() {
        for provider in providers() {
            let config = config(pattern, suite, provider).peers(duologue::PeerPolicy::default());
            let attack = Attack::initiator(pattern, suite, 2, Noise::Random);
            worst = through_session(attack, &config, 4_096).max(worst);
        }
    }
    println!("at most {worst} bytes");
    assert!(worst <= BOUND, "{worst} bytes");
}
