//! The record behind a message in pieces is foreseen to begin another one: whatever it is instead, it counts as what it is.

#[path = "support/raw_pair.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_pair;
#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use duologue::{Cause, ReceiveError, Session};
use raw_pair::{config, established};
use raw_peer::{RawFrame, RawRecord};
use raw_tokio::RawPeer;
use tokio::io::DuplexStream;

const PIPE: usize = 1 << 20;

fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length)
        .map(|at| ((at * 7 + seed) % 251) as u8)
        .collect()
}

/// A message of two pieces, received and let go: its buffer serves again.
async fn in_pieces(ours: &mut Session, raw: &mut RawPeer<DuplexStream>, seed: usize) {
    let whole = pattern(50_000, seed);
    let (first, last) = whole.split_at(25_000);
    raw.send(&RawRecord::Piece(first.to_vec())).await.unwrap();
    raw.send(&RawRecord::Message(last.to_vec())).await.unwrap();
    assert_eq!(ours.recv_ref().await.unwrap(), Some(&whole[..]));
}

/// What stands for one message each.
fn small(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| pattern(100, number)).collect()
}

#[tokio::test]
async fn whatever_stands_behind_a_message_in_pieces_is_received_as_it_is() {
    let (mut ours, mut raw) = established(PIPE, &config()).await;
    let batch = || small(300).into_iter().map(RawFrame::Message).collect();
    let cases: Vec<(Vec<RawRecord>, Vec<Vec<u8>>)> = vec![
        (vec![RawRecord::Batch(batch())], small(300)),
        (
            vec![RawRecord::Message(pattern(20_000, 1))],
            vec![pattern(20_000, 1)],
        ),
        (
            // Withdrawn in its middle, the next one whole.
            vec![
                RawRecord::Piece(pattern(30_000, 2)),
                RawRecord::Batch(vec![RawFrame::Discard, RawFrame::Message(vec![3])]),
                RawRecord::Piece(pattern(9_000, 4)),
                RawRecord::Message(Vec::new()),
            ],
            vec![vec![3], pattern(9_000, 4)],
        ),
        (
            // Control and nothing else, as long as a piece.
            vec![
                RawRecord::Batch(vec![RawFrame::ReceiptRequest, RawFrame::Padding(20_000)]),
                RawRecord::Message(vec![5]),
            ],
            vec![vec![5]],
        ),
        (
            vec![
                RawRecord::Piece(pattern(65_518, 6)),
                RawRecord::Piece(pattern(65_518, 7)),
                RawRecord::Batch(vec![RawFrame::ReceiptRequest]),
                RawRecord::Message(pattern(65_518, 8)),
            ],
            vec![[pattern(65_518, 6), pattern(65_518, 7), pattern(65_518, 8)].concat()],
        ),
    ];
    let mut count = 0;
    for (number, (records, messages)) in cases.iter().enumerate() {
        in_pieces(&mut ours, &mut raw, number).await;
        for record in records {
            raw.send(record).await.unwrap();
        }
        for message in messages {
            assert_eq!(ours.recv().await.unwrap().as_deref(), Some(&message[..]));
        }
        count += 1 + messages.len() as u64;
    }
    // Another count than ours would be a violation.
    raw.send_frames(&[RawFrame::End(count, 0, Vec::new())])
        .await
        .unwrap();
    assert_eq!(ours.recv().await.unwrap(), None);
}

#[tokio::test]
async fn a_message_that_is_held_is_not_written_over_by_the_next() {
    let (mut ours, mut raw) = established(PIPE, &config()).await;
    let mut held = Vec::new();
    for seed in 0..4 {
        let whole = pattern(40_000, seed);
        let (first, last) = whole.split_at(20_000);
        raw.send(&RawRecord::Piece(first.to_vec())).await.unwrap();
        raw.send(&RawRecord::Message(last.to_vec())).await.unwrap();
        held.push((ours.recv().await.unwrap().unwrap(), whole));
        if seed == 1 {
            held.clear();
        }
    }
    assert!(held.iter().all(|(got, sent)| got == sent));
}

// spec: T-8
#[tokio::test]
async fn a_first_piece_that_is_too_large_ends_the_session() {
    let (mut ours, mut raw) = established(PIPE, &config().max_message(60_000)).await;
    in_pieces(&mut ours, &mut raw, 0).await;
    raw.send(&RawRecord::Piece(vec![1; 60_001])).await.unwrap();
    let error = ours.recv().await.unwrap_err();
    let ReceiveError::Truncated {
        arrived: 1, cause, ..
    } = error
    else {
        panic!("{error}");
    };
    assert!(cause.to_string().contains("max_message"), "{cause}");
}

// spec: T-4
#[tokio::test]
async fn a_first_piece_that_was_changed_ends_the_session() {
    let (mut ours, mut raw) = established(PIPE, &config()).await;
    in_pieces(&mut ours, &mut raw, 0).await;
    let mut bytes = 20_000_u16.to_be_bytes().to_vec();
    bytes.resize(20_002, 9);
    raw.send_bytes(&bytes).await.unwrap();
    let error = ours.recv().await.unwrap_err();
    assert!(
        matches!(
            error,
            ReceiveError::Truncated {
                arrived: 1,
                cause: Cause::BadRecord,
                ..
            }
        ),
        "{error}"
    );
}
