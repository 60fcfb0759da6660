//! Our responder against an initiator whose messages were changed on their way, or who lies in record 0.
//!
//! Input: setup, our names, reads, what happens to message 1 and 3, the verdict, record 0, what happens
//! to it. Every pattern and suite, real transcripts of the independent peer. Asserted:
//! - honest messages lead on, and it is the initiator's key that is judged (H-1, H-15);
//! - a changed message 1 gets nothing or a message 2 that its sender cannot read; a changed message 3
//!   gets nothing; neither is ever judged (H-3, H-9);
//! - a refused key is told `refused` and nothing else (H-16);
//! - record 0 is judged as a second reading of section 5 judges it, with one ABORT at most;
//! - what is established carries messages both ways.

use duologue::{
    Config, HandshakeError,
    proto::{Handshake, Origin, Step},
};

use crate::{
    handshake_initiator::step,
    input::Input,
    known::talk,
    raw_peer::{
        Opened, RawError, RawFrame, RawHandshake, RawRecord, RawSession, Role,
        wire::{take_body, with_length},
    },
    record0::{compose, expected, judge, names},
    setup::{Setup, their_key},
    tamper::tamper,
};

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let setup = Setup::read(&mut input);
    let ours = names(input.byte());
    let config = ours.iter().fold(setup.config(), Config::protocol);
    let reads = input.chunk();
    let handshake = Handshake::responder(&config, Origin::Unknown).unwrap();
    let mut raw = RawHandshake::initiator(setup.options());
    let first = raw.write_body().unwrap();
    let mut body = first.clone();
    tamper(&mut input, &mut body, &[]);
    body.truncate(0xffff);
    let mut output = Vec::new();
    let result = step(handshake, &with_length(&body), reads, &mut output);
    if body != first {
        return changed_message1(result, output, &mut raw, input);
    }
    let Ok(Step::NeedInput(handshake)) = result else {
        panic!("an honest message 1: {result:?}");
    };
    let second = take_body(&mut output).expect("W-9");
    assert!(output.is_empty());
    raw.read_body(&second).expect("an honest message 2");

    let third = raw.write_body().unwrap();
    let mut body = third.clone();
    tamper(&mut input, &mut body, &[first, second]);
    body.truncate(0xffff);
    let result = step(handshake, &with_length(&body), reads, &mut output);
    assert!(output.is_empty(), "H-9");
    if body != third {
        let wrong = matches!(
            result,
            Err(HandshakeError::Failed | HandshakeError::WrongSize)
        );
        assert!(wrong, "a changed message 3: {result:?}");
        return;
    }
    let Ok(Step::Judge(judging)) = result else {
        panic!("an honest message 3: {result:?}");
    };
    assert_eq!(judging.candidate().key, their_key(), "H-15");
    let mut session = raw.into_session().unwrap();
    if input.flag() {
        let error = judging.refuse(&mut output);
        assert_eq!(error, not_accepted(&error), "H-16");
        return told_refused(&mut session, output);
    }
    let handshake = judging.accept(&mut output).unwrap();
    assert!(output.is_empty(), "H-15");
    record0(handshake, session, &ours, reads, input);
}

fn record0(
    handshake: Handshake,
    mut session: RawSession,
    ours: &[String],
    reads: &[u8],
    mut input: Input<'_>,
) {
    let mut output = Vec::new();
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
    let expected = expected(if early { &[] } else { &plaintext }, Role::Responder, ours);
    match result {
        Ok(Step::Established(mut channel)) => {
            judge(Ok(&mut channel), &expected, &mut session, output);
            talk(&mut channel, &mut session, &mut input);
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => judge(Err(&error), &expected, &mut session, output),
    }
}

/// Where no tag stands in message 1 it may be answered, but only its first sender could read the answer.
fn changed_message1(
    result: Result<Step, HandshakeError>,
    mut output: Vec<u8>,
    raw: &mut RawHandshake,
    mut input: Input<'_>,
) {
    match result {
        Err(HandshakeError::NotTaken { .. }) => assert!(!output.is_empty(), "W-8"),
        Err(HandshakeError::NotDuologue | HandshakeError::WrongSize | HandshakeError::Failed) => {
            assert!(output.is_empty(), "H-9");
        }
        Ok(Step::NeedInput(handshake)) if output.is_empty() => {
            // Too short to be judged.
            assert_eq!(handshake.waiting_for(), "the initiator's first message");
        }
        Ok(Step::NeedInput(handshake)) => {
            let second = take_body(&mut output).expect("W-9");
            let read = raw.read_body(&second);
            assert!(
                matches!(read, Err(RawError::Tag | RawError::Size { .. })),
                "{read:?}"
            );
            let made_up = with_length(&[input.take(64), &[0; 64]].concat()[..64]);
            let result = step(handshake, &made_up, &[], &mut output);
            assert!(matches!(result, Err(HandshakeError::Failed)), "{result:?}");
            assert!(output.is_empty(), "H-9");
        }
        other => panic!("a changed message 1: {other:?}"),
    }
}

fn not_accepted(error: &HandshakeError) -> HandshakeError {
    match error {
        HandshakeError::NotAccepted { key, .. } if *key == their_key() => error.clone(),
        other => panic!("H-16: {other:?}"),
    }
}

fn told_refused(session: &mut RawSession, mut output: Vec<u8>) {
    let Some(Opened::Plaintext(plaintext)) = session.open(&mut output) else {
        panic!("H-16");
    };
    let refused = RawRecord::Batch(vec![RawFrame::Abort(1, Vec::new())]);
    assert_eq!(RawRecord::parse(&plaintext), Ok(refused), "H-16");
    assert!(output.is_empty(), "H-16");
}
