//! The vectors of two Noise implementations: every pattern, for the resolver under snow.

use serde::Deserialize;
use snow::{Builder, HandshakeState, params::NoiseParams};

use super::{
    super::{Opener, Provider, Sealer, provider::AeadKind, resolver::Resolver, tests::providers},
    Hex, load,
};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    protocol_name: String,
    #[serde(default)]
    init_prologue: Hex,
    #[serde(default)]
    init_psks: Vec<Hex>,
    init_static: Option<Hex>,
    init_ephemeral: Option<Hex>,
    init_remote_static: Option<Hex>,
    #[serde(default)]
    resp_prologue: Hex,
    #[serde(default)]
    resp_psks: Vec<Hex>,
    resp_static: Option<Hex>,
    resp_ephemeral: Option<Hex>,
    resp_remote_static: Option<Hex>,
    handshake_hash: Option<Hex>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    payload: Hex,
    ciphertext: Hex,
}

/// What one side of a vector is given.
struct Side<'a> {
    prologue: &'a Hex,
    psks: Vec<[u8; 32]>,
    secret: Option<&'a Hex>,
    ephemeral: Option<&'a Hex>,
    remote: Option<&'a Hex>,
}

impl Side<'_> {
    fn builder(&self, provider: Provider, params: &NoiseParams) -> Builder<'_> {
        // No public key is `known`: it would stand in for the fixed ephemeral one too.
        let resolver = Resolver {
            backend: provider.backend(),
            known: None,
        };
        let mut builder = Builder::with_resolver(params.clone(), Box::new(resolver))
            .prologue(&self.prologue.0)
            .unwrap();
        // The psks of a vector are listed in the order of the places that its name gives them.
        for (place, psk) in psk_places(&params.name).into_iter().zip(&self.psks) {
            builder = builder.psk(place, psk).unwrap();
        }
        if let Some(secret) = self.secret {
            builder = builder.local_private_key(&secret.0).unwrap();
        }
        if let Some(remote) = self.remote {
            builder = builder.remote_public_key(&remote.0).unwrap();
        }
        if let Some(ephemeral) = self.ephemeral {
            builder = builder.fixed_ephemeral_key_for_testing_only(&ephemeral.0);
        }
        builder
    }
}

fn psk_places(name: &str) -> Vec<u8> {
    let pattern = name.split('_').nth(1).unwrap();
    let places = pattern.split("psk").skip(1);
    places
        .map(|place| place.trim_end_matches('+').parse().unwrap())
        .collect()
}

impl Vector {
    fn states(&self, provider: Provider) -> [HandshakeState; 2] {
        let params: NoiseParams = self.protocol_name.parse().unwrap();
        let places = psk_places(&params.name).len();
        assert_eq!(self.init_psks.len(), places, "{}", self.protocol_name);
        assert_eq!(self.resp_psks.len(), places, "{}", self.protocol_name);
        let initiator = Side {
            prologue: &self.init_prologue,
            psks: self.init_psks.iter().map(Hex::array).collect(),
            secret: self.init_static.as_ref(),
            ephemeral: self.init_ephemeral.as_ref(),
            remote: self.init_remote_static.as_ref(),
        };
        let responder = Side {
            prologue: &self.resp_prologue,
            psks: self.resp_psks.iter().map(Hex::array).collect(),
            secret: self.resp_static.as_ref(),
            ephemeral: self.resp_ephemeral.as_ref(),
            remote: self.resp_remote_static.as_ref(),
        };
        [
            initiator.builder(provider, &params).build_initiator(),
            responder.builder(provider, &params).build_responder(),
        ]
        .map(|state| state.unwrap_or_else(|error| panic!("{}: {error}", self.protocol_name)))
    }

    /// Who sends the message of a turn: 0 is the initiator, the only one in a one-way pattern.
    fn speaker(&self, turn: usize) -> usize {
        let pattern = self.protocol_name.split('_').nth(1).unwrap();
        match pattern.split("psk").next().unwrap() {
            "N" | "K" | "X" => 0,
            _ => turn % 2,
        }
    }

    /// Runs the vector; gives the number of its handshake messages.
    fn run(&self, provider: Provider) -> usize {
        let name = &self.protocol_name;
        let mut states = self.states(provider);
        let mut turn = 0;
        while !states[0].is_handshake_finished() {
            let message = &self.messages[turn];
            let mut room = vec![0; 65_535];
            let [writer, reader] = in_turn(&mut states, self.speaker(turn));
            let len = writer.write_message(&message.payload.0, &mut room).unwrap();
            assert_eq!(room[..len], message.ciphertext.0, "{name}");
            let len = reader
                .read_message(&message.ciphertext.0, &mut room)
                .unwrap();
            assert_eq!(room[..len], message.payload.0, "{name}");
            turn += 1;
        }
        assert!(states[1].is_handshake_finished(), "{name}");
        if let Some(hash) = &self.handshake_hash {
            assert_eq!(states[0].get_handshake_hash(), hash.0, "{name}");
            assert_eq!(states[1].get_handshake_hash(), hash.0, "{name}");
        }
        self.run_record_ciphers(provider, &mut states, turn);
        self.run_transport(states, turn);
        turn
    }

    /// The transport messages under our own record ciphers.
    fn run_record_ciphers(
        &self,
        provider: Provider,
        states: &mut [HandshakeState; 2],
        done: usize,
    ) {
        let name = &self.protocol_name;
        let kind = if name.contains("_AESGCM_") {
            AeadKind::AesGcm
        } else {
            AeadKind::ChaChaPoly
        };
        let (first, second) = states[0].dangerously_get_raw_split();
        assert_eq!((first, second), states[1].dangerously_get_raw_split());
        let mut sealers = [&first, &second].map(|key| Sealer::new(provider, kind, key).unwrap());
        let mut openers = [&first, &second].map(|key| Opener::new(provider, kind, key).unwrap());
        for (turn, message) in self.messages.iter().enumerate().skip(done) {
            let mut record = [message.payload.0.as_slice(), &[0; 16]].concat();
            sealers[self.speaker(turn)].seal(&mut record).unwrap();
            assert_eq!(record, message.ciphertext.0, "{name}");
            openers[self.speaker(turn)].open(&mut record).unwrap();
            assert_eq!(record[..record.len() - 16], message.payload.0, "{name}");
        }
    }

    /// The transport messages under snow, so through the resolver's ciphers.
    fn run_transport(&self, states: [HandshakeState; 2], done: usize) {
        let name = &self.protocol_name;
        let mut states = states.map(|state| state.into_transport_mode().unwrap());
        for (turn, message) in self.messages.iter().enumerate().skip(done) {
            let mut room = vec![0; 65_535];
            let [writer, reader] = in_turn(&mut states, self.speaker(turn));
            let len = writer.write_message(&message.payload.0, &mut room).unwrap();
            assert_eq!(room[..len], message.ciphertext.0, "{name}");
            let len = reader
                .read_message(&message.ciphertext.0, &mut room)
                .unwrap();
            assert_eq!(room[..len], message.payload.0, "{name}");
        }
    }
}

/// Writer and reader, the speaker first.
fn in_turn<T>(pair: &mut [T; 2], speaker: usize) -> [&mut T; 2] {
    let [initiator, responder] = pair;
    match speaker {
        0 => [initiator, responder],
        _ => [responder, initiator],
    }
}

/// What a file holds, counted while it runs.
#[derive(Debug, PartialEq, Eq, Default)]
struct Ran {
    vectors: usize,
    hashes: usize,
    handshake_messages: usize,
    transport_messages: usize,
}

fn run(file: &str, provider: Provider) -> Ran {
    let file: File = load(file);
    let mut ran = Ran::default();
    for vector in &file.vectors {
        let handshake = vector.run(provider);
        ran.vectors += 1;
        ran.hashes += usize::from(vector.handshake_hash.is_some());
        ran.handshake_messages += handshake;
        ran.transport_messages += vector.messages.len() - handshake;
    }
    ran
}

#[test]
fn every_vector_of_cacophony_runs_with_every_provider() {
    for provider in providers() {
        let ran = run("noise/cacophony-25519-sha256.json", provider);
        let all = Ran {
            vectors: 118,
            hashes: 118,
            handshake_messages: 286,
            transport_messages: 422,
        };
        assert_eq!(ran, all, "{provider:?}");
    }
}

#[test]
fn every_vector_of_snow_runs_with_every_provider() {
    for provider in providers() {
        let ran = run("noise/snow-25519-sha256.json", provider);
        let all = Ran {
            vectors: 102,
            hashes: 0,
            handshake_messages: 266,
            transport_messages: 198,
        };
        assert_eq!(ran, all, "{provider:?}");
    }
}

#[test]
fn both_files_hold_the_patterns_that_duologue_speaks() {
    let [mut xx, mut xk] = [0, 0];
    for file in [
        "noise/cacophony-25519-sha256.json",
        "noise/snow-25519-sha256.json",
    ] {
        let file: File = load(file);
        for vector in &file.vectors {
            xx += usize::from(vector.protocol_name.starts_with("Noise_XX_"));
            xk += usize::from(vector.protocol_name.starts_with("Noise_XK_"));
        }
    }
    // Two AEADs in each file.
    assert_eq!([xx, xk], [4, 4]);
}
