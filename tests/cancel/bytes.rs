//! The face of bytes: each poll of reading, writing, flushing and ending, dropped.

use duologue::{Received, Sent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    harness::{at_every_poll, cut, greetings, peer, slow_pair},
    support::pattern,
};

#[tokio::test(start_paused = true)]
async fn bytes_cross_once_and_in_order_whatever_is_dropped() {
    // spec: E-10; threat: 101, 103
    at_every_poll(&[11, 700, 20_000], async |step, polls| {
        let (session, bob, pace) = slow_pair().await;
        let bob = peer(bob);
        let mut stream = session.into_stream();
        pace.set(step);
        let (mut written, mut read, mut left) = (Vec::new(), Vec::new(), 3);
        let mut room = [0; 900];
        let work = async {
            while left > 0 {
                // Offered again after each drop, and another time with other bytes.
                let bytes = pattern(150_000, left);
                let count = stream.write(&bytes).await.unwrap();
                written.extend_from_slice(&bytes[..count]);
                stream.flush().await.unwrap();
                let count = stream.read(&mut room).await.unwrap();
                read.extend_from_slice(&room[..count]);
                left -= 1;
            }
            stream.shutdown().await.unwrap();
        };
        let done = cut(polls, work).await.is_some();
        pace.set(0);
        if left > 0 {
            let count = stream.write(b"other bytes").await.unwrap();
            written.extend_from_slice(&b"other bytes"[..count]);
        }
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut read).await.unwrap();
        let outcome = stream.close().await;
        let report = bob.await.unwrap();
        assert!(report.error.is_none(), "{report:?}");
        assert!(
            report.got.concat() == written,
            "other bytes came than were written"
        );
        assert!(
            read == greetings().concat(),
            "other bytes came than the peer wrote"
        );
        assert!(matches!(outcome.sent, Sent::Delivered(_)), "{outcome}");
        assert!(
            matches!(outcome.received, Received::Complete(4)),
            "{outcome}"
        );
        assert!(matches!(report.outcome.received, Received::Complete(_)));
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_has_no_room_takes_none_of_its_bytes() {
    // threat: 103
    at_every_poll(&[9_000], async |step, polls| {
        let (session, bob, pace) = slow_pair().await;
        let bob = peer(bob);
        let mut stream = session.into_stream();
        pace.set(step);
        let mut written = Vec::new();
        let work = async {
            for number in 0..14 {
                let bytes = pattern(30_000, number);
                let count = stream.write(&bytes).await.unwrap();
                written.extend_from_slice(&bytes[..count]);
            }
        };
        let done = cut(polls, work).await.is_some();
        pace.set(0);
        let count = stream.write(&pattern(20_000, 200)).await.unwrap();
        written.extend_from_slice(&pattern(20_000, 200)[..count]);
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        stream.close().await;
        let report = bob.await.unwrap();
        assert!(
            report.got.concat() == written,
            "other bytes came than were written"
        );
        done
    })
    .await;
}
