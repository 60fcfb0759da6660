//! One bit is another.

use super::*;
use crate::raw_peer::RawRecord;

/// Every bit where computing is fast; for the portable provider some of them.
fn step(suite: Suite) -> usize {
    match (long(), suite.is_hybrid()) {
        (true, _) => 1,
        (false, false) => slow(),
        (false, true) if slow() > 1 => 17 * slow(),
        (false, true) => 1,
    }
}

/// What must come of message 1 with this bit flipped; `None` where it can only show at the next tag.
fn class_of_message1(pattern: Pattern, suite: Suite, bit: usize) -> Option<HandshakeError> {
    let same_size = matches!(pattern, Pattern::XxPsk0 | Pattern::XkPsk0);
    match bit / 8 {
        0 | 1 => Some(HandshakeError::WrongSize),
        2..=4 => Some(HandshakeError::NotDuologue),
        // The pattern that differs in its lowest bit is taken: another size, or another prologue.
        7 if bit.is_multiple_of(8) && same_size => Some(HandshakeError::Failed),
        7 if bit.is_multiple_of(8) => Some(HandshakeError::WrongSize),
        5..=9 => None,
        _ if pattern == Pattern::Xx && !suite.is_hybrid() => None,
        _ if pattern == Pattern::Xx => None,
        _ => Some(HandshakeError::Failed),
    }
}

#[test]
fn every_bit_of_message_1_matters() {
    // spec: H-9, H-2, W-8; threat: 1, 26, 28
    let mut bad = 0;
    for (pattern, suite) in combinations() {
        let (config, partners) = (config_for(pattern, suite), partner(pattern, suite));
        let (_sealed, fixed) = initiator(&partners, pattern, OURS);
        for bit in (0..fixed.len() * 8).step_by(step(suite)) {
            // Where an answer may come, whoever began must be there to read it.
            let (began, hello) = match pattern {
                Pattern::Xx => {
                    let (began, hello) = initiator(&partners, pattern, OURS);
                    (Some(began), hello)
                }
                _ => (None, fixed.clone()),
            };
            let came = feed(responder(&config), &flipped(&hello, bit));
            match (came, class_of_message1(pattern, suite, bit)) {
                ((Came::Failed(error), answer), Some(right)) => {
                    assert_eq!(error, right, "{pattern:?} {suite:?} {bit}");
                    assert!(answer.is_empty());
                }
                ((Came::Failed(HandshakeError::NotTaken { .. }), answer), None) => {
                    assert!((40..80).contains(&bit) && answer[2] == 1, "{bit}");
                }
                ((Came::Failed(HandshakeError::Failed), answer), None) => {
                    assert!(suite.is_hybrid() && bit >= (10 + 32) * 8 && answer.is_empty());
                }
                ((Came::Waits(_), answer), None) => {
                    // An ephemeral key is any bytes: it fails by the next tag.
                    let error = failed(feed(began.unwrap(), &answer));
                    assert_eq!(error, HandshakeError::Failed, "{suite:?} {bit}");
                }
                (other, right) => panic!("{pattern:?} {suite:?} {bit}: {right:?}, {:?}", other.1),
            }
            bad += 1;
        }
    }
    report("bits of message 1", bad);
}

#[test]
fn every_bit_of_message_2_matters() {
    // spec: H-9, W-10; threat: 1
    let mut bad = 0;
    for (pattern, suite) in combinations() {
        let (config, partners) = (config_for(pattern, suite), partner(pattern, suite));
        let mut bit = 0;
        loop {
            let (ours, hello) = initiator(&config, pattern, RAWS);
            let (_partner, answer) = waits(feed(responder(&partners), &hello));
            if bit >= answer.len() * 8 {
                break;
            }
            match feed(ours, &flipped(&answer, bit)) {
                (Came::Failed(error), said) => {
                    // With its status flipped a message of 97 bytes is a list: advice, and no session.
                    let list = bit == 16 && matches!(error, HandshakeError::Unsupported { .. });
                    let right = if bit < 24 {
                        HandshakeError::NotDuologue
                    } else {
                        HandshakeError::Failed
                    };
                    assert!(
                        list || error == right,
                        "{pattern:?} {suite:?} {bit}: {error}"
                    );
                    assert!(said.is_empty(), "a stranger gets no answer");
                }
                (Came::Waits(_), said) => assert!(said.is_empty() && bit < 24, "{bit}"),
                (Came::Established(_), _) => panic!("{bit}"),
            }
            bad += 1;
            bit += step(suite);
        }
    }
    report("bits of message 2", bad);
}

#[test]
fn every_bit_of_message_3_matters() {
    // spec: H-9, W-12; threat: 1, 12
    let mut bad = 0;
    for (pattern, suite) in combinations() {
        let (config, partners) = (config_for(pattern, suite), partner(pattern, suite));
        for bit in (0..66 * 8).step_by(slow()) {
            let (began, hello) = initiator(&partners, pattern, OURS);
            let (ours, answer) = waits(feed(responder(&config), &hello));
            let (_began, proof) = waits(feed(began, &answer));
            let error = failed(feed(ours, &flipped(&proof[..66], bit)));
            let right = if bit < 16 {
                HandshakeError::WrongSize
            } else {
                HandshakeError::Failed
            };
            assert_eq!(error, right, "{pattern:?} {suite:?} {bit}");
            bad += 1;
        }
    }
    report("bits of message 3", bad);
}

/// One record of each kind and frame type, in a place where it is right, and what brings us there.
fn records() -> Vec<(Vec<RawRecord>, RawRecord)> {
    let batch = |frame: RawFrame| RawRecord::Batch(vec![frame]);
    let piece = || RawRecord::Piece(vec![3; 1_200]);
    let alone = [
        RawRecord::Message(b"abc".to_vec()),
        RawRecord::Message(Vec::new()),
        RawRecord::Piece(vec![1; 30]),
        batch(RawFrame::Message(b"abc".to_vec())),
        batch(RawFrame::Message(Vec::new())),
        batch(RawFrame::End(0, 3, b"why".to_vec())),
        batch(RawFrame::Receipt(0)),
        batch(RawFrame::Abort(256, b"no".to_vec())),
        batch(RawFrame::Ping(*b"12345678")),
        batch(RawFrame::Rekey),
        batch(RawFrame::ReceiptRequest),
        batch(RawFrame::Drain(1_000)),
        batch(RawFrame::Stop(0)),
        batch(RawFrame::Padding(5)),
    ];
    let mut all: Vec<_> = alone
        .into_iter()
        .map(|record| (Vec::new(), record))
        .collect();
    all.push((vec![piece()], batch(RawFrame::Discard)));
    all.push((vec![piece()], RawRecord::Message(b"last".to_vec())));
    all.push((
        vec![batch(RawFrame::End(0, 0, Vec::new()))],
        batch(RawFrame::FinalReceipt(0)),
    ));
    all
}

/// A session of ours that has ended its direction where that is needed, brought before the record under test.
fn brought(before: &[RawRecord], record: &RawRecord) -> (Channel, Vec<u8>) {
    let (mut channel, mut raw) = established();
    if !before.is_empty()
        && matches!(record, RawRecord::Batch(f) if matches!(f[..], [RawFrame::FinalReceipt(_)]))
    {
        channel
            .send
            .finish(duologue::Code::NONE, "", Instant::now())
            .unwrap();
    }
    for record in before {
        let came = process(&mut channel, &raw.seal(record));
        assert_eq!(came, Processed::NeedInput);
    }
    (channel, raw.seal(record))
}

#[test]
fn every_bit_and_every_cut_of_a_record_matters() {
    // spec: T-4, E-10; threat: 34, 48, 69
    let mut bad = 0;
    for (before, record) in records() {
        let (mut channel, sealed) = brought(&before, &record);
        let _came = process(&mut channel, &sealed);
        let right = channel.receive.failure();
        assert!(
            matches!(right, None | Some(Cause::PeerAborted { .. })),
            "{right:?}"
        );
        for bit in 0..sealed.len() * 8 {
            let (mut channel, sealed) = brought(&before, &record);
            let processed = process(&mut channel, &flipped(&sealed, bit));
            channel.receive.input_ended();
            let _came = process(&mut channel, &[]);
            assert!(channel.receive.take().is_none());
            let head = bit < 16;
            let right = match channel.receive.failure().unwrap() {
                Cause::BadRecord => !head || processed == Processed::Ended,
                Cause::TransportEnded | Cause::Violation(_) => head,
                _ => false,
            };
            assert!(
                right,
                "{record:?} bit {bit}: {:?}",
                channel.receive.failure()
            );
            bad += 1;
        }
        for cut in 0..sealed.len() {
            let (mut channel, sealed) = brought(&before, &record);
            let _came = process(&mut channel, &sealed[..cut]);
            channel.receive.input_ended();
            assert_eq!(process(&mut channel, &[]), Processed::Ended);
            assert_eq!(channel.receive.failure(), Some(&Cause::TransportEnded));
            assert!(channel.receive.take().is_none());
            bad += 1;
        }
    }
    report("bits and cuts of records", bad);
}
