//! The raw peer against itself, against published Noise vectors, and against the specification.

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use raw_peer::handshake::public_key;
use raw_peer::suite::Token;
use raw_peer::wire::{prologue, take_varint, varint, varint_of_width, with_length};
use raw_peer::{Opened, Options, Pattern, RawError, RawFrame, RawHandshake, RawParams, RawRecord};
use raw_peer::{RawSession, Suite};
use raw_tokio::{Heard, RawPeer};
use serde_json::Value;

fn both(suite: Suite, pattern: Pattern) -> (Options, Options) {
    let mut initiator = Options::new(suite, pattern, [1; 32]);
    let mut responder = Options::new(Suite::ChaChaPoly, Pattern::Xx, [2; 32]);
    initiator.remote = Some(public_key([2; 32]));
    for side in [&mut initiator, &mut responder] {
        side.psk = Some([7; 32]);
        side.context = b"test".to_vec();
    }
    (initiator, responder)
}

fn run(options: (Options, Options)) -> Result<(RawSession, RawSession), RawError> {
    let mut initiator = RawHandshake::initiator(options.0);
    let mut responder = RawHandshake::responder(options.1);
    responder.read_body(&initiator.write_body()?)?;
    initiator.read_body(&responder.write_body()?)?;
    responder.read_body(&initiator.write_body()?)?;
    Ok((initiator.into_session()?, responder.into_session()?))
}

fn combinations() -> impl Iterator<Item = (Suite, Pattern)> {
    let patterns = |suite| Pattern::ALL.map(|pattern| (suite, pattern));
    Suite::ALL.into_iter().flat_map(patterns)
}

fn plaintext(session: &mut RawSession, mut record: Vec<u8>) -> Option<Vec<u8>> {
    match session.open(&mut record)? {
        Opened::Plaintext(plaintext) => Some(plaintext),
        Opened::Broken(_) => None,
    }
}

#[test]
fn both_roles_agree_in_every_suite_and_pattern() {
    for (suite, pattern) in combinations() {
        let (mut initiator, mut responder) = run(both(suite, pattern)).unwrap();

        assert_eq!(initiator.hash, responder.hash);
        assert_eq!(initiator.remote_static, public_key([2; 32]));
        assert_eq!(responder.remote_static, public_key([1; 32]));
        let record = initiator.seal_plaintext(b"there");
        assert_eq!(plaintext(&mut responder, record).unwrap(), b"there");
        let record = responder.seal_plaintext(b"back");
        assert_eq!(plaintext(&mut initiator, record).unwrap(), b"back");
    }
}

#[test]
fn names_are_those_of_the_specification() {
    let name = |pattern: Pattern, suite| pattern.protocol_name(suite);
    let plain = name(Pattern::Xx, Suite::AesGcm);
    let psk = name(Pattern::XkPsk0, Suite::ChaChaPoly);
    let hybrid = name(Pattern::Xx, Suite::HybridAesGcm);
    let all = name(Pattern::XkPsk0, Suite::HybridChaChaPoly);

    assert_eq!(plain, "Noise_XX_25519_AESGCM_SHA256");
    assert_eq!(psk, "Noise_XKpsk0_25519_ChaChaPoly_SHA256");
    assert_eq!(hybrid, "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256");
    assert_eq!(all, "Noise_XKhfs+psk0_25519+MLKEM768_ChaChaPoly_SHA256");
}

#[test]
fn messages_have_the_sizes_of_the_table() {
    let table = [
        [[32, 96, 64], [48, 48, 64], [48, 96, 64], [48, 48, 64]],
        [
            [1216, 1200, 64],
            [1248, 1152, 64],
            [1248, 1200, 64],
            [1248, 1152, 64],
        ],
    ];
    for (suite, pattern) in combinations() {
        let row = table[usize::from(suite.is_hybrid())];
        let place = Pattern::ALL.iter().position(|p| *p == pattern).unwrap();
        assert_eq!(pattern.sizes(suite), row[place], "{pattern:?} {suite:?}");

        let (options, responder) = both(suite, pattern);
        let mut initiator = RawHandshake::initiator(options);
        let mut responder = RawHandshake::responder(responder);
        let first = initiator.write_body().unwrap();
        responder.read_body(&first).unwrap();
        let second = responder.write_body().unwrap();
        initiator.read_body(&second).unwrap();
        let third = initiator.write_body().unwrap();
        let sizes = [first.len() - 8, second.len() - 1, third.len()];
        assert_eq!(sizes, row[place]);
    }
}

#[test]
fn the_prologue_holds_hello_and_context() {
    let prologue = prologue(*b"duo\x01\x03\x11\x00\x00", b"ab");
    assert_eq!(prologue, b"duologue/1duo\x01\x03\x11\x00\x00\x00\x02ab");
}

fn bytes(vector: &Value, key: &str) -> Vec<u8> {
    hex::decode(vector[key].as_str().unwrap()).unwrap()
}

fn key(vector: &Value, key: &str) -> Option<[u8; 32]> {
    let text = vector[key].as_str()?;
    Some(hex::decode(text).unwrap().try_into().unwrap())
}

/// The side of a published vector; at most one psk a message is followed.
fn side(vector: &Value, prefix: &str) -> Option<Options> {
    let name = vector["protocol_name"].as_str().unwrap();
    let parts: Vec<&str> = name.split('_').collect();
    let suite = match parts[3] {
        "ChaChaPoly" => Suite::ChaChaPoly,
        _ => Suite::AesGcm,
    };
    let (pattern, modifiers) = match parts[1].split_at_checked(2)? {
        ("XX", modifiers) => (Pattern::Xx, modifiers),
        ("XK", modifiers) => (Pattern::Xk, modifiers),
        _ => return None,
    };
    let mut tokens = pattern.messages(suite);
    for modifier in modifiers.split('+').filter(|text| !text.is_empty()) {
        match modifier {
            "psk0" => tokens[0].insert(0, Token::Psk),
            "psk2" => tokens[1].push(Token::Psk),
            "psk3" => tokens[2].push(Token::Psk),
            _ => return None,
        }
    }
    let field = |name: &str| format!("{prefix}_{name}");
    let mut options = Options::new(suite, pattern, key(vector, &field("static")).unwrap());
    options.ephemeral = key(vector, &field("ephemeral"));
    options.remote = key(vector, "init_remote_static");
    options.lies.protocol_name = Some(name.to_owned());
    options.lies.prologue = Some(bytes(vector, &field("prologue")));
    options.lies.tokens = Some(tokens);
    options.lies.takes_payload = true;
    options.lies.ignores_sizes = true;
    Some(options)
}

/// Replays one vector; `None` when it is of another pattern.
fn replay(vector: &Value) -> Option<()> {
    let mut initiator = RawHandshake::initiator(side(vector, "init")?);
    let mut responder = RawHandshake::responder(side(vector, "resp")?);
    responder.begin([0; 8]);
    let mut psks = vector["init_psks"].as_array().into_iter().flatten();
    let messages = vector["messages"].as_array().unwrap();
    for (step, message) in messages[..3].iter().enumerate() {
        let (writer, reader) = match step {
            1 => (&mut responder, &mut initiator),
            _ => (&mut initiator, &mut responder),
        };
        let tokens = writer.options.lies.tokens.clone().unwrap();
        if tokens[step].contains(&Token::Psk) {
            let psk = psks.next().unwrap().as_str().unwrap();
            let psk = Some(hex::decode(psk).unwrap().try_into().unwrap());
            (writer.options.psk, reader.options.psk) = (psk, psk);
        }
        writer.options.lies.payloads[step] = bytes(message, "payload");
        let written = writer.write_message().unwrap();
        assert_eq!(written, bytes(message, "ciphertext"), "{vector}");
        reader.read_message(&written).unwrap();
    }
    let mut initiator = initiator.into_session().unwrap();
    let mut responder = responder.into_session().unwrap();
    if let Some(hash) = key(vector, "handshake_hash") {
        assert_eq!(initiator.hash, hash);
    }
    for (step, message) in messages.iter().enumerate().skip(3) {
        let (writer, reader) = match step % 2 {
            1 => (&mut responder, &mut initiator),
            _ => (&mut initiator, &mut responder),
        };
        let record = writer.seal_plaintext(&bytes(message, "payload"));
        assert_eq!(record, with_length(&bytes(message, "ciphertext")));
        assert_eq!(
            plaintext(reader, record).unwrap(),
            bytes(message, "payload")
        );
    }
    Some(())
}

#[test]
fn published_noise_vectors_are_met_byte_for_byte() {
    let files = [
        include_str!("vectors/noise/cacophony-25519-sha256.json"),
        include_str!("vectors/noise/snow-25519-sha256.json"),
    ];
    let mut met = Vec::new();
    for file in files {
        let file: Value = serde_json::from_str(file).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let name = vector["protocol_name"].as_str().unwrap();
            met.extend(replay(vector).map(|()| name.to_owned()));
        }
    }

    assert_eq!(met.len(), 18, "{met:?}");
    for needed in [
        "XX_",
        "XK_",
        "XXpsk3_",
        "XKpsk3_",
        "XXpsk0+psk3_",
        "XKpsk0+psk3_",
    ] {
        assert!(met.iter().any(|name| name.contains(needed)), "{needed}");
    }
}

#[test]
fn a_zero_ephemeral_key_is_refused_and_can_be_taken_by_a_fool() {
    let mut options = both(Suite::ChaChaPoly, Pattern::Xx);
    options.0.lies.ephemeral_public = Some([0; 32]);
    options.0.lies.takes_zero_dh = true;

    assert_eq!(run(options.clone()).unwrap_err(), RawError::ZeroDh);
    options.1.lies.takes_zero_dh = true;
    let (initiator, responder) = run(options).unwrap();
    assert_eq!(initiator.hash, responder.hash);
}

#[test]
fn an_encapsulation_key_out_of_range_is_refused() {
    let mut options = both(Suite::HybridChaChaPoly, Pattern::Xk);
    options.0.lies.kem_key = Some(vec![0xff; 1184]);

    assert_eq!(run(options).unwrap_err(), RawError::KemKey);
}

#[test]
fn a_foreign_kem_ciphertext_shows_at_the_next_tag() {
    let mut options = both(Suite::HybridAesGcm, Pattern::Xx);
    options.1.lies.kem_ciphertext = Some(vec![3; 1088]);

    assert_eq!(run(options).unwrap_err(), RawError::Tag);
}

#[test]
fn another_context_psk_or_pinned_key_fails_at_a_tag() {
    let changes: [fn(&mut Options); 3] = [
        |options| options.context = b"other".to_vec(),
        |options| options.psk = Some([8; 32]),
        |options| options.remote = Some(public_key([9; 32])),
    ];
    for change in changes {
        let mut options = both(Suite::HybridChaChaPoly, Pattern::XkPsk0);
        change(&mut options.0);
        assert_eq!(run(options).unwrap_err(), RawError::Tag);
    }
}

#[test]
fn a_payload_or_another_size_is_refused_before_any_key_agreement() {
    let mut options = both(Suite::ChaChaPoly, Pattern::Xk);
    options.0.lies.payloads[0] = vec![1];

    let size = RawError::Size {
        expected: 48,
        got: 49,
    };
    assert_eq!(run(options).unwrap_err(), size);
}

#[test]
fn fixed_choices_make_a_fixed_transcript() {
    let fixed = || {
        let mut options = both(Suite::HybridChaChaPoly, Pattern::XxPsk0);
        for side in [&mut options.0, &mut options.1] {
            side.ephemeral = Some([3; 32]);
            side.kem_seed = Some([4; 64]);
            side.kem_message = Some([5; 32]);
        }
        run(options).unwrap().0.hash
    };
    assert_eq!(fixed(), fixed());
}

#[test]
fn a_rekeyed_direction_goes_on_with_its_counter() {
    for suite in Suite::ALL {
        let (mut initiator, mut responder) = run(both(suite, Pattern::Xx)).unwrap();
        let first = initiator.seal_frames(&[RawFrame::Rekey]);
        plaintext(&mut responder, first).unwrap();
        initiator.rekey_send();

        let record = initiator.seal_plaintext(b"new");
        assert_eq!(plaintext(&mut responder, record.clone()), None);
        responder.rekey_receive();
        assert_eq!(plaintext(&mut responder, record).unwrap(), b"new");
        assert_eq!((initiator.send.counter, responder.receive.counter), (2, 2));
    }
}

#[test]
fn a_record_that_does_not_open_leaves_the_counter() {
    let (mut initiator, mut responder) = run(both(Suite::AesGcm, Pattern::Xx)).unwrap();
    let record = initiator.seal_plaintext(b"x");
    let mut broken = record.clone();
    broken[5] ^= 1;

    assert_eq!(plaintext(&mut responder, broken), None);
    assert_eq!(responder.receive.counter, 0);
    assert_eq!(plaintext(&mut responder, record).unwrap(), b"x");
}

#[test]
fn every_frame_is_read_as_it_was_written() {
    let frames = vec![
        RawFrame::Params(vec![1, 2]),
        RawFrame::Message(vec![]),
        RawFrame::End(3, u64::from(u32::MAX), vec![b'x'; 256]),
        RawFrame::Receipt(u64::MAX >> 1),
        RawFrame::Abort(0, vec![]),
        RawFrame::Ping([1; 8]),
        RawFrame::Pong([2; 8]),
        RawFrame::Rekey,
        RawFrame::ReceiptRequest,
        RawFrame::Drain(30_000),
        RawFrame::FinalReceipt(128),
        RawFrame::Stop(127),
        RawFrame::Discard,
        RawFrame::Padding(9),
    ];
    let batch = RawRecord::Batch(frames);
    assert_eq!(RawRecord::parse(&batch.encode()), Ok(batch));
}

#[test]
fn malformed_plaintexts_are_told_apart_from_good_ones() {
    let bad: [&[u8]; 12] = [
        &[],
        &[0],
        &[2],
        &[3],
        &[0x03, 0],
        &[0x0f, 0],
        &[0x20, 0],
        &[0x00, 1, 0],
        &[0x05, 0x80, 0x00, 0],
        &[0x05, 0x80, 0],
        &[0x02, 2, 1, 0],
        &[0x07, 1, 2, 3, 4, 5, 6, 7, 0],
    ];
    for plaintext in bad {
        assert!(RawRecord::parse(plaintext).is_err(), "{plaintext:?}");
    }
}

#[test]
fn varints_are_minimal_and_of_at_most_nine_bytes() {
    for value in [0, 1, 127, 128, 16_383, 16_384, u64::MAX >> 1] {
        assert_eq!(take_varint(&mut varint(value).as_slice()), Ok(value));
    }
    assert_eq!(varint(u64::MAX >> 1).len(), 9);
    assert_eq!(varint_of_width(5, 3), [0x85, 0x80, 0x00]);
    assert!(take_varint(&mut varint(1 << 63).as_slice()).is_err());
    assert!(take_varint(&mut varint_of_width(5, 2).as_slice()).is_err());
}

#[test]
fn params_are_read_as_they_were_written() {
    let hash = [0xff; 32];
    let params = RawParams {
        protocols: Some(vec!["a/1".into(), "b".into()]),
        max_message: Some(1 << 62),
        idle_timeout: Some(1_000),
        others: vec![(99, vec![1])],
    };
    let read = RawParams::parse(&params.encode(&hash)).unwrap();

    assert!(read.has_never_assigned(&hash));
    assert_eq!(read.others[1], (0x5f, vec![0xa5; 7]));
    assert_eq!(
        (read.protocols, read.others[0].clone()),
        (params.protocols, (99, vec![1]))
    );
}

#[test]
fn params_out_of_range_are_refused() {
    let bad: [&[u8]; 9] = [
        &[2, 1, 0],
        &[2, 2, 1, 1],
        &[2, 1, 1, 2, 1, 1],
        &[2, 2, 1],
        &[3, 1, 1],
        &[3, 2, 0x80, 0x00],
        &[1, 1, 0],
        &[1, 2, 2, b'a'],
        &[1, 2, 1, 0xff],
    ];
    for bytes in bad {
        assert!(RawParams::parse(bytes).is_err(), "{bytes:?}");
    }
}

#[tokio::test]
async fn two_raw_peers_meet_over_a_transport() {
    let (near, far) = tokio::io::duplex(4096);
    let (initiator, responder) = both(Suite::HybridChaChaPoly, Pattern::Xk);
    let params = RawParams::default();
    let (dialled, accepted) = tokio::join!(
        RawPeer::connect(near, initiator, &params),
        RawPeer::accept(far, responder, &params)
    );
    let ((mut initiator, _), (mut responder, theirs)) = (dialled.unwrap(), accepted.unwrap());

    assert!(theirs.has_never_assigned(&responder.session.hash));
    initiator.send_frames(&[RawFrame::Rekey]).await.unwrap();
    initiator
        .send(&RawRecord::Message(b"m".to_vec()))
        .await
        .unwrap();
    drop(initiator);
    let rekey = RawRecord::Batch(vec![RawFrame::Rekey]);
    let message = RawRecord::Message(b"m".to_vec());
    assert_eq!(responder.next().await, Heard::Record(rekey));
    assert_eq!(responder.next().await, Heard::Record(message));
    assert_eq!(responder.next().await, Heard::EndOfStream);
}
