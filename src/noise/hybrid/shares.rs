//! Shares that are no shares, sent by a peer whose tags are right.

use snow::{
    Builder, Error, HandshakeState,
    params::{CipherChoice, DHChoice, HashChoice, KemChoice, NoiseParams},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Kem, Random},
};

use super::{
    super::{
        Provider, Role,
        provider::fixed::kem_of_seed,
        resolver::Resolver,
        suite::{noise_name, snow_name},
        tests::providers,
    },
    Party, Stopped,
    double::{Double, Fault},
};

const KEY: usize = 1184;

/// Sets one 12-bit coefficient of an encapsulation key (FIPS 203, ByteEncode12).
fn set_coefficient(key: &mut [u8], index: usize, value: u16) {
    let three = &mut key[index / 2 * 3..][..3];
    let [low, high] = value.to_le_bytes();
    if index.is_multiple_of(2) {
        three[0] = low;
        three[1] = (three[1] & 0xf0) | high;
    } else {
        three[1] = (three[1] & 0x0f) | (low << 4);
        three[2] = (low >> 4) | (high << 4);
    }
}

fn key_with(index: usize, value: u16) -> Vec<u8> {
    let mut key = kem_of_seed(&[0x65; 64]).public().to_vec();
    assert_eq!(key.len(), KEY);
    set_coefficient(&mut key, index, value);
    key
}

/// An initiator sends `key` as its encapsulation key, sealed as it should be.
fn offer(party: &Party, key: Vec<u8>, responder: Provider) -> Stopped {
    let initiator = Double::provider(Role::Initiator, Fault::EncapsulationKey(key));
    let run = party.run([initiator, responder], |_turn, _message| ());
    run.map(|_sides| ()).unwrap_err()
}

#[test] // spec: H-7
fn an_encapsulation_key_out_of_range_gets_no_answer() {
    for responder in providers() {
        for party in Party::all() {
            for index in [0, 1, 254, 255, 256, 383, 384, 766, 767] {
                for value in [3329, 3330, 4095] {
                    let stopped = offer(&party, key_with(index, value), responder);
                    assert_eq!(stopped, Stopped::writing(1), "{party:?} {index} {value}");
                }
                // The greatest that is legal is answered; only its sender cannot use the answer.
                let stopped = offer(&party, key_with(index, 3328), responder);
                assert_eq!(stopped, Stopped::reading(1), "{party:?} {index}");
            }
        }
    }
}

#[test] // spec: H-3
fn an_encapsulation_key_of_another_size_is_not_even_sent() {
    for party in Party::all() {
        for size in [0, KEY - 1, KEY + 1] {
            let stopped = offer(&party, vec![0; size], Provider::default());
            assert_eq!(stopped, Stopped::writing(0), "{party:?} {size}");
        }
    }
}

#[test] // spec: H-5
fn a_kem_without_randomness_ends_the_handshake() {
    for party in Party::all() {
        let dry = |role| Double::provider(role, Fault::Dry);
        let honest = Provider::portable();
        for (turn, providers) in [
            [dry(Role::Initiator), honest],
            [honest, dry(Role::Responder)],
        ]
        .into_iter()
        .enumerate()
        {
            let run = party.run(providers, |_turn, _message| ());
            let stopped = run.map(|_sides| ()).unwrap_err();
            assert_eq!(stopped, Stopped::writing(turn), "{party:?}");
        }
    }
}

#[test]
fn a_kem_share_of_zeros_beside_a_good_x25519_share_is_never_finished() {
    for honest in providers() {
        for party in Party::all() {
            // Legal as a key, so answered; but no secret belongs to it.
            let stopped = offer(&party, vec![0; KEY], honest);
            assert_eq!(stopped, Stopped::reading(1), "{party:?}");
            // Rejected implicitly: the secret is one that its sender cannot know.
            let responder = Double::provider(Role::Responder, Fault::ZeroCiphertext);
            let run = party.run([honest, responder], |_turn, _message| ());
            let stopped = run.map(|_sides| ()).unwrap_err();
            assert_eq!(stopped, Stopped::reading(1), "{party:?}");
        }
    }
}

/// What an attacker makes of its X25519 share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Good,
    /// Zeros; the attacker reckons with the zeros that a careless victim would get from them.
    Zero,
}

struct Attacker {
    resolver: Resolver,
    share: Share,
}

impl CryptoResolver for Attacker {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        self.resolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(AttackersDh {
            dh: self.resolver.resolve_dh(choice)?,
            share: self.share,
            ephemeral: false,
        }))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        self.resolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        self.resolver.resolve_cipher(choice)
    }

    fn resolve_kem(&self, choice: &KemChoice) -> Option<Box<dyn Kem>> {
        self.resolver.resolve_kem(choice)
    }
}

struct AttackersDh {
    dh: Box<dyn Dh>,
    share: Share,
    ephemeral: bool,
}

impl AttackersDh {
    fn is_zero(&self) -> bool {
        self.ephemeral && self.share == Share::Zero
    }
}

impl Dh for AttackersDh {
    fn name(&self) -> &'static str {
        self.dh.name()
    }

    fn pub_len(&self) -> usize {
        self.dh.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.dh.priv_len()
    }

    fn set(&mut self, secret: &[u8]) {
        self.dh.set(secret);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        self.ephemeral = true;
        self.dh.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        if self.is_zero() {
            &[0; 32]
        } else {
            self.dh.pubkey()
        }
    }

    fn privkey(&self) -> &[u8] {
        self.dh.privkey()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        if self.is_zero() {
            out[..32].fill(0);
            return Ok(());
        }
        self.dh.dh(public, out)
    }
}

fn attacker(party: &Party, role: Role, share: Share) -> HandshakeState {
    let mut params: NoiseParams = snow_name(party.pattern, party.suite).parse().unwrap();
    params.name = noise_name(party.pattern, party.suite);
    let resolver = Resolver {
        backend: Provider::portable().backend(),
        known: None,
    };
    let mut builder = Builder::with_resolver(params, Box::new(Attacker { resolver, share }))
        .prologue(b"prologue")
        .unwrap();
    if party.pattern.uses_psk() {
        builder = builder.psk(0, party.psk.bytes()).unwrap();
    }
    if role == Role::Responder {
        let secret = party.secrets[1].bytes();
        let builder = builder.local_private_key(secret).unwrap();
        return builder.build_responder().unwrap();
    }
    if party.pattern.pins_responder() {
        let pinned = party.publics[1].as_bytes();
        builder = builder.remote_public_key(pinned).unwrap();
    }
    let secret = party.secrets[0].bytes();
    let builder = builder.local_private_key(secret).unwrap();
    builder.build_initiator().unwrap()
}

fn write(state: &mut HandshakeState) -> Vec<u8> {
    let mut room = vec![0; 2048];
    let len = state.write_message(&[], &mut room).unwrap();
    room.truncate(len);
    room
}

/// Whether a responder answers the first message of such an initiator.
fn is_answered(party: &Party, share: Share, victim: Provider) -> bool {
    let first = write(&mut attacker(party, Role::Initiator, share));
    assert_eq!(first.starts_with(&[0; 32]), share == Share::Zero);
    let read = party.side(Role::Responder, victim).read(&first);
    read.and_then(|victim| victim.write(&mut Vec::new()))
        .is_ok()
}

/// Whether an initiator takes the answer of such a responder.
fn is_taken(party: &Party, share: Share, victim: Provider) -> bool {
    let mut attacker = attacker(party, Role::Responder, share);
    let mut first = Vec::new();
    let victim = party
        .side(Role::Initiator, victim)
        .write(&mut first)
        .unwrap();
    attacker.read_message(&first, &mut [0; 64]).unwrap();
    let second = write(&mut attacker);
    assert_eq!(second.starts_with(&[0; 32]), share == Share::Zero);
    victim.read(&second).is_ok()
}

#[test] // spec: H-4
fn an_x25519_share_of_zeros_beside_a_good_kem_share_is_refused_by_both_roles() {
    for victim in providers() {
        for party in Party::all() {
            assert!(is_answered(&party, Share::Good, victim), "{party:?}");
            assert!(!is_answered(&party, Share::Zero, victim), "{party:?}");
            assert!(is_taken(&party, Share::Good, victim), "{party:?}");
            assert!(!is_taken(&party, Share::Zero, victim), "{party:?}");
        }
    }
}
