//! A peer that keeps to the page is not taken for one that breaks it, and is told no more than the page allows.

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use std::{future::pending, time::Duration};

use duologue::{
    Cause, Config, HandshakeError, PeerPolicy, PublicKey, ReceiveError, Received, SecretKey,
    SendError, Session, accept,
};
use raw_peer::handshake::public_key;
use raw_peer::wire::with_length;
use raw_peer::{Options, Pattern, RawFrame, RawHandshake, RawParams, RawRecord, Suite};
use raw_tokio::{Heard, RawPeer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{sleep, timeout},
};

const OURS: [u8; 32] = [1; 32];
const RAWS: [u8; 32] = [2; 32];

fn config() -> Config {
    Config::new(SecretKey::from_bytes(&mut OURS.clone())).peers(PeerPolicy::pinned([
        PublicKey::from_bytes(public_key(RAWS)),
    ]))
}

fn options() -> Options {
    let mut options = Options::new(Suite::ChaChaPoly, Pattern::Xx, RAWS);
    options.remote = Some(public_key(OURS));
    options
}

/// Our responder, established with a raw initiator.
async fn established(config: &Config) -> (Session, RawPeer<DuplexStream>) {
    let (near, far) = duplex(1 << 20);
    let params = RawParams::default();
    let (raw, ours) = tokio::join!(
        RawPeer::connect(near, options(), &params),
        accept(far, config)
    );
    (ours.unwrap(), raw.unwrap().0)
}

#[tokio::test(start_paused = true)]
async fn the_last_piece_of_a_message_earns_as_every_piece() {
    // spec: L-1
    let (mut ours, mut raw) = established(&config()).await;
    let all = vec![RawFrame::ReceiptRequest; 32];
    raw.send_frames(&all).await.unwrap();
    raw.send(&RawRecord::Piece(vec![1; 1_024])).await.unwrap();
    raw.send(&RawRecord::Message(vec![1; 31_000]))
        .await
        .unwrap();
    // One for the piece, 30 for the last one, one for the message.
    raw.send_frames(&all).await.unwrap();
    raw.send(&RawRecord::Message(vec![2])).await.unwrap();
    let whole = ours.recv().await.unwrap().unwrap();
    assert_eq!(whole.len(), 32_024);
    assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&[2][..]));
}

#[tokio::test]
async fn an_abort_is_answered_with_nothing() {
    // spec: E-16
    let (mut ours, mut raw) = established(&config()).await;
    let batch = [
        RawFrame::Message(b"m".to_vec()),
        RawFrame::ReceiptRequest,
        RawFrame::Ping([0; 8]),
        RawFrame::Abort(300, Vec::new()),
    ];
    ours.feed(b"not sealed yet").await.unwrap();
    raw.send_frames(&batch).await.unwrap();
    assert!(ours.recv().await.unwrap().is_some());
    let sent = ours.send(b"late").await.unwrap_err();
    assert!(
        matches!(sent, SendError::Over(Cause::PeerAborted { .. })),
        "{sent}"
    );
    let (heard, outcome) = tokio::join!(raw.next(), ours.close());
    assert_eq!(heard, Heard::EndOfStream);
    assert!(
        matches!(outcome.cause, Cause::PeerAborted { .. }),
        "{outcome}"
    );
}

#[tokio::test]
async fn a_message_that_is_too_large_has_not_arrived() {
    // spec: T-8, E-10
    let first = vec![RawRecord::Message(vec![0; 11])];
    let pieces = vec![RawRecord::Piece(vec![0; 9]), RawRecord::Message(vec![0; 2])];
    for records in [first, pieces] {
        let (mut ours, mut raw) = established(&config().max_message(10)).await;
        raw.send(&RawRecord::Message(vec![0; 10])).await.unwrap();
        for record in &records {
            raw.send(record).await.unwrap();
        }
        assert!(ours.recv().await.unwrap().is_some());
        let error = ours.recv().await.unwrap_err();
        assert!(
            matches!(error, ReceiveError::Truncated { arrived: 1, .. }),
            "{error}"
        );
        let (outcome, abort) = tokio::join!(ours.close(), raw.next());
        assert!(
            matches!(outcome.received, Received::Truncated { arrived: 1, .. }),
            "{outcome}"
        );
        let abort_frame = RawFrame::Abort(4, Vec::new());
        assert_eq!(abort, Heard::Record(RawRecord::Batch(vec![abort_frame])));
        drop(raw);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_left_in_part_is_not_begun_anew_at_the_deadline() {
    // spec: H-9, H-19
    let (mut near, far) = duplex(64);
    let stranger = async move {
        let mut handshake = RawHandshake::initiator(options());
        let body = handshake.write_body().unwrap();
        near.write_all(&with_length(&body)).await.unwrap();
        sleep(Duration::from_secs(11)).await;
        let mut heard = Vec::new();
        near.read_to_end(&mut heard).await.unwrap();
        heard.len()
    };
    let config = config();
    let (ours, heard) = tokio::join!(accept(far, &config), stranger);
    assert!(
        matches!(ours, Err(HandshakeError::TimedOut { .. })),
        "{ours:?}"
    );
    assert_eq!(heard, 64);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_an_illegal_length_is_answered_with_an_abort() {
    // spec: T-1, T-20
    for length in [1, 16] {
        let (mut ours, mut raw) = established(&config()).await;
        raw.send_bytes(&[0, length]).await.unwrap();
        let heard = timeout(Duration::from_secs(1), async {
            tokio::select! {
                heard = raw.next() => heard,
                () = ours.attend(pending::<()>()) => Heard::Silence,
            }
        });
        let abort = RawFrame::Abort(3, Vec::new());
        let heard = heard.await.expect("nothing was said");
        assert_eq!(heard, Heard::Record(RawRecord::Batch(vec![abort])));
    }
}
