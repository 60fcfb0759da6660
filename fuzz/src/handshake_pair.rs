//! Somebody on the way who hears and says everything: Dolev and Yao's attacker (threat: 1 to 19; spec: section 3).
//!
//! Two honest processes, each twice an initiator and twice a responder, and an attacker with a key of
//! its own, perhaps with the pre-shared key too. It holds all bodies that were ever said and may give any
//! of them, changed or not, to any end: replay, splice, reflect, reorder. It also runs handshakes of its
//! own, as both roles, and seals what it likes with the keys it comes to know. Asserted:
//! - who is established is established with an honest process, never with the attacker or with itself;
//! - the other side of it is one other end, of the other role, with the same hash and the keys crossed
//!   over; no two ends of one role share a hash (agreement, injective);
//! - an established initiator's responder is established too; a record of one opens at the other (H-17).

use std::{sync::OnceLock, time::Instant};

use duologue::{
    Config, HandshakeError, PeerPolicy, Psk, PublicKey, SecretKey, Suite,
    proto::{Channel, Handshake, Judgement, Offered, Origin, Processed, Progress, Step},
};

use crate::{
    input::Input,
    known::bring,
    raw_peer::{
        Options, RawFrame, RawHandshake, RawParams, RawRecord,
        handshake::public_key,
        wire::{take_body, with_length},
    },
    setup::{PSK, Setup},
    tamper::tamper,
};

const STEPS: usize = 60;
const SECRETS: [[u8; 32]; 2] = [[0xa1; 32], [0xb2; 32]];
const ATTACKER: [u8; 32] = [0xe5; 32];

struct End {
    who: usize,
    initiates: bool,
    state: State,
    held: Vec<u8>,
}

enum State {
    Open(Option<Handshake>),
    Established(Box<Channel>),
    Failed,
}

struct World {
    ends: Vec<End>,
    /// Every body that was ever said.
    heard: Vec<Vec<u8>>,
    attackers: Vec<RawHandshake>,
    policy: PeerPolicy,
    setup: Setup,
    psk: bool,
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut setup = Setup::read(&mut input);
    // What portable and fast providers agree on is tested elsewhere.
    setup.portable = false;
    let mut world = World::new(setup, input.flag());
    for _step in 0..STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.judge();
}

fn keys() -> &'static [PublicKey; 2] {
    static KEYS: OnceLock<[PublicKey; 2]> = OnceLock::new();
    KEYS.get_or_init(|| SECRETS.map(|secret| PublicKey::from_bytes(public_key(secret))))
}

fn config(who: usize, setup: Setup) -> Config {
    static CONFIGS: OnceLock<[Config; 2]> = OnceLock::new();
    let configs = CONFIGS
        .get_or_init(|| SECRETS.map(|mut secret| Config::new(SecretKey::from_bytes(&mut secret))));
    let config = configs[who].clone().suites([setup.suite(), Suite::ALL[0]]);
    if setup.raw_pattern().has_psk() {
        config.psk(Psk::from_bytes(&mut PSK.clone()))
    } else {
        config
    }
}

impl World {
    fn new(setup: Setup, psk: bool) -> Self {
        let mut world = Self {
            ends: Vec::new(),
            heard: Vec::new(),
            attackers: Vec::new(),
            policy: PeerPolicy::pinned(*keys()),
            setup,
            psk,
        };
        for (who, initiates) in [(0, true), (1, false), (1, true), (0, false)] {
            world.open(who, initiates);
        }
        world
    }

    fn open(&mut self, who: usize, initiates: bool) {
        let config = config(who, self.setup);
        let mut said = Vec::new();
        let pinned = self
            .setup
            .raw_pattern()
            .is_pinned()
            .then(|| keys()[1 - who]);
        let handshake = if initiates {
            Handshake::initiator(&config, pinned.as_ref(), &mut said).unwrap()
        } else {
            Handshake::responder(&config, Origin::Unknown).unwrap()
        };
        self.ends.push(End {
            who,
            initiates,
            state: State::Open(Some(handshake)),
            held: Vec::new(),
        });
        self.note(said);
    }

    fn note(&mut self, mut said: Vec<u8>) {
        while let Some(body) = take_body(&mut said) {
            self.heard.push(body);
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.choice(8) {
            // What was said last, to an end: honest when the attacker only carries.
            0 | 1 => {
                let body = self.heard.last().cloned().unwrap_or_default();
                let end = input.choice(self.ends.len());
                self.give(end, &body);
            }
            2 | 3 => {
                let body = self.heard[input.choice(self.heard.len())].clone();
                let end = input.choice(self.ends.len());
                self.give(end, &body);
            }
            4 => {
                let mut body = self.heard[input.choice(self.heard.len())].clone();
                tamper(input, &mut body, &self.heard);
                body.truncate(0xffff);
                let end = input.choice(self.ends.len());
                self.give(end, &body);
            }
            5 => self.attack(input),
            6 => self.attacker_reads(input),
            _ => {
                if self.ends.len() < 8 {
                    self.open(input.choice(2), input.flag());
                }
            }
        }
    }

    fn give(&mut self, at: usize, body: &[u8]) {
        let end = &mut self.ends[at];
        let State::Open(handshake) = &mut end.state else {
            return;
        };
        end.held.extend(with_length(body));
        let (mut said, mut rest) = (Vec::new(), &*end.held);
        let state = go(
            handshake.take().unwrap(),
            &self.policy,
            &mut rest,
            &mut said,
        );
        end.held = rest.to_vec();
        end.state = state;
        self.note(said);
    }

    /// The attacker begins a handshake of its own, towards one of the honest.
    fn attack(&mut self, input: &mut Input<'_>) {
        if self.attackers.len() == 4 {
            return;
        }
        let mut options = Options::new(self.setup.raw_suite(), self.setup.raw_pattern(), ATTACKER);
        options.remote = Some(*keys()[input.choice(2)].as_bytes());
        options.psk = Some(if self.psk { PSK } else { [0; 32] });
        // It may claim the key of an honest process, without knowing its secret.
        if input.flag() {
            options.lies.static_public = Some(*keys()[input.choice(2)].as_bytes());
        }
        options.lies.takes_own_key = true;
        options.lies.takes_zero_dh = true;
        let mut attacker = if input.flag() {
            RawHandshake::initiator(options)
        } else {
            RawHandshake::responder(options)
        };
        if let Ok(body) = attacker.write_body() {
            self.heard.push(body);
        }
        self.attackers.push(attacker);
    }

    /// The attacker takes a body into one of its handshakes, and answers, up to its record 0.
    fn attacker_reads(&mut self, input: &mut Input<'_>) {
        if self.attackers.is_empty() {
            return;
        }
        let which = input.choice(self.attackers.len());
        let body = self.heard[input.choice(self.heard.len())].clone();
        let attacker = &mut self.attackers[which];
        if attacker.read_body(&body).is_err() {
            // What could not be read has spoilt its state.
            self.attackers.remove(which);
            return;
        }
        if let Ok(body) = attacker.write_body() {
            self.heard.push(body);
        }
        if attacker.is_finished() {
            let mut session = self.attackers.remove(which).into_session().unwrap();
            let params = RawParams::default().encode(&session.hash);
            let record = RawRecord::Batch(vec![RawFrame::Params(params)]);
            let mut sealed = session.seal(&record);
            self.heard.extend(take_body(&mut sealed));
        }
    }

    fn judge(mut self) {
        let mut seen = Vec::new();
        for end in &self.ends {
            let State::Established(channel) = &end.state else {
                continue;
            };
            let peer = &channel.peer;
            assert_eq!(
                peer.key,
                keys()[1 - end.who],
                "established with somebody else"
            );
            let identity = (peer.handshake_hash, end.initiates);
            assert!(
                !seen.contains(&identity),
                "one handshake, two ends of one role"
            );
            seen.push(identity);
            let others = self.ends.iter().filter(|other| {
                other.initiates != end.initiates
                    && other.who != end.who
                    && other.hash() == Some(peer.handshake_hash)
            });
            assert!(
                !end.initiates || others.count() == 1,
                "H-17: established with nobody"
            );
        }
        for one in 0..self.ends.len() {
            for other in 0..one {
                self.cross(one, other);
            }
        }
    }

    /// A record of one end opens at another exactly if they have a handshake in common.
    fn cross(&mut self, one: usize, other: usize) {
        let common = self.ends[one]
            .hash()
            .filter(|hash| self.ends[other].hash() == Some(*hash));
        if common.is_none() {
            return;
        }
        let now = Instant::now();
        let [one, other] = self.ends.get_disjoint_mut([one, other]).unwrap();
        if let (State::Established(one), State::Established(other)) =
            (&mut one.state, &mut other.state)
        {
            let offered = one
                .send
                .offer(b"good morning", &mut Progress::default(), now);
            assert_eq!(offered, Ok(Offered::Whole));
            one.send.flush(now).unwrap();
            let record = one.send.pending().to_vec();
            assert_eq!(bring(other, &record, now), Processed::NeedInput);
            assert_eq!(other.receive.take().as_deref(), Some(&b"good morning"[..]));
        }
    }
}

impl End {
    fn hash(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::Established(channel) => Some(channel.peer.handshake_hash),
            State::Open(_) | State::Failed => None,
        }
    }
}

fn go(
    mut handshake: Handshake,
    policy: &PeerPolicy,
    rest: &mut &[u8],
    said: &mut Vec<u8>,
) -> State {
    loop {
        handshake = match handshake.step(rest, said, Instant::now()) {
            Ok(Step::NeedInput(next)) => return State::Open(Some(next)),
            Ok(Step::Established(channel)) => return State::Established(Box::new(channel)),
            Ok(Step::Judge(judging)) => match policy.judge(judging.candidate()) {
                Judgement::Known(true) => match judging.accept(said) {
                    Ok(next) => next,
                    Err(HandshakeError::OwnKey) => return State::Failed,
                    Err(error) => panic!("{error:?}"),
                },
                _ => {
                    judging.refuse(said);
                    return State::Failed;
                }
            },
            Ok(other) => panic!("{other:?}"),
            Err(HandshakeError::Internal) => panic!("our own side failed"),
            Err(_) => return State::Failed,
        };
    }
}
