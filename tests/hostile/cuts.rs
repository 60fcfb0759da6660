//! Every truncation of every handshake message.

use super::*;

/// Shows each part of a body, from its front: before its last byte nothing is decided and nothing is said.
fn trickled(handshake: Handshake, body: &[u8]) -> (Handshake, u64) {
    let mut handshake = handshake;
    let mut cuts = 0;
    for cut in 0..body.len() {
        let (next, said) = waits(feed(handshake, &body[..cut]));
        assert!(said.is_empty(), "an answer to a part of a body");
        handshake = next;
        cuts += 1;
    }
    (handshake, cuts)
}

#[test]
fn no_part_of_a_handshake_message_is_one() {
    // spec: H-3, W-5; threat: 2, 47
    let mut bad = 0;
    for (pattern, suite) in combinations() {
        let (ours, theirs) = (config_for(pattern, suite), partner(pattern, suite));
        let (began, hello) = initiator(&theirs, pattern, OURS);
        let (answers, cuts) = trickled(responder(&ours), &hello);
        bad += cuts;
        let (answers, answer) = waits(feed(answers, &hello));
        let (began, cuts) = trickled(began, &answer);
        bad += cuts;
        let (began, proof) = waits(feed(began, &answer));
        let (message3, record0) = proof.split_at(66);
        let (answers, cuts) = trickled(answers, message3);
        bad += cuts;
        let (answers, silent) = waits(feed(answers, message3));
        assert!(silent.is_empty());
        let (answers, cuts) = trickled(answers, record0);
        bad += cuts;
        let (Came::Established(_), record0) = feed(answers, record0) else {
            panic!("the whole of it is right");
        };
        let (began, cuts) = trickled(began, &record0);
        bad += cuts;
        let came = feed(began, &record0);
        assert!(matches!(came, (Came::Established(_), _)));
    }
    report("cuts of handshakes", bad);
}

#[tokio::test]
async fn an_end_of_the_transport_at_each_byte_of_message_1_fails_at_once() {
    // spec: H-9; threat: 2, 80
    for (pattern, suite) in combinations() {
        let ours = config_for(pattern, suite);
        let (_began, hello) = initiator(&partner(pattern, suite), pattern, OURS);
        for cut in 0..hello.len() {
            let reader = std::io::Cursor::new(hello[..cut].to_vec());
            let ended = duologue::accept_halves(reader, tokio::io::sink(), &ours).await;
            assert!(
                matches!(ended, Err(HandshakeError::TransportEnded { .. })),
                "{pattern:?} {suite:?} {cut}: {ended:?}"
            );
        }
    }
}
