//! Configurations of any values (spec: 5.1, L-12, T-11).
//!
//! Input: which values to set, and to what. Asserted:
//! - `check` takes exactly what the documented ranges take, reckoned here a second time;
//! - what it refuses starts no session and says nothing; what it takes establishes with a peer of the
//!   defaults, whatever the values, and carries a message;
//! - no time, however long, overflows a clock: timers of both paths, far in the future too;
//! - the smaller of both idle timeouts counts (H-23).

use std::time::{Duration, Instant};

use duologue::{
    Config, ConfigError, HandshakeError, PeerPolicy, SecretKey, Suite,
    proto::{Channel, Handshake, Offered, Origin, Processed, Progress, Step},
};

use crate::{
    input::Input,
    known::{answer, bring},
};

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    protocols: Vec<String>,
    suites: Option<Vec<Suite>>,
    hybrid: bool,
    context: usize,
    max_message: Option<u64>,
    idle: Option<Option<Duration>>,
    rekey: Option<(u64, u64)>,
}

pub fn run(bytes: &[u8]) {
    thread_local! {
        static CONFIGS: [Config; 2] = [1, 2].map(|byte| {
            Config::new(SecretKey::from_bytes(&mut [byte; 32])).peers(PeerPolicy::dangerous_any())
        });
    }
    let [mut config, other] = CONFIGS.with(Clone::clone);
    let mut input = Input::new(bytes);
    let mut asked = Asked::default();
    for _value in 0..24 {
        if input.is_empty() {
            break;
        }
        config = set(config, &mut asked, &mut input);
    }
    let checked = config.check();
    assert_eq!(checked.is_ok(), right(&asked), "{checked:?} of {asked:?}");
    let shown = format!("{config:?}");
    assert!(!shown.contains("[1, 1, 1"), "a secret in {shown}");
    match checked {
        Err(error) => refused(&config, &error),
        Ok(()) => works(&config, &other, &asked),
    }
}

fn time(input: &mut Input<'_>) -> Duration {
    match input.choice(4) {
        0 => Duration::from_millis(input.wide()),
        1 => Duration::new(input.wide(), u32::from(input.byte())),
        2 => Duration::MAX,
        _ => Duration::from_millis([0, 999, 1_000, 1 << 32, (1 << 32) + 1][input.choice(5)]),
    }
}

fn near(input: &mut Input<'_>, limit: u64) -> u64 {
    match input.choice(5) {
        0 => limit - 1,
        1 => limit,
        2 => limit.saturating_add(1),
        3 => u64::from(input.choice(2) as u8),
        _ => input.wide(),
    }
}

fn set(config: Config, asked: &mut Asked, input: &mut Input<'_>) -> Config {
    match input.choice(12) {
        0 => {
            let name = String::from_utf8_lossy(input.chunk()).into_owned();
            asked.protocols.push(name.clone());
            config.protocol(name)
        }
        1 => {
            let bits = input.byte();
            let suites = Suite::ALL.into_iter().enumerate();
            let suites: Vec<_> = suites
                .filter(|(at, _)| bits >> at & 1 == 1)
                .map(|(_, it)| it)
                .collect();
            asked.suites = Some(suites.clone());
            config.suites(suites)
        }
        2 => {
            asked.hybrid = true;
            config.require_hybrid()
        }
        3 => {
            asked.context = [0, 1, 65_535, 65_536][input.choice(4)];
            config.context(vec![7; asked.context])
        }
        4 => {
            let most = near(input, 1 << 62);
            asked.max_message = Some(most);
            config.max_message(most)
        }
        5 => {
            let idle = input.flag().then(|| time(input));
            asked.idle = Some(idle);
            config.idle_timeout(idle)
        }
        6 => {
            let (records, bytes) = (near(input, 1 << 20), near(input, 64 << 30));
            asked.rekey = Some((records, bytes));
            config.rekey_after(records, bytes, time(input))
        }
        7 => config
            .handshake_deadline(time(input))
            .end_deadline(time(input)),
        8 => config.write_stall_limit(time(input)),
        9 => config.max_age(time(input)).drain_before(time(input)),
        10 => config.acknowledge_explicitly(),
        _ => config.allow_own_key(),
    }
}

fn right(asked: &Asked) -> bool {
    let names = asked
        .protocols
        .iter()
        .all(|name| (1..=64).contains(&name.len()));
    let suites = asked.suites.clone().unwrap_or(Suite::ALL.to_vec());
    let suites = suites
        .iter()
        .any(|suite| !asked.hybrid || suite.is_hybrid());
    let max = asked
        .max_message
        .is_none_or(|most| (1..=1 << 62).contains(&most));
    let idle = asked
        .idle
        .flatten()
        .is_none_or(|idle| (1_000..=1 << 32).contains(&idle.as_millis()));
    let rekey = asked.rekey.is_none_or(|(records, bytes)| {
        (1..=1 << 20).contains(&records) && (1..=64 << 30).contains(&bytes)
    });
    names
        && asked.protocols.len() <= 16
        && suites
        && asked.context <= 65_535
        && max
        && idle
        && rekey
}

fn refused(config: &Config, error: &ConfigError) {
    let mut output = Vec::new();
    let initiator = Handshake::initiator(config, None, &mut output);
    let responder = Handshake::responder(config, Origin::Unknown);
    let expected = HandshakeError::Config(error.clone());
    assert_eq!(initiator.err().as_ref(), Some(&expected));
    assert_eq!(responder.err().as_ref(), Some(&expected));
    assert!(output.is_empty());
}

fn works(config: &Config, other: &Config, asked: &Asked) {
    let mut other = other.clone().context(vec![7; asked.context]);
    for name in asked.protocols.iter().take(1) {
        other = other.protocol(name.clone());
    }
    let now = Instant::now();
    let (mut one, mut two) = establish(config, &other, now);
    let idle = asked.idle.unwrap_or(Some(Duration::from_secs(60)));
    let idle = idle.unwrap_or(Duration::MAX).min(Duration::from_secs(60));
    one.receive.waits(true, now);
    assert_eq!(one.receive.idle_at(), now.checked_add(idle), "H-23");
    let ages = [0, 1, 3_600, 1 << 40].map(Duration::from_secs);
    for age in ages {
        let later = now + age;
        for channel in [&mut one, &mut two] {
            channel.receive.waits(true, later);
            let _timers = (channel.receive.idle_at(), channel.receive.ping_at());
            channel.send.keep_alive(later).unwrap();
            channel.send.drain(Duration::MAX, later).unwrap();
        }
        carry(
            &mut two,
            &mut one,
            asked.max_message.unwrap_or(16 << 20),
            later,
        );
        carry(&mut one, &mut two, 16 << 20, later);
    }
}

fn carry(from: &mut Channel, to: &mut Channel, max: u64, now: Instant) {
    let message = vec![3; 6_000.min(max) as usize];
    let mut progress = Progress::default();
    assert_eq!(
        from.send.offer(&message, &mut progress, now),
        Ok(Offered::Whole)
    );
    answer(from, now);
    let bytes = from.send.pending().to_vec();
    from.send.written(bytes.len());
    assert_eq!(bring(to, &bytes, now), Processed::NeedInput);
    assert_eq!(to.receive.take().as_deref(), Some(&*message));
    to.receive.acknowledge();
    answer(to, now);
}

fn establish(config: &Config, other: &Config, now: Instant) -> (Channel, Channel) {
    let (mut to_two, mut to_one) = (Vec::new(), Vec::new());
    let mut one = Some(Handshake::initiator(config, None, &mut to_two).expect("a checked config"));
    let mut two = Some(Handshake::responder(other, Origin::Unknown).expect("the defaults"));
    let (mut first, mut second) = (None, None);
    for _round in 0..8 {
        first = first.or_else(|| go(&mut one, &mut to_one, &mut to_two, now));
        second = second.or_else(|| go(&mut two, &mut to_two, &mut to_one, now));
    }
    (first.expect("established"), second.expect("established"))
}

fn go(
    handshake: &mut Option<Handshake>,
    input: &mut Vec<u8>,
    output: &mut Vec<u8>,
    now: Instant,
) -> Option<Channel> {
    let bytes = core::mem::take(input);
    let mut rest = &*bytes;
    let step = handshake
        .take()?
        .step(&mut rest, output, now)
        .expect("both are honest");
    match step {
        Step::NeedInput(next) => *handshake = Some(next),
        Step::Judge(judging) => *handshake = Some(judging.accept(output).unwrap()),
        Step::Established(channel) => return Some(channel),
        other => panic!("{other:?}"),
    }
    input.extend_from_slice(rest);
    None
}
