//! Two processes without I/O, and what lies between them.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use duologue::{
    Config, PeerPolicy, Received, SecretKey, Sent, Suite,
    proto::{Channel, Facts, Handshake, Notices, Origin, Progress, Step},
};

/// Bytes that a pipe holds; a large message does not fit.
pub(crate) const PIPE: usize = 150_000;
/// More than is gathered for one write, so that it can be given up in its middle.
pub(crate) const LARGE: usize = 300_000;
pub(crate) const IDLE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) sides: [Side; 2],
    /// `pipes[i]` leads from side `i` to the other.
    pub(crate) pipes: [Pipe; 2],
    pub(crate) now: Instant,
    pub(crate) ticks: u32,
    /// Something has happened after which no good end is owed.
    pub(crate) faulty: bool,
}

pub(crate) struct Side {
    pub(crate) channel: Channel,
    /// What the receiving path wants said, not yet with the sending path.
    pub(crate) mail: Option<Notices>,
    /// What the receiving path knows of the sending one.
    pub(crate) facts: Facts,
    /// The numbers of the messages that were taken over whole.
    pub(crate) sent: Vec<u32>,
    pub(crate) taken: usize,
    /// Number and size of the next message; a message given up has used its number.
    pub(crate) next: u32,
    pub(crate) large: Option<(u32, Progress)>,
    pub(crate) closing: Option<Instant>,
    pub(crate) gone: bool,
    pub(crate) seen: Seen,
    /// What was done to the sending path since it last sealed.
    pub(crate) unsealed: u64,
    pub(crate) deeds: [u16; 4],
}

/// What must not change any more once it is known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) outcome: Option<(Sent, Received)>,
    pub(crate) sent: Option<Sent>,
    pub(crate) received: Option<Received>,
    pub(crate) arrived_at_failure: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Pipe {
    pub(crate) bytes: VecDeque<u8>,
    pub(crate) ended: bool,
    /// Nobody reads: what is written is gone.
    pub(crate) dead: bool,
    /// A byte was changed on its way.
    pub(crate) changed: bool,
    /// What the bytes under way mean: what was done when they were sealed, and how many they are.
    pub(crate) parts: VecDeque<(u64, usize)>,
}

pub(crate) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn configs() -> [Config; 2] {
    let keys = [
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    ];
    keys.map(|key| {
        Config::new(key)
            .suites([Suite::ChaChaPoly])
            .peers(PeerPolicy::dangerous_any())
            .idle_timeout(IDLE)
    })
}

/// A message: its number, and bytes that belong to that number alone.
pub(crate) fn message(number: u32, size: usize) -> Vec<u8> {
    let mut bytes = vec![number as u8; size.max(4)];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn shake(configs: &[Config; 2], now: Instant) -> [Channel; 2] {
    let mut wires = [Vec::new(), Vec::new()];
    let mut open = [
        Some(Handshake::initiator(&configs[0], None, &mut wires[1]).unwrap()),
        Some(Handshake::responder(&configs[1], Origin::Unknown).unwrap()),
    ];
    let mut done = [None, None];
    while done.iter().any(Option::is_none) {
        for side in 0..2 {
            let Some(handshake) = open[side].take() else {
                continue;
            };
            let (mut output, bytes) = (Vec::new(), std::mem::take(&mut wires[side]));
            let mut input = &*bytes;
            match handshake.step(&mut input, &mut output, now).unwrap() {
                Step::NeedInput(next) => open[side] = Some(next),
                Step::Judge(judging) => open[side] = Some(judging.accept(&mut output).unwrap()),
                Step::Established(channel) => done[side] = Some(channel),
                other => panic!("{other:?}"),
            }
            wires[side].splice(0..0, input.iter().copied());
            wires[1 - side].extend(output);
        }
    }
    done.map(Option::unwrap)
}

impl World {
    pub(crate) fn new(configs: &[Config; 2]) -> Self {
        let now = Instant::now();
        Self {
            sides: shake(configs, now).map(Side::new),
            pipes: [Pipe::default(), Pipe::default()],
            now,
            ticks: 0,
            faulty: false,
        }
    }

    /// Two states with one digest are taken for the same one.
    ///
    /// It covers what both faces and their `Debug` show, all that is under way, and how often each kind of
    /// control frame was sent; it does not matter who of the two is who.
    pub(crate) fn digest(&self) -> u64 {
        let [one, other] = [0, 1].map(|side| hash((self.half(side), self.ticks, self.faulty)));
        one.wrapping_mul(other) ^ one.wrapping_add(other)
    }

    fn half(&self, side: usize) -> String {
        let Side {
            channel,
            mail,
            facts,
            sent,
            taken,
            closing,
            gone,
            seen,
            unsealed,
            deeds,
            large,
            ..
        } = &self.sides[side];
        let Channel { send, receive, .. } = channel;
        let Pipe {
            bytes,
            ended,
            dead,
            changed,
            parts,
        } = &self.pipes[side];
        let closing = closing.map(|at| at.saturating_duration_since(self.now));
        format!(
            "{send:?} {receive:?} {mail:?} {facts:?} {} {taken} {closing:?} {gone} {seen:?} {unsealed} \
             {deeds:?} {} {ended} {dead} {changed} {parts:?} {:?} {:?} {} {} {} {} {:?} {:?}",
            sent.len(),
            bytes.len(),
            send.sent(),
            receive.received(),
            send.is_open(),
            send.is_pinging(),
            send.taken_count(),
            large.is_some(),
            receive.peer_ended(),
            send.ended(),
        )
    }
}

impl Side {
    fn new(channel: Channel) -> Self {
        Self {
            facts: channel.send.facts(),
            channel,
            mail: None,
            sent: Vec::new(),
            taken: 0,
            next: 0,
            large: None,
            closing: None,
            gone: false,
            seen: Seen::default(),
            unsealed: 0,
            deeds: [0; 4],
        }
    }

    /// Whether nothing of it can change any more.
    pub(crate) fn is_concluded(&self) -> bool {
        self.gone || self.channel.is_over() || self.channel.receive.failure().is_some()
    }

    /// What the receiving path wants said goes into the mail.
    pub(crate) fn post(&mut self) {
        let Some(notices) = self.channel.receive.notices() else {
            return;
        };
        match &mut self.mail {
            Some(waiting) => waiting.merge(notices),
            empty => *empty = Some(notices),
        }
    }
}
