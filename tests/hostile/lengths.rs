//! All 65,536 lengths, in every phase.

use super::*;

/// Every length where computing is fast; for the portable provider some of them.
fn lengths() -> impl Iterator<Item = u16> {
    let step = if long() {
        1
    } else {
        1 + 30 * usize::from(slow() > 1)
    };
    let edges = [0, 1, 16, 17, 63, 64, 65, 4_111, 4_112, 4_113, u16::MAX];
    (0..=u16::MAX).step_by(step).chain(edges)
}

#[test]
fn every_length_before_the_keys_is_judged_by_its_head_alone() {
    // spec: W-3, W-4, W-8, W-10, H-3; threat: 3, 35, 92
    let mut bad = 0;
    let plain = config().suites([duologue::Suite::AesGcm]);
    let (_began, hello) = initiator(&partner(Pattern::Xx, Suite::AesGcm), Pattern::Xx, OURS);
    for length in 0..=u16::MAX {
        let head = length.to_be_bytes();
        // The first message: 8 + 32 bytes.
        let first = [&head[..], b"duo\x01\x02\x00\x00\x00"].concat();
        match feed(responder(&plain), &first) {
            (Came::Waits(_), _) => assert_eq!(length, 40),
            came => {
                assert!(came.1.is_empty());
                assert_eq!(failed(came), HandshakeError::WrongSize, "{length}");
                bad += 1;
            }
        }
        // The answer: 1 + 96 bytes, or a refusal list.
        for status in [0, 1, 2] {
            // No longer list is right, so that its status does not matter: each costs a key.
            if length > 128 && status > 0 {
                continue;
            }
            let (ours, _hello) = initiator(&plain, Pattern::Xx, RAWS);
            match feed(ours, &[&head[..], &[status]].concat()) {
                (Came::Waits(_), _) => {
                    let list = length % 3 == 1 && (4..=97).contains(&length);
                    assert!(
                        status == 0 && length == 97 || status != 0 && list,
                        "{length}"
                    );
                }
                came => {
                    assert_eq!(failed(came), HandshakeError::NotDuologue, "{length}");
                    bad += 1;
                }
            }
        }
    }
    for length in lengths() {
        let (ours, _answer) = waits(feed(responder(&plain), &hello));
        match feed(ours, &length.to_be_bytes()) {
            (Came::Waits(_), _) => assert_eq!(length, 64),
            came => {
                assert_eq!(failed(came), HandshakeError::WrongSize, "{length}");
                bad += 1;
            }
        }
    }
    report("lengths before the keys", bad);
}

/// Both sides when message 3 and the initiator's record 0 are under way.
fn met(ours: &Config, theirs: &Config) -> (Handshake, Handshake, Vec<u8>) {
    let (began, hello) = initiator(theirs, Pattern::Xx, OURS);
    let (answers, answer) = waits(feed(responder(ours), &hello));
    let (began, proof) = waits(feed(began, &answer));
    (began, answers, proof)
}

fn is_right_early(came: (Came, Vec<u8>), length: u16) -> u64 {
    match came {
        (Came::Waits(_), said) => {
            assert!(
                (17..=4_112).contains(&length) && said.is_empty(),
                "{length}"
            );
            0
        }
        came => {
            // One ABORT to whom we know.
            assert!(!came.1.is_empty());
            assert!(
                matches!(failed(came), HandshakeError::Violation(_)),
                "{length}"
            );
            1
        }
    }
}

#[test]
fn every_length_of_a_record_is_judged_by_its_head_alone() {
    // spec: T-1, H-18, W-4; threat: 35, 37
    let mut bad = 0;
    let plain = config().suites([duologue::Suite::AesGcm]);
    let theirs = partner(Pattern::Xx, Suite::AesGcm);
    for length in lengths() {
        let (began, answers, proof) = met(&plain, &theirs);
        let (answers, _silent) = waits(feed(answers, &proof[..66]));
        bad += is_right_early(feed(answers, &length.to_be_bytes()), length);
        bad += is_right_early(feed(began, &length.to_be_bytes()), length);
    }
    let (mut channel, _raw) = established();
    for length in 17..=u16::MAX {
        let processed = process(&mut channel, &length.to_be_bytes());
        assert_eq!(processed, Processed::NeedInput, "{length}");
        // As if it had never come.
        channel.receive.input().clear();
    }
    for length in 0..17_u16 {
        let (mut channel, _raw) = established();
        assert_eq!(
            process(&mut channel, &length.to_be_bytes()),
            Processed::Ended
        );
        let violation = matches!(channel.receive.failure(), Some(Cause::Violation(_)));
        assert!(violation, "{length}");
        bad += 1;
    }
    report("lengths behind the keys", bad);
}
