//! Vectors of the kit's own engine.

use super::{Body, FORMAT, File, Record, Session, Side, Vector, framed};
use crate::raw_peer::wire::{hello, prologue, refusal, varint, varint_of_width};
use crate::raw_peer::{Options, Pattern, RawFrame, RawHandshake, RawParams, RawRecord};
use crate::raw_peer::{RawSession, Suite, handshake::public_key};
use std::path::Path;

/// Writes `handshakes.json`, `records.json` and `bytes.json`.
pub fn write(directory: &Path) -> Result<(), String> {
    let text = |error: std::io::Error| format!("{}: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(text)?;
    for (name, vectors) in [
        ("handshakes.json", handshakes()?),
        ("records.json", records()?),
        ("bytes.json", plain()),
    ] {
        let file = File {
            format: FORMAT.into(),
            vectors,
        };
        let json = serde_json::to_string_pretty(&file).map_err(|error| error.to_string())?;
        std::fs::write(directory.join(name), json + "\n").map_err(text)?;
    }
    Ok(())
}

fn vector(name: impl Into<String>, clause: &str, body: Body) -> Vector {
    Vector {
        name: name.into(),
        clause: clause.into(),
        body,
    }
}

fn handshakes() -> Result<Vec<Vector>, String> {
    let mut vectors = Vec::new();
    for suite in Suite::ALL {
        for pattern in Pattern::ALL {
            let (session, _) = transcript(suite, pattern)?;
            let name = session.protocol_name.clone();
            for turn in 0..3 {
                vectors.extend(tampered(&session, turn)?);
            }
            vectors.push(vector(name, "H-1", Body::Session(Box::new(session))));
        }
    }
    Ok(vectors)
}

/// The transcript with one bit of a body changed, where its reader can notice.
fn tampered(session: &Session, turn: usize) -> Result<Option<Vector>, String> {
    let pattern = Pattern::of(session.pattern).ok_or("pattern")?;
    if turn == 0 && !pattern.is_pinned() && !pattern.has_psk() {
        return Ok(None); // message 1 of XX has no tag
    }
    let mut session = session.clone();
    session.bodies.truncate(turn + 1);
    let mut body = hex::decode(&session.bodies[turn]).map_err(|error| error.to_string())?;
    if let Some(last) = body.last_mut() {
        *last ^= 1;
    }
    session.bodies[turn] = hex::encode(body);
    session.fails_at = Some(turn);
    (session.hash, session.keys) = (None, None);
    session.records.clear();
    let name = format!("{} message {} tampered", session.protocol_name, turn + 1);
    Ok(Some(vector(name, "H-9", Body::Session(Box::new(session)))))
}

fn side(suite: Suite, number: u8) -> Side {
    let hybrid = suite.is_hybrid();
    Side {
        secret: hex::encode([number; 32]),
        ephemeral: hex::encode([number + 0x10; 32]),
        kem_seed: (hybrid && number == 1).then(|| hex::encode([number + 0x20; 64])),
        kem_message: (hybrid && number == 2).then(|| hex::encode([number + 0x20; 32])),
    }
}

/// A handshake and record 0 of both sides.
fn transcript(suite: Suite, pattern: Pattern) -> Result<(Session, [RawSession; 2]), String> {
    let context = b"vectors".to_vec();
    let mut session = Session {
        suite: suite.id(),
        pattern: pattern.id(),
        protocol_name: pattern.protocol_name(suite),
        prologue: hex::encode(prologue(hello(suite.id(), pattern.id()), &context)),
        context: hex::encode(context),
        psk: pattern.has_psk().then(|| hex::encode([7; 32])),
        initiator: side(suite, 1),
        responder: side(suite, 2),
        bodies: Vec::new(),
        fails_at: None,
        hash: None,
        keys: None,
        records: Vec::new(),
    };
    let options = |side| -> Result<Options, String> { super::options(&session, side) };
    let mut initiator = options(&session.initiator)?;
    initiator.remote = Some(public_key([2; 32]));
    let mut initiator = RawHandshake::initiator(initiator);
    let mut responder = RawHandshake::responder(options(&session.responder)?);
    for turn in 0..3 {
        let (writer, reader) = match turn {
            1 => (&mut responder, &mut initiator),
            _ => (&mut initiator, &mut responder),
        };
        let body = writer.write_body().map_err(|error| format!("{error:?}"))?;
        reader
            .read_body(&body)
            .map_err(|error| format!("{error:?}"))?;
        session.bodies.push(hex::encode(body));
    }
    let initiator = initiator
        .into_session()
        .map_err(|error| format!("{error:?}"))?;
    let responder = responder
        .into_session()
        .map_err(|error| format!("{error:?}"))?;
    session.hash = Some(hex::encode(initiator.hash));
    session.keys = Some([
        hex::encode(initiator.send.key),
        hex::encode(responder.send.key),
    ]);
    let params = RawParams::default().encode(&initiator.hash);
    let params = RawRecord::Batch(vec![RawFrame::Params(params)]);
    let mut both = [initiator, responder];
    for from in [0, 1] {
        session.records.push(sealed(&mut both, from, &params));
    }
    Ok((session, both))
}

const NAMES: [&str; 2] = ["initiator", "responder"];

fn sealed(both: &mut [RawSession; 2], from: usize, record: &RawRecord) -> Record {
    let plaintext = record.encode();
    let sealed = both[from].seal_plaintext(&plaintext);
    if matches!(record, RawRecord::Batch(frames) if frames.contains(&RawFrame::Rekey)) {
        both[from].rekey_send();
    }
    Record {
        from: NAMES[from].into(),
        plaintext: Some(hex::encode(plaintext)),
        record: hex::encode(sealed),
    }
}

fn records() -> Result<Vec<Vector>, String> {
    let mut vectors = Vec::new();
    for suite in [Suite::ChaChaPoly, Suite::AesGcm] {
        let name = format!("records of {}", Pattern::Xx.protocol_name(suite));
        let (mut session, mut both) = transcript(suite, Pattern::Xx)?;
        let message = |bytes: &[u8]| RawFrame::Message(bytes.to_vec());
        let conversation = [
            (0, RawRecord::Batch(vec![message(b"one"), message(b"")])),
            (0, RawRecord::Message(b"a record of its own".to_vec())),
            (0, RawRecord::Piece(b"first ".to_vec())),
            (0, RawRecord::Batch(vec![RawFrame::Ping([1; 8])])),
            (0, RawRecord::Message(b"last".to_vec())),
            (
                1,
                RawRecord::Batch(vec![RawFrame::Pong([1; 8]), RawFrame::Receipt(4)]),
            ),
            (
                0,
                RawRecord::Batch(vec![RawFrame::Rekey, RawFrame::Padding(5)]),
            ),
            (
                0,
                RawRecord::Batch(vec![message(b"new key"), RawFrame::ReceiptRequest]),
            ),
            (1, RawRecord::Batch(vec![RawFrame::Rekey])),
            (
                1,
                RawRecord::Batch(vec![RawFrame::Receipt(5), RawFrame::Drain(30_000)]),
            ),
            (0, RawRecord::Batch(vec![RawFrame::End(5, 0, Vec::new())])),
            (
                1,
                RawRecord::Batch(vec![RawFrame::End(0, 256, b"done".to_vec())]),
            ),
            (1, RawRecord::Batch(vec![RawFrame::FinalReceipt(5)])),
            (0, RawRecord::Batch(vec![RawFrame::FinalReceipt(0)])),
        ];
        for (from, record) in &conversation {
            session.records.push(sealed(&mut both, *from, record));
        }
        let mut skipped = session.clone();
        vectors.push(vector(
            name.clone(),
            "T-3",
            Body::Session(Box::new(session)),
        ));
        let _lost = sealed(&mut both, 0, &conversation[0].1);
        let ahead = sealed(&mut both, 0, &conversation[1].1);
        skipped.records.push(Record {
            plaintext: None,
            ..ahead
        });
        let name = format!("{name}, one left out");
        vectors.push(vector(name, "T-4", Body::Session(Box::new(skipped))));
    }
    Ok(vectors)
}

fn plain() -> Vec<Vector> {
    let mut vectors = Vec::new();
    varints(&mut vectors);
    hellos(&mut vectors);
    plaintexts(&mut vectors);
    params(&mut vectors);
    vectors
}

fn varints(vectors: &mut Vec<Vector>) {
    for value in [
        0,
        1,
        127,
        128,
        16_383,
        16_384,
        u64::from(u32::MAX),
        u64::MAX >> 1,
    ] {
        let body = Body::Varint {
            bytes: hex::encode(varint(value)),
            value: Some(value),
        };
        vectors.push(vector(format!("varint {value}"), "W-2", body));
    }
    for (name, bytes) in [
        ("varint longer than needed", varint_of_width(5, 2)),
        ("varint of ten bytes", varint(1 << 63)),
        ("varint cut off", vec![0x80]),
        ("varint without a byte", vec![]),
    ] {
        let bytes = hex::encode(bytes);
        vectors.push(vector(name, "W-2", Body::Varint { bytes, value: None }));
    }
}

fn hellos(vectors: &mut Vec<Vector>) {
    for (name, length, hello, answer) in [
        ("hello of XX", 40, hello(1, 0), "proceed"),
        ("hello of XK hybrid", 1_256, hello(3, 1), "proceed"),
        ("hello with a wrong length", 41, hello(1, 0), "close"),
        (
            "hello of another version",
            40,
            *b"duo\x02\x01\0\0\0",
            "refusal_list",
        ),
        ("hello of an unknown suite", 9, hello(9, 0), "refusal_list"),
        (
            "hello of an unknown pattern",
            40,
            hello(1, 2),
            "refusal_list",
        ),
        (
            "hello with a reserved byte",
            40,
            *b"duo\x01\x01\0\0\x01",
            "refusal_list",
        ),
        ("not a hello", 40, *b"GET / HT", "close"),
    ] {
        let length: u16 = length;
        let body = Body::Hello {
            bytes: hex::encode([length.to_be_bytes().as_slice(), &hello].concat()),
            answer: answer.into(),
        };
        vectors.push(vector(name, "W-8", body));
    }
    let second = [&[0], [9; 96].as_slice()].concat();
    for (name, body, answer) in [
        ("message 2 of XX", second.clone(), "proceed"),
        ("message 2 too short", second[..96].to_vec(), "end"),
        ("unknown status", [&[2], &second[1..]].concat(), "end"),
        ("refusal list", refusal(&[[1, 3, 0], [1, 3, 1]]), "refused"),
        ("refusal list of none", refusal(&[]), "end"),
        ("refusal list of 33", refusal(&[[1, 1, 0]; 33]), "end"),
        ("refusal list of a part", vec![1, 1, 1], "end"),
    ] {
        let body = Body::Answer {
            suite: 1,
            pattern: 0,
            bytes: framed(&body),
            answer: answer.into(),
        };
        vectors.push(vector(name, "W-10", body));
    }
}

fn plaintexts(vectors: &mut Vec<Vector>) {
    let reason = |length| RawFrame::End(0, 0, vec![b'r'; length]);
    for (name, clause, frame) in [
        ("empty message", "T-14", RawFrame::Message(Vec::new())),
        ("reason of 256 bytes", "T-21", reason(256)),
        (
            "largest code",
            "T-21",
            RawFrame::Abort(u64::from(u32::MAX), Vec::new()),
        ),
        ("padding", "T-13", RawFrame::Padding(9)),
        ("drain", "T-18", RawFrame::Drain(30_000)),
    ] {
        let bytes = hex::encode(RawRecord::Batch(vec![frame]).encode());
        vectors.push(vector(name, clause, Body::Plaintext { bytes, error: None }));
    }
    let long = RawRecord::Batch(vec![reason(257)]).encode();
    let code = RawRecord::Batch(vec![RawFrame::Abort(1 << 32, Vec::new())]).encode();
    for (name, clause, bytes) in [
        ("unknown kind", "T-6", vec![1, 3]),
        ("batch without a frame", "T-6", vec![0]),
        ("empty piece", "T-6", vec![2]),
        ("unknown frame", "T-12", vec![0x0f, 0]),
        ("frame kept for later", "T-12", vec![0x20, 0]),
        ("length beyond the body", "T-12", vec![2, 9, 1, 0]),
        ("ping cut off", "T-12", vec![7, 1, 2, 0]),
        ("padding that is not zero", "T-13", vec![0, 0, 1, 0]),
        (
            "varint longer than needed in a frame",
            "W-2",
            vec![5, 0x80, 0, 0],
        ),
        ("reason of 257 bytes", "T-21", long),
        ("reason that is not UTF-8", "T-21", vec![6, 0, 1, 0xff, 0]),
        ("code of 2^32", "T-21", code),
    ] {
        let body = Body::Plaintext {
            bytes: hex::encode(bytes),
            error: Some("violation".into()),
        };
        vectors.push(vector(name, clause, body));
    }
}

fn params(vectors: &mut Vec<Vector>) {
    let good = RawParams {
        protocols: Some(vec!["example/1".into(), "example/2".into()]),
        max_message: Some(1 << 20),
        idle_timeout: Some(60_000),
        others: vec![(0x7777, b"ignored".to_vec())],
    };
    let body = Body::Params {
        bytes: hex::encode(good.encode(&[0xe3; 32])),
        error: None,
    };
    vectors.push(vector("parameters", "H-20", body));
    for (name, bytes) in [
        ("parameter twice", vec![2, 1, 9, 2, 1, 9]),
        ("parameter cut off", vec![2, 2, 9]),
        ("parameter with bytes left over", vec![2, 2, 9, 9]),
        ("max_message 0", vec![2, 1, 0]),
        ("idle_timeout 999", vec![3, 2, 0xe7, 0x07]),
        ("protocol name of no byte", vec![1, 1, 0]),
    ] {
        let body = Body::Params {
            bytes: hex::encode(bytes),
            error: Some("violation".into()),
        };
        vectors.push(vector(name, "H-20", body));
    }
}
