//! The library against an independent peer that was written from the specification alone:
//! what is right works in every combination, and what is wrong is a violation that names its clause.

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use duologue::{
    Cause, Config, HandshakeError, PeerPolicy, Psk, PublicKey, ReceiveError, Received, SecretKey,
    Sent, Session, accept, connect,
};
use raw_peer::handshake::public_key;
use raw_peer::wire::with_length;
use raw_peer::{Options, Pattern, RawFrame, RawHandshake, RawParams, RawRecord, Suite};
use raw_tokio::{Heard, RawPeer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const OURS: [u8; 32] = [1; 32];
const RAWS: [u8; 32] = [2; 32];

fn config(psk: bool) -> Config {
    let config = Config::new(SecretKey::from_bytes(&mut OURS.clone())).peers(PeerPolicy::pinned([
        PublicKey::from_bytes(public_key(RAWS)),
    ]));
    if psk {
        config.psk(Psk::from_bytes(&mut [7; 32]))
    } else {
        config
    }
}

fn options(suite: Suite, pattern: Pattern) -> Options {
    let mut options = Options::new(suite, pattern, RAWS);
    options.remote = Some(public_key(OURS));
    options.psk = Some([7; 32]);
    options
}

fn uses_psk(pattern: Pattern) -> bool {
    matches!(pattern, Pattern::XxPsk0 | Pattern::XkPsk0)
}

/// Our responder, established with a raw initiator.
async fn established(config: &Config) -> (Session, RawPeer<DuplexStream>) {
    established_as(Suite::AesGcm, Pattern::Xx, config).await
}

async fn established_as(
    suite: Suite,
    pattern: Pattern,
    config: &Config,
) -> (Session, RawPeer<DuplexStream>) {
    let (near, far) = duplex(1 << 20);
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, options(suite, pattern), &params),
        accept(far, config)
    );
    let (raw, theirs) = raw.unwrap();
    assert!(theirs.has_never_assigned(&raw.session.hash), "H-21");
    (ours.unwrap(), raw)
}

async fn frames(raw: &mut RawPeer<DuplexStream>) -> Vec<RawFrame> {
    match raw.next().await {
        Heard::Record(RawRecord::Batch(frames)) => frames,
        other => panic!("not a batch: {other:?}"),
    }
}

/// The conversation of every combination: messages, pieces, a new key, receipts, the end.
async fn converse(mut ours: Session, mut raw: RawPeer<DuplexStream>) {
    ours.send(b"whole").await.unwrap();
    assert_eq!(
        raw.next().await,
        Heard::Record(RawRecord::Message(b"whole".to_vec()))
    );
    raw.send(&RawRecord::Piece(vec![1; 2_000])).await.unwrap();
    raw.send_frames(&[RawFrame::Ping(*b"12345678"), RawFrame::Rekey])
        .await
        .unwrap();
    raw.send(&RawRecord::Message(vec![2; 10])).await.unwrap();
    let two = [
        RawFrame::Message(b"a".to_vec()),
        RawFrame::Message(Vec::new()),
    ];
    raw.send_frames(&[two[0].clone(), two[1].clone(), RawFrame::ReceiptRequest])
        .await
        .unwrap();
    let large = ours.recv().await.unwrap().unwrap();
    assert_eq!(*large, *[vec![1; 2_000], vec![2; 10]].concat());
    assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&b"a"[..]));
    assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&b""[..]));
    ours.rekey_now().await.unwrap();
    let mut heard = Vec::new();
    while !heard.contains(&RawFrame::Rekey) {
        heard.extend(frames(&mut raw).await);
    }
    assert!(heard.contains(&RawFrame::Pong(*b"12345678")), "{heard:?}");
    assert!(heard.contains(&RawFrame::Receipt(3)), "{heard:?}");
    ours.finish_with(duologue::Code::application(0), "bye")
        .await
        .unwrap();
    let end = RawFrame::End(1, 256, b"bye".to_vec());
    assert_eq!(frames(&mut raw).await, [end]);
    raw.send_frames(&[RawFrame::End(3, 0, Vec::new()), RawFrame::FinalReceipt(1)])
        .await
        .unwrap();
    assert_eq!(ours.recv().await.unwrap(), None);
    let (outcome, answer) = tokio::join!(ours.close(), async {
        let answer = frames(&mut raw).await;
        assert_eq!(raw.next().await, Heard::EndOfStream);
        raw.transport.shutdown().await.unwrap();
        answer
    });
    assert_eq!(answer, [RawFrame::FinalReceipt(3)]);
    assert_eq!(
        (outcome.sent, outcome.received),
        (Sent::Delivered(1), Received::Complete(3))
    );
}

#[tokio::test]
async fn our_responder_talks_with_the_raw_peer_in_every_combination() {
    // spec: W-1, W-6, W-7, W-9, W-12, H-1, H-2, H-3, H-6, H-11, H-14, H-21, T-1, T-2, T-3, T-5, T-10
    for pattern in Pattern::ALL {
        for suite in Suite::ALL {
            let (ours, raw) = established_as(suite, pattern, &config(uses_psk(pattern))).await;
            assert_eq!(ours.peer().suite.id(), suite.id());
            assert_eq!(ours.peer().handshake_hash, raw.session.hash);
            converse(ours, raw).await;
        }
    }
}

#[tokio::test]
async fn our_initiator_talks_with_the_raw_peer_in_every_combination() {
    // spec: W-10, H-13, H-17, H-22
    for pattern in Pattern::ALL {
        for suite in duologue::Suite::ALL {
            let (near, far) = duplex(1 << 20);
            let pinned = PublicKey::from_bytes(public_key(RAWS));
            let pinned = matches!(pattern, Pattern::Xk | Pattern::XkPsk0).then_some(&pinned);
            let config = config(uses_psk(pattern)).suites([suite]);
            let params = RawParams::default();
            let (raw, ours) = tokio::join!(
                RawPeer::accept(near, options(Suite::ChaChaPoly, pattern), &params),
                connect(far, pinned, &config)
            );
            converse(ours.unwrap(), raw.unwrap().0).await;
        }
    }
}

/// What an authenticated peer must not say once established, and the clause that forbids it.
#[expect(clippy::too_many_lines, reason = "a table")]
fn violations() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let batch = |frames: &[RawFrame]| RawRecord::Batch(frames.to_vec()).encode();
    let raw = |bytes: &[u8]| batch(&[RawFrame::Raw(bytes.to_vec())]);
    let piece = |length| RawRecord::Piece(vec![0; length]).encode();
    let message = || RawFrame::Message(b"m".to_vec());
    let end = |sent| RawFrame::End(sent, 0, Vec::new());
    let ping = || RawFrame::Ping([1; 8]);
    vec![
        // Every session below begins with one whole message of the peer and two of ours.
        ("T-16", vec![batch(&[RawFrame::Receipt(3)])]),
        (
            "T-16",
            vec![batch(&[RawFrame::Receipt(1), RawFrame::Receipt(0)])],
        ),
        ("T-16", vec![batch(&[RawFrame::Stop(3)])]),
        ("E-7", vec![batch(&[RawFrame::FinalReceipt(0)])]),
        ("E-4", vec![batch(&[RawFrame::Stop(0), RawFrame::Stop(0)])]),
        (
            "E-5",
            vec![batch(&[RawFrame::Stop(0)]), batch(&[RawFrame::Receipt(1)])],
        ),
        ("T-19", vec![batch(&[RawFrame::Discard])]),
        (
            "T-19",
            vec![piece(1_024), batch(&[RawFrame::Discard, RawFrame::Discard])],
        ),
        ("E-1", vec![batch(&[end(0)])]),
        ("E-1", vec![batch(&[end(2)])]),
        (
            "E-1",
            vec![piece(1_024), batch(&[RawFrame::Discard, end(2)])],
        ),
        ("E-2", vec![piece(1_024), batch(&[end(1)])]),
        ("E-3", vec![batch(&[end(1), end(1)])]),
        ("E-3", vec![batch(&[end(1), message()])]),
        (
            "E-3",
            vec![batch(&[end(1)]), RawRecord::Message(Vec::new()).encode()],
        ),
        ("E-3", vec![batch(&[end(1)]), piece(1_024)]),
        ("E-3", vec![batch(&[end(1), RawFrame::ReceiptRequest])]),
        ("E-3", vec![batch(&[end(1), RawFrame::Drain(5)])]),
        ("E-3", vec![batch(&[end(1), RawFrame::Discard])]),
        ("H-20", vec![batch(&[RawFrame::Params(Vec::new())])]),
        ("H-20", vec![batch(&[end(1), RawFrame::Params(Vec::new())])]),
        ("T-15", vec![batch(&[RawFrame::Pong([0; 8])])]),
        ("T-15", vec![batch(&[ping(), ping()])]),
        (
            "T-18",
            vec![batch(&[RawFrame::Drain(1), RawFrame::Drain(1)])],
        ),
        ("T-10", vec![batch(&[RawFrame::Rekey, message()])]),
        ("T-10", vec![batch(&[RawFrame::Rekey, RawFrame::Rekey])]),
        ("T-7", vec![piece(1_024), batch(&[message()])]),
        ("T-8", vec![RawRecord::Message(vec![0; 5_001]).encode()]),
        ("T-8", vec![batch(&[RawFrame::Message(vec![0; 5_001])])]),
        ("T-8", vec![piece(5_001)]),
        (
            "T-8",
            vec![piece(4_000), RawRecord::Message(vec![0; 1_001]).encode()],
        ),
        ("T-8", vec![piece(4_000), piece(1_024)]),
        ("T-6", vec![vec![0]]),
        ("T-6", vec![vec![2]]),
        ("T-6", vec![vec![1, 3]]),
        ("T-6", vec![vec![1, 255]]),
        ("T-12", vec![raw(&[0x03])]),
        ("T-12", vec![raw(&[0x0f])]),
        ("T-12", vec![raw(&[0x20])]),
        ("T-12", vec![raw(&[0xff])]),
        ("T-12", vec![raw(&[0x02, 5, 1])]),
        ("T-12", vec![raw(&[0x07, 1, 2, 3])]),
        ("W-2", vec![raw(&[0x05, 0x80, 0x00])]),
        ("W-2", vec![raw(&[0x05, 0xff])]),
        ("W-2", vec![raw(&[&[0x05][..], &[0x80; 9], &[1]].concat())]),
        ("T-13", vec![raw(&[0x00, 0x00, 0x01])]),
        ("T-21", vec![batch(&[RawFrame::End(1, 0, vec![b'a'; 257])])]),
        ("T-21", vec![batch(&[RawFrame::End(1, 0, vec![0xff])])]),
        ("T-21", vec![batch(&[RawFrame::Abort(1 << 32, Vec::new())])]),
        ("L-1", vec![batch(&[RawFrame::Padding(9)]); 34]),
        ("L-1", vec![batch(&[RawFrame::ReceiptRequest]); 34]),
        ("L-1", vec![batch(&[RawFrame::Receipt(0)]); 34]),
        ("L-1", vec![piece(1); 34]),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_violation_names_its_clause_after_what_was_whole_before() {
    // spec: T-6, T-7, T-12, T-20, T-21, E-1 to E-7, L-1, L-2; threat: 26 to 60
    for (clause, records) in violations() {
        let (mut ours, mut raw) = established(&config(false).max_message(5_000)).await;
        ours.send(b"1").await.unwrap();
        ours.send(b"2").await.unwrap();
        raw.send(&RawRecord::Message(b"whole".to_vec()))
            .await
            .unwrap();
        for plaintext in &records {
            raw.send_plaintext(plaintext).await.unwrap();
        }
        assert_eq!(
            ours.recv().await.unwrap().as_deref(),
            Some(&b"whole"[..]),
            "{clause}"
        );
        let error = loop {
            match ours.recv().await {
                // A message or an end that came whole before the fault.
                Ok(Some(_message)) => {}
                Ok(None) => break ours.close().await.cause,
                Err(ReceiveError::Truncated { cause, .. }) => break cause,
                Err(error) => panic!("{clause}: {error}"),
            }
        };
        let Cause::Violation(violation) = error else {
            panic!("{clause}: {error}");
        };
        assert_eq!(violation.clause(), clause, "{records:02x?}");
        let said = violation.to_string();
        assert!(said.contains(&format!("(clause {clause})")), "{said}");
        tokio::spawn(async move { ours.close().await });
        let code = loop {
            match raw.next().await {
                Heard::Record(RawRecord::Batch(frames)) => {
                    if let Some(RawFrame::Abort(code, reason)) = frames.last() {
                        assert!(reason.is_empty());
                        break *code;
                    }
                }
                Heard::Record(RawRecord::Message(_)) => {}
                other => panic!("{clause}: no ABORT, but {other:?}"),
            }
        };
        assert_eq!(code, u64::from(violation.code().number()), "{clause}");
        assert_eq!(raw.next().await, Heard::EndOfStream, "{clause}");
    }
}

#[tokio::test]
async fn a_message_in_the_same_batch_before_a_fault_is_delivered() {
    // spec: T-20
    let (mut ours, mut raw) = established(&config(false)).await;
    let batch = [
        RawFrame::Message(b"m".to_vec()),
        RawFrame::Pong([0; 8]),
        RawFrame::Message(vec![]),
    ];
    raw.send_frames(&batch).await.unwrap();
    assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&b"m"[..]));
    let error = ours.recv().await.unwrap_err();
    assert!(
        matches!(error, ReceiveError::Truncated { arrived: 1, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_abort_is_judged_in_its_order() {
    // spec: E-9
    let (mut ours, mut raw) = established(&config(false)).await;
    let batch = [
        RawFrame::Message(b"m".to_vec()),
        RawFrame::Abort(300, b"enough".to_vec()),
        RawFrame::Padding(3),
    ];
    raw.send_frames(&batch).await.unwrap();
    assert!(ours.recv().await.unwrap().is_some());
    let error = ours.recv().await.unwrap_err().to_string();
    assert!(error.contains("application code 44: \"enough\""), "{error}");
    assert!(matches!(
        ours.close().await.cause,
        Cause::PeerAborted { .. }
    ));
}

#[tokio::test]
async fn a_record_that_does_not_open_is_final() {
    // spec: T-4, T-20
    let (mut ours, mut raw) = established(&config(false)).await;
    raw.send(&RawRecord::Message(b"1".to_vec())).await.unwrap();
    let skipped = raw.session.seal_plaintext(&[b'2', 1]);
    drop(skipped);
    raw.send(&RawRecord::Message(b"3".to_vec())).await.unwrap();
    assert!(ours.recv().await.unwrap().is_some());
    let error = ours.recv().await.unwrap_err();
    let ReceiveError::Truncated {
        cause: Cause::BadRecord,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(frames(&mut raw).await, [RawFrame::Abort(3, Vec::new())]);
}

#[tokio::test]
async fn an_answer_that_is_owed_leaves_although_we_never_send() {
    // spec: T-15, T-17, L-6, L-7
    let (mut ours, mut raw) = established(&config(false)).await;
    raw.send_frames(&[RawFrame::Message(Vec::new()), RawFrame::ReceiptRequest])
        .await
        .unwrap();
    raw.send_frames(&[RawFrame::Ping(*b"pingping")])
        .await
        .unwrap();
    ours.recv().await.unwrap();
    let waiting = tokio::spawn(async move { ours.recv().await });
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(frames(&mut raw).await);
    }
    assert!(heard.contains(&RawFrame::Pong(*b"pingping")), "{heard:?}");
    assert!(heard.contains(&RawFrame::Receipt(1)), "{heard:?}");
    waiting.abort();
}

#[tokio::test]
async fn an_abort_is_not_answered() {
    // spec: E-9, E-16
    let (mut ours, mut raw) = established(&config(false)).await;
    let last_words = [
        RawFrame::Message(b"m".to_vec()),
        RawFrame::ReceiptRequest,
        RawFrame::Ping([0; 8]),
        RawFrame::Abort(9, b"fire".to_vec()),
    ];
    raw.send_frames(&last_words).await.unwrap();
    assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&b"m"[..]));
    let (outcome, heard) = tokio::join!(ours.close(), async {
        let heard = raw.next().await;
        raw.transport.shutdown().await.unwrap();
        heard
    });
    assert_eq!(heard, Heard::EndOfStream);
    assert!(
        matches!(outcome.cause, Cause::PeerAborted { .. }),
        "{outcome}"
    );
}

#[tokio::test]
async fn repeated_requests_for_what_is_told_need_no_second_answer() {
    // spec: T-17, L-1
    let (mut ours, mut raw) = established(&config(false)).await;
    for _request in 0..3 {
        raw.send_frames(&[RawFrame::ReceiptRequest]).await.unwrap();
    }
    raw.send_frames(&[RawFrame::Ping([0; 8])]).await.unwrap();
    let waiting = tokio::spawn(async move { ours.recv().await });
    assert_eq!(frames(&mut raw).await, [RawFrame::Pong([0; 8])]);
    waiting.abort();
}

// ---- what is no session of ours

async fn accept_bytes(bytes: &[u8]) -> (HandshakeError, Vec<u8>) {
    let (mut near, far) = duplex(1 << 20);
    near.write_all(bytes).await.unwrap();
    near.shutdown().await.unwrap();
    let error = accept(far, &config(false)).await.unwrap_err();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    (error, answer)
}

#[tokio::test]
async fn what_is_not_our_protocol_is_closed_without_a_byte() {
    // spec: W-8, H-9
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 9, 9];
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &tls,
        &[0; 64],
        &[0xff; 64],
    ] {
        let (error, answer) = accept_bytes(bytes).await;
        assert_eq!(error, HandshakeError::NotDuologue);
        assert!(answer.is_empty());
    }
    let (error, answer) = accept_bytes(b"").await;
    assert!(
        matches!(error, HandshakeError::TransportEnded { .. }),
        "{error}"
    );
    assert!(answer.is_empty());
}

#[tokio::test]
async fn another_version_suite_or_pattern_is_refused_with_the_list() {
    // spec: W-8, W-9
    for (at, value) in [(5, 2), (6, 0), (6, 5), (7, 2), (7, 16), (8, 1), (9, 1)] {
        let mut bytes = [&[0, 40][..], b"duo\x01\x01\x00\x00\x00", &[0; 32]].concat();
        bytes[at] = value;
        let (error, answer) = accept_bytes(&bytes).await;
        assert!(matches!(error, HandshakeError::NotTaken { .. }), "{error}");
        let count = 2 * 4;
        assert_eq!(answer.len(), 3 + 3 * count);
        assert_eq!(answer[..3], [0, 1 + 3 * count as u8, 1]);
    }
}

#[tokio::test]
async fn a_wrong_length_is_closed_before_any_key_agreement() {
    // spec: W-8, H-3
    for length in [0_u16, 8, 39, 41, 65_535] {
        let head = length.to_be_bytes();
        let bytes = [&head[..], b"duo\x01\x01\x00\x00\x00", &[9; 32]].concat();
        let (error, answer) = accept_bytes(&bytes).await;
        assert_eq!(error, HandshakeError::WrongSize);
        assert!(answer.is_empty());
    }
}

#[tokio::test]
async fn low_order_points_and_payloads_fail_alike() {
    // spec: H-3, H-4; threat: 9
    for suite in [Suite::ChaChaPoly, Suite::HybridAesGcm] {
        let (near, far) = duplex(1 << 20);
        let mut lying = options(suite, Pattern::Xk);
        lying.lies.ephemeral_public = Some([0; 32]);
        lying.lies.takes_zero_dh = true;
        let config = config(false);
        let (raw, ours) = tokio::join!(RawPeer::initiate(near, lying), accept(far, &config));
        assert!(raw.is_err());
        assert_eq!(ours.unwrap_err(), HandshakeError::Failed);
    }
}

#[tokio::test]
async fn our_own_key_is_refused_unless_it_is_allowed_by_name() {
    // spec: H-8; threat: 16
    let mut mirrored = options(Suite::AesGcm, Pattern::Xx);
    mirrored.secret = OURS;
    mirrored.lies.takes_own_key = true;
    let any = config(false).peers(PeerPolicy::dangerous_any());
    let (near, far) = duplex(1 << 20);
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, mirrored.clone(), &params),
        accept(far, &any)
    );
    assert_eq!(ours.unwrap_err(), HandshakeError::OwnKey);
    assert!(raw.is_err());
    let (near, far) = duplex(1 << 20);
    let allowed = any.allow_own_key();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, mirrored, &params),
        accept(far, &allowed)
    );
    assert!(raw.is_ok() && ours.is_ok());
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_handshake_at_its_deadline() {
    // spec: H-19
    let (near, far) = duplex(1 << 20);
    let error = accept(far, &config(false)).await.unwrap_err();
    assert!(matches!(error, HandshakeError::TimedOut { .. }), "{error}");
    drop(near);
}

#[tokio::test]
async fn an_unknown_key_gets_refused_and_nothing_else() {
    // spec: H-15, H-16; threat: 8
    let (near, far) = duplex(1 << 20);
    let nobody = config(false).peers(PeerPolicy::default());
    let raw = async {
        let mut raw = RawPeer::initiate(near, options(Suite::AesGcm, Pattern::Xx))
            .await
            .unwrap();
        let params = RawParams {
            protocols: Some(vec!["other/1".to_owned()]),
            ..RawParams::default()
        };
        raw.send_params(&params).await.unwrap();
        let answer = raw.next().await;
        assert_eq!(raw.next().await, Heard::EndOfStream);
        answer
    };
    let (answer, ours) = tokio::join!(raw, accept(far, &nobody));
    let abort = RawFrame::Abort(1, Vec::new());
    assert_eq!(answer, Heard::Record(RawRecord::Batch(vec![abort])));
    assert!(matches!(
        ours.unwrap_err(),
        HandshakeError::NotAccepted { .. }
    ));
}

#[tokio::test]
async fn a_record_0_that_does_not_open_is_answered_by_its_proven_reader_alone() {
    // spec: H-9, H-24, T-20
    let config = config(false);
    let (near, far) = duplex(1 << 20);
    let raw = async {
        let mut raw = RawPeer::initiate(near, options(Suite::AesGcm, Pattern::Xx))
            .await
            .unwrap();
        raw.send_bytes(&[&[0, 40], [9; 40].as_slice()].concat())
            .await
            .unwrap();
        (raw.next().await, raw.next().await)
    };
    let (answer, ours) = tokio::join!(raw, accept(far, &config));
    let abort = RawFrame::Abort(3, Vec::new());
    let abort = Heard::Record(RawRecord::Batch(vec![abort]));
    assert_eq!(answer, (abort, Heard::EndOfStream));
    assert_eq!(ours.unwrap_err(), HandshakeError::BadRecord);
    // Before message 3 is verified there is nobody to tell.
    let (near, far) = duplex(1 << 20);
    let raw = async {
        let mut near = near;
        let mut raw = RawHandshake::initiator(options(Suite::AesGcm, Pattern::Xx));
        let first = with_length(&raw.write_body().unwrap());
        near.write_all(&first).await.unwrap();
        let mut second = vec![0; 2 + 97];
        near.read_exact(&mut second).await.unwrap();
        raw.read_body(&second[2..]).unwrap();
        let mut third = with_length(&raw.write_body().unwrap());
        third[9] ^= 1;
        near.write_all(&third).await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (answer, ours) = tokio::join!(raw, accept(far, &config));
    assert_eq!(answer, b"");
    assert_eq!(ours.unwrap_err(), HandshakeError::Failed);
}

#[tokio::test]
async fn record_0_is_params_and_nothing_else() {
    // spec: H-14, H-18, H-20, H-24
    let params = RawFrame::Params(RawParams::default().encode_bare());
    let wrong: Vec<Vec<u8>> = vec![
        RawRecord::Message(b"early".to_vec()).encode(),
        RawRecord::Batch(vec![RawFrame::Message(Vec::new())]).encode(),
        RawRecord::Batch(vec![params.clone(), RawFrame::Message(Vec::new())]).encode(),
        RawRecord::Batch(vec![params.clone(), params.clone()]).encode(),
        RawRecord::Batch(vec![RawFrame::Params(vec![1, 0])]).encode(),
        RawRecord::Batch(vec![RawFrame::Params(vec![2, 1, 0])]).encode(),
        RawRecord::Batch(vec![RawFrame::Padding(4_096)]).encode(),
    ];
    for plaintext in wrong {
        let (near, far) = duplex(1 << 20);
        let raw = async {
            let mut raw = RawPeer::initiate(near, options(Suite::AesGcm, Pattern::Xx))
                .await
                .unwrap();
            raw.send_plaintext(&plaintext).await.unwrap();
            raw.next().await
        };
        let config = config(false);
        let (answer, ours) = tokio::join!(raw, accept(far, &config));
        let abort = RawFrame::Abort(3, Vec::new());
        assert_eq!(answer, Heard::Record(RawRecord::Batch(vec![abort])));
        assert!(matches!(ours.unwrap_err(), HandshakeError::Violation(_)));
    }
}

#[tokio::test]
async fn every_receipt_that_is_asked_for_comes_as_soon_as_it_can() {
    // spec: T-17
    let (mut ours, mut raw) = established(&config(false)).await;
    let message = || RawFrame::Message(Vec::new());
    let asked = [
        vec![message(), RawFrame::ReceiptRequest],
        vec![message(), message(), RawFrame::ReceiptRequest],
        vec![message(), message(), RawFrame::ReceiptRequest],
    ];
    raw.send_frames(&asked.concat()).await.unwrap();
    // Two of five messages stay untaken: the request between the first and the last is due all the same.
    for _message in 0..3 {
        ours.recv().await.unwrap().unwrap();
    }
    ours.flush().await.unwrap();
    let mut told = 0;
    while told < 3 {
        for frame in frames(&mut raw).await {
            let RawFrame::Receipt(taken) = frame else {
                panic!("{frame:?}");
            };
            told = taken;
        }
    }
    assert_eq!(told, 3);
}

#[tokio::test]
async fn a_message_that_is_too_large_has_not_arrived() {
    // spec: T-8, E-10
    for records in [
        vec![RawRecord::Message(vec![0; 2_001])],
        vec![
            RawRecord::Piece(vec![0; 2_000]),
            RawRecord::Message(vec![0; 1]),
        ],
    ] {
        let (mut ours, mut raw) = established(&config(false).max_message(2_000)).await;
        for record in &records {
            raw.send(record).await.unwrap();
        }
        let received = ours.recv().await;
        let none = matches!(received, Err(ReceiveError::Truncated { arrived: 0, .. }));
        assert!(none, "{received:?}");
    }
}
