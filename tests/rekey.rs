//! New keys: by records, by bytes, by time, by hand; the peer follows without a word between the two.

mod support;

#[path = "support/raw_pair.rs"]
#[expect(
    unused,
    unreachable_pub,
    reason = "shared by the tests with a raw peer"
)]
mod raw_pair;
#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "support/raw_tokio.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_tokio;

use std::time::Duration;

use duologue::{Config, Received, Sent};
use raw_pair::{config, established};
use raw_peer::{RawFrame, RawRecord};
use raw_tokio::{Heard, RawPeer};
use support::{configs, pair_with, pattern};
use tokio::io::DuplexStream;

const HOUR: Duration = Duration::from_secs(3_600);
/// The most that may be asked for.
const MANY: u64 = 64 << 30;

/// Records between one REKEY and the next, until the peer ends; the records are opened with the new keys.
async fn epochs(raw: &mut RawPeer<DuplexStream>) -> (Vec<u32>, u64) {
    let (mut epochs, mut messages) = (vec![0], 0);
    loop {
        let record = match raw.next().await {
            Heard::Record(record) => record,
            other => panic!("{other:?}"),
        };
        *epochs.last_mut().unwrap() += 1;
        match record {
            RawRecord::Message(_) => messages += 1,
            RawRecord::Piece(_) => {}
            RawRecord::Batch(frames) => {
                let whole = |frame: &&RawFrame| matches!(frame, RawFrame::Message(_));
                messages += frames.iter().filter(whole).count() as u64;
                if frames.contains(&RawFrame::Rekey) {
                    assert_eq!(frames, [RawFrame::Rekey], "nothing may stand behind it");
                    epochs.push(0);
                }
                if frames
                    .iter()
                    .any(|frame| matches!(frame, RawFrame::End(..)))
                {
                    return (epochs, messages);
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_seals_no_more_records_than_its_limit() {
    // spec: T-10, T-11; threat: 56, 60
    for limit in [4, 5, 16] {
        let config = config().rekey_after(limit, MANY, HOUR);
        let (mut ours, mut raw) = established(1 << 20, &config).await;
        for number in 0..200_u8 {
            ours.send(&pattern(10, number)).await.unwrap();
        }
        ours.finish().await.unwrap();
        let (epochs, messages) = epochs(&mut raw).await;
        assert_eq!(messages, 200);
        let limit = u32::try_from(limit).unwrap();
        // The first epoch began with record 0.
        assert_eq!(epochs[0], limit - 1, "{epochs:?}");
        assert!(epochs.iter().all(|records| *records <= limit), "{epochs:?}");
        assert!(
            epochs[1..epochs.len() - 1]
                .iter()
                .all(|records| *records == limit)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_after_its_bytes_within_a_large_message_too() {
    // spec: T-7, T-10, T-11
    let config = config().rekey_after(1 << 20, 100_000, HOUR);
    let (mut ours, mut raw) = established(1 << 21, &config).await;
    ours.send(&pattern(1_000_000, 1)).await.unwrap();
    ours.finish().await.unwrap();
    let (epochs, messages) = epochs(&mut raw).await;
    assert_eq!(messages, 1);
    // Four records of up to 32,768 bytes, and the REKEY.
    assert!(epochs.len() >= 8, "{epochs:?}");
    assert!(epochs.iter().all(|records| *records <= 5), "{epochs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_when_it_is_old() {
    // spec: T-11
    let config = config().rekey_after(1 << 20, MANY, HOUR).idle_timeout(None);
    let (mut ours, mut raw) = established(1 << 20, &config).await;
    for _minute in 0..300 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        ours.send(b"m").await.unwrap();
    }
    ours.finish().await.unwrap();
    let (epochs, messages) = epochs(&mut raw).await;
    assert_eq!((epochs.len(), messages), (6, 300), "{epochs:?}");
}

#[tokio::test(start_paused = true)]
async fn asking_by_hand_is_enough_and_asking_often_is_not_a_flood() {
    // spec: T-10, L-1, L-2; threat: 61
    let (mut ours, mut raw) = established(1 << 20, &config()).await;
    for _asking in 0..1_000 {
        ours.rekey_now().await.unwrap();
    }
    ours.send(b"m").await.unwrap();
    ours.finish().await.unwrap();
    let (epochs, messages) = epochs(&mut raw).await;
    assert_eq!(messages, 1);
    assert!((2..=33).contains(&epochs.len()), "{epochs:?}");
}

#[tokio::test]
async fn both_sides_follow_each_others_keys_through_everything() {
    // spec: T-2, T-10; threat: 57, 60, 62
    let often = |config: Config| config.rekey_after(3, MANY, HOUR);
    let (alice, bob) = configs();
    let (alice, bob) = pair_with(1 << 14, &often(alice), &often(bob)).await;
    let mut tasks = Vec::new();
    for session in [alice, bob] {
        let (mut sender, mut receiver) = session.split();
        tasks.push(tokio::spawn(async move {
            let sending = async {
                for number in 0..300_usize {
                    let message = pattern(number * 331 % 70_000, number as u8);
                    sender.send(&message).await.unwrap();
                    if number % 50 == 0 {
                        sender.rekey_now().await.unwrap();
                    }
                }
                sender.close().await
            };
            let receiving = async {
                for number in 0..300_usize {
                    let message = receiver.recv().await.unwrap().unwrap();
                    let expected = pattern(number * 331 % 70_000, number as u8);
                    assert!(*message == *expected, "{number}");
                }
                receiver.recv().await.unwrap();
                receiver.close().await
            };
            tokio::join!(sending, receiving).0
        }));
    }
    for task in tasks {
        let outcome = task.await.unwrap();
        assert_eq!(outcome.sent, Sent::Delivered(300), "{outcome}");
        assert_eq!(outcome.received, Received::Complete(300), "{outcome}");
    }
}
