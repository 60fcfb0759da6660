//! Our handshake and records against the independent peer's, both roles, all honest (threat: 70; spec: all of 3 to 6).
//!
//! Input: setup, role, context, keys, protocols, then steps of a conversation. The other side's Noise
//! engine, records and rules are those of `tests/support/raw_peer.rs`, which shares no code with ours.
//! Asserted:
//! - with equal context, key and names both sides establish, agree on the hash, the key and the name;
//! - with a context or pre-shared key that differs in a bit nobody does (H-2, H-10);
//! - all messages of both sides arrive, across pieces, new keys, receipts and the end (T-14, T-16, E-8);
//! - the end is proven to both: Delivered and Complete.

use std::time::Instant;

use duologue::{
    Code, Config, HandshakeError, PeerPolicy, Psk, PublicKey, Received, SecretKey, Sent,
    proto::{Channel, Handshake, Offered, Origin, Processed, Progress, Step},
};

use crate::{
    input::Input,
    known::{Ear, answer, bring},
    raw_peer::{
        Opened, Options, RawFrame, RawHandshake, RawParams, RawRecord, RawSession, Role,
        handshake::public_key,
        wire::{take_body, with_length},
    },
    record0::names,
    setup::Setup,
};

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = Setup::read(&mut input);
    let initiates = input.flag();
    let differs = input.choice(4);
    let context = input.chunk().to_vec();
    let (ours, theirs, psk) = (key(&mut input, 1), key(&mut input, 2), key(&mut input, 3));
    if ours == theirs || public_key(ours) == public_key(theirs) {
        return;
    }
    let name = names(input.byte()).pop();
    let config = config(setup, (ours, theirs), psk, &context);
    let config = name.iter().fold(config, Config::protocol);
    let mut options = Options::new(setup.raw_suite(), setup.raw_pattern(), theirs);
    options.remote = Some(public_key(ours));
    options.psk = Some(psk);
    options.context = context;
    let same = match differs {
        1 => {
            options.context.push(0);
            false
        }
        2 if setup.raw_pattern().has_psk() => {
            options.psk = Some(psk.map(|byte| byte ^ 1));
            false
        }
        _ => true,
    };
    let pinned = setup
        .pinned()
        .map(|_| PublicKey::from_bytes(public_key(theirs)));
    let met = shake(&config, pinned, options, initiates, name.as_ref());
    assert_eq!(met.is_some(), same, "H-2");
    if let Some((channel, session)) = met {
        assert_eq!(channel.peer.handshake_hash, session.hash, "H-11");
        assert_eq!(*channel.peer.key.as_bytes(), public_key(theirs));
        assert_eq!(session.remote_static, public_key(ours));
        assert_eq!(channel.peer.protocol, name, "H-22");
        converse(channel, session, &mut input);
    }
}

fn key(input: &mut Input<'_>, otherwise: u8) -> [u8; 32] {
    let bytes = input.take(8);
    let mut key = [otherwise; 32];
    key[..bytes.len()].copy_from_slice(bytes);
    key
}

fn config(setup: Setup, keys: ([u8; 32], [u8; 32]), mut psk: [u8; 32], context: &[u8]) -> Config {
    let (mut ours, theirs) = keys;
    let config = Config::new(SecretKey::from_bytes(&mut ours))
        .peers(PeerPolicy::pinned([PublicKey::from_bytes(public_key(
            theirs,
        ))]))
        .suites([setup.suite()])
        .provider(setup.provider())
        .context(context);
    if setup.raw_pattern().has_psk() {
        config.psk(Psk::from_bytes(&mut psk))
    } else {
        config
    }
}

/// Both through the handshake; `None` if it fails, which it must do on our side without a word.
fn shake(
    config: &Config,
    pinned: Option<PublicKey>,
    options: Options,
    initiates: bool,
    name: Option<&String>,
) -> Option<(Channel, RawSession)> {
    let mut output = Vec::new();
    let (mut ours, mut raw) = if initiates {
        let ours = Handshake::initiator(config, pinned.as_ref(), &mut output).unwrap();
        (ours, RawHandshake::responder(options))
    } else {
        let ours = Handshake::responder(config, Origin::Unknown).unwrap();
        (ours, RawHandshake::initiator(options))
    };
    let mut input = Vec::new();
    while !raw.is_finished() {
        if raw.writes_next() {
            input.extend(with_length(&raw.write_body().unwrap()));
            ours = advance(ours, &mut input, &mut output)?.ok()?;
        } else {
            let body = take_body(&mut output)?;
            raw.read_body(&body).ok()?;
        }
    }
    let mut session = raw.into_session().unwrap();
    let params = RawParams {
        protocols: name.map(|name| vec![name.clone()]),
        ..RawParams::default()
    };
    let record = RawRecord::Batch(vec![RawFrame::Params(params.encode(&session.hash))]);
    input.extend(session.seal(&record));
    let channel = match advance(ours, &mut input, &mut output)? {
        Ok(waits) => panic!("waits for {}", waits.waiting_for()),
        Err(channel) => channel,
    };
    let Some(Opened::Plaintext(plaintext)) = session.open(&mut output) else {
        panic!("H-15: no record 0");
    };
    assert!(matches!(
        RawRecord::parse(&plaintext),
        Ok(RawRecord::Batch(_))
    ));
    assert_eq!((input.as_slice(), output.as_slice()), (&[][..], &[][..]));
    assert_eq!(session.role == Role::Responder, initiates);
    Some((*channel, session))
}

type Advanced = Result<Handshake, Box<Channel>>;

fn advance(mut ours: Handshake, input: &mut Vec<u8>, output: &mut Vec<u8>) -> Option<Advanced> {
    let bytes = core::mem::take(input);
    let mut rest = &*bytes;
    loop {
        let said = output.len();
        ours = match ours.step(&mut rest, output, Instant::now()) {
            Ok(Step::NeedInput(next)) => return Some(Ok(next)),
            Ok(Step::Established(channel)) => return Some(Err(Box::new(channel))),
            Ok(Step::Judge(judging)) => judging.accept(output).unwrap(),
            Ok(other) => panic!("{other:?}"),
            Err(HandshakeError::Failed) => {
                assert_eq!(output.len(), said, "H-9");
                return None;
            }
            Err(error) => panic!("{error:?}"),
        };
    }
}

fn converse(mut ours: Channel, mut raw: RawSession, input: &mut Input<'_>) {
    let now = Instant::now();
    let mut ear = Ear::new(raw.receive.clone());
    let (mut sent, mut brought) = (Vec::new(), Vec::new());
    for _turn in 0..40 {
        if input.is_empty() {
            break;
        }
        let deed = input.byte();
        let message = vec![deed; usize::from(input.number()) * if deed < 16 { 8 } else { 1 }];
        match deed % 8 {
            0..=2 => {
                let mut progress = Progress::default();
                while ours.send.offer(&message, &mut progress, now) == Ok(Offered::Full) {
                    ear.hear(&mut ours.send);
                }
                sent.push(message);
            }
            3 => ours.send.rekey_now(now).unwrap(),
            4 => ours.send.request_receipt(now).unwrap(),
            5 => {
                let bytes = raw.seal_frames(&[
                    RawFrame::Message(message[..message.len().min(9_000)].to_vec()),
                    RawFrame::Rekey,
                ]);
                raw.rekey_send();
                brought.push(message[..message.len().min(9_000)].to_vec());
                assert_eq!(bring(&mut ours, &bytes, now), Processed::NeedInput);
            }
            _ => {
                // In pieces of what the last byte says.
                let size = 1_024 + usize::from(input.byte()) * 64;
                let mut pieces = message.chunks(size).peekable();
                let mut bytes = Vec::new();
                while let Some(piece) = pieces.next_if(|_| true) {
                    let last = pieces.peek().is_none();
                    let record = if last {
                        RawRecord::Message(piece.to_vec())
                    } else {
                        RawRecord::Piece(piece.to_vec())
                    };
                    bytes.extend(raw.seal(&record));
                }
                if message.is_empty() {
                    bytes = raw.seal(&RawRecord::Message(Vec::new()));
                }
                brought.push(message);
                // A large one alone fills what is held; then it is only read on when it is taken.
                let processed = bring(&mut ours, &bytes, now);
                assert!(matches!(processed, Processed::NeedInput | Processed::Full));
            }
        }
        while let Some(message) = ours.receive.take() {
            let at = ours.receive.taken_count() as usize - 1;
            assert!(message == brought[at], "T-14");
        }
        answer(&mut ours, now);
        ear.hear(&mut ours.send);
    }
    assert!(ear.heard.messages == sent, "T-14");
    end(ours, raw, ear, brought.len() as u64);
}

/// Both end; both have proof (spec: E-8).
fn end(mut ours: Channel, mut raw: RawSession, mut ear: Ear, brought: u64) {
    let now = Instant::now();
    ours.send.finish(Code::NONE, "", now).unwrap();
    let sent = ours.send.sent_count();
    let last = [
        RawFrame::End(brought, 0, Vec::new()),
        RawFrame::FinalReceipt(sent),
    ];
    assert_eq!(
        bring(&mut ours, &raw.seal_frames(&last), now),
        Processed::NeedInput
    );
    answer(&mut ours, now);
    ear.hear(&mut ours.send);
    assert_eq!(ear.heard.end, Some(sent), "E-1");
    assert_eq!(ear.heard.final_receipt, Some(brought), "E-6");
    assert_eq!(ours.send.sent(), Sent::Delivered(sent));
    assert_eq!(ours.receive.received(), Received::Complete(brought));
    assert!(ours.is_over(), "E-8");
}
