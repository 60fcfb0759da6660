//! Our initiator against a responder whose answer was changed on its way, or who lies in record 0.
//!
//! Input: setup, our names, reads, what happens to message 2, the verdict, record 0, what happens to it.
//! Every pattern and suite, real transcripts of the independent peer. Asserted:
//! - an honest message 1, and an honest message 2 leads on (W-7, H-1, H-3);
//! - a changed one never does: its error is the one of its kind, and nothing is said behind it (H-9, H-13, W-10, W-11);
//! - message 3 and record 0 open and mean what they should (H-14, H-21);
//! - record 0 of the peer is judged as a second reading of section 5 judges it, with one ABORT at most;
//! - what is established carries messages both ways.

use std::time::Instant;

use duologue::{
    Config, HandshakeError,
    proto::{Handshake, Step},
};

use crate::{
    input::{Input, cut},
    known::talk,
    raw_peer::{
        Opened, RawError, RawFrame, RawHandshake, RawParams, RawRecord, Role,
        wire::{parse_refusal, take_body, with_length},
    },
    record0::{compose, expected, judge, names},
    setup::Setup,
    tamper::tamper,
};

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = Setup::read(&mut input);
    let ours = names(input.byte());
    let config = ours.iter().fold(setup.config(), Config::protocol);
    let reads = input.chunk();
    let mut output = Vec::new();
    let handshake = Handshake::initiator(&config, setup.pinned().as_ref(), &mut output).unwrap();
    let mut raw = RawHandshake::responder(setup.options());
    let first = take_body(&mut output).expect("W-7");
    assert!(output.is_empty());
    raw.read_body(&first).expect("an honest message 1");
    let honest = raw.write_body().unwrap();
    let mut body = honest.clone();
    tamper(&mut input, &mut body, &[first]);
    body.truncate(0xffff);
    let accepts = !input.flag();
    let met = feed(handshake, &with_length(&body), reads, &mut output, accepts);
    if body != honest {
        turned_away(met, &output, &body, setup);
        return;
    }
    let handshake = match met {
        Ok(handshake) => handshake,
        Err(HandshakeError::NotAccepted { .. }) if !accepts && setup.pinned().is_none() => {
            return assert!(output.is_empty(), "H-13");
        }
        Err(error) => panic!("an honest message 2: {error:?}"),
    };
    raw.read_body(&take_body(&mut output).expect("W-12"))
        .expect("an honest message 3");
    let mut session = raw.into_session().unwrap();
    own_record0(session.open(&mut output), &ours, &session.hash);
    assert!(output.is_empty(), "H-14");

    let plaintext = compose(&mut input, &session.hash);
    let mut sealed = session.send.encrypt(&[], &plaintext);
    let untouched = sealed.clone();
    tamper(&mut input, &mut sealed, &[]);
    sealed.truncate(0xffff);
    let early = sealed.len() <= 16 || sealed.len() > 4_112;
    let result = step(handshake, &with_length(&sealed), reads, &mut output);
    if sealed != untouched && !early {
        assert!(matches!(result, Err(HandshakeError::BadRecord)), "T-4");
        return;
    }
    let expected = expected(if early { &[] } else { &plaintext }, Role::Initiator, &ours);
    match result {
        Ok(Step::Established(mut channel)) => {
            judge(Ok(&mut channel), &expected, &mut session, output);
            talk(&mut channel, &mut session, &mut input);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => judge(Err(&error), &expected, &mut session, output),
    }
}

/// Until the handshake has judged and proven, or has failed.
fn feed(
    handshake: Handshake,
    stream: &[u8],
    reads: &[u8],
    output: &mut Vec<u8>,
    accepts: bool,
) -> Result<Handshake, HandshakeError> {
    match step(handshake, stream, reads, output)? {
        Step::NeedInput(next) => Ok(next),
        Step::Judge(judging) if accepts => judging.accept(output),
        Step::Judge(judging) => Err(judging.refuse(output)),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn step(
    mut handshake: Handshake,
    stream: &[u8],
    reads: &[u8],
    output: &mut Vec<u8>,
) -> Result<Step, HandshakeError> {
    let mut held = Vec::new();
    for part in cut(stream, reads) {
        held.extend_from_slice(part);
        let mut rest = &*held;
        match handshake.step(&mut rest, output, Instant::now())? {
            Step::NeedInput(next) => handshake = next,
            done => return Ok(done),
        }
        held = rest.to_vec();
    }
    Ok(Step::NeedInput(handshake))
}

/// A message 2 that is not the responder's: the error says what kind of wrong it is (spec: W-10).
fn turned_away(met: Result<Handshake, HandshakeError>, said: &[u8], body: &[u8], setup: Setup) {
    assert!(said.is_empty(), "H-9");
    let accepted = body.len() == 1 + setup.sizes()[1];
    let error = match met {
        Err(error) => error,
        Ok(waits) => panic!("goes on: {}", waits.waiting_for()),
    };
    match (body.first(), &error) {
        (Some(0), HandshakeError::Failed) if accepted => {}
        (Some(1), HandshakeError::Unsupported { takes, .. }) => {
            let told: Vec<_> = takes
                .iter()
                .map(|it| [it.version, it.suite, it.pattern])
                .collect();
            assert_eq!(parse_refusal(&body[1..]), RawError::Refused(told), "W-10");
        }
        (Some(0), HandshakeError::NotDuologue) => assert!(!accepted),
        (Some(1), HandshakeError::NotDuologue) => {
            assert_eq!(parse_refusal(&body[1..]), RawError::Status, "W-10");
        }
        (None | Some(_), HandshakeError::NotDuologue) => {}
        (_, error) => panic!("W-10: {error:?}"),
    }
}

fn own_record0(opened: Option<Opened>, ours: &[String], hash: &[u8; 32]) {
    let Some(Opened::Plaintext(plaintext)) = opened else {
        panic!("H-14: {opened:?}");
    };
    let Ok(RawRecord::Batch(frames)) = RawRecord::parse(&plaintext) else {
        panic!("H-14: {plaintext:?}");
    };
    let [RawFrame::Params(params)] = &*frames else {
        panic!("H-14: {frames:?}");
    };
    let params = RawParams::parse(params).expect("H-20");
    assert!(params.has_never_assigned(hash), "H-21");
    assert_eq!(params.protocols.unwrap_or_default(), ours, "H-22");
}
