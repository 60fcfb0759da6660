//! Values instead of bytes, and what happens to a message that is none.
#![cfg(feature = "serde")]

mod support;

use std::pin::Pin;

use duologue::{Received, Sent, TypedReceiveError, codec::Json};
use futures_core::Stream;
use futures_sink::Sink;
use support::pair;

#[tokio::test]
async fn a_message_that_does_not_decode_is_an_error_of_that_message() {
    // threat: 110
    let (mut alice, bob) = pair().await;
    let mut bob = bob.typed::<(), (u32, String)>();
    alice.send(&[0xff; 3]).await.unwrap();
    alice.send(&[1, 1, b'x']).await.unwrap();
    assert!(matches!(
        bob.recv().await,
        Err(TypedReceiveError::Decode(_))
    ));
    assert_eq!(bob.recv().await.unwrap(), Some((1, "x".to_owned())));
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert_eq!(
        (a.sent, b.received),
        (Sent::Delivered(2), Received::Complete(2))
    );
}

#[tokio::test]
async fn a_last_message_that_does_not_decode_is_not_taken() {
    let (mut alice, bob) = pair().await;
    let mut bob = bob.typed::<(), String>();
    alice.send(&[200]).await.unwrap();
    assert!(bob.recv().await.is_err());
    let (a, b) = tokio::join!(alice.close(), bob.close());
    assert!(
        matches!(
            a.sent,
            Sent::Partial {
                taken: 0,
                sent: 1,
                ..
            }
        ),
        "{a}"
    );
    assert!(
        matches!(
            b.received,
            Received::Stopped {
                taken: 0,
                sent: 1,
                ..
            }
        ),
        "{b}"
    );
}

#[tokio::test]
async fn a_typed_session_is_a_sink_and_a_stream() {
    let (alice, bob) = pair().await;
    let mut alice = alice.typed_with::<Vec<u32>, (), _>(Json);
    let mut bob = bob.typed_with::<(), Vec<u32>, _>(Json);
    let sending = async {
        for number in 0..100 {
            let value = vec![number; 10_000];
            std::future::poll_fn(|cx| Pin::new(&mut alice).poll_ready(cx))
                .await
                .unwrap();
            Pin::new(&mut alice).start_send(value).unwrap();
        }
        std::future::poll_fn(|cx| Sink::poll_close(Pin::new(&mut alice), cx))
            .await
            .unwrap();
        alice.close().await
    };
    let receiving = async {
        for number in 0..100 {
            let value = std::future::poll_fn(|cx| Pin::new(&mut bob).poll_next(cx)).await;
            assert_eq!(value.unwrap().unwrap(), vec![number; 10_000]);
        }
        let end = std::future::poll_fn(|cx| Pin::new(&mut bob).poll_next(cx)).await;
        assert!(end.is_none());
        bob.close().await
    };
    let (a, b) = tokio::join!(sending, receiving);
    assert_eq!(
        (a.sent, b.received),
        (Sent::Delivered(100), Received::Complete(100))
    );
}
