//! The transport ends after each byte of a session: nothing that broke ever looks like an end.

mod support;

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use duologue::{Config, Outcome, Received, Sent, accept, connect};
use support::configs;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// A transport whose incoming bytes end after so many.
struct Cut {
    inner: DuplexStream,
    left: usize,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let most = self.left.min(buffer.remaining());
        if most == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut part);
        let count = part.filled().len();
        buffer.advance(count);
        self.left -= count;
        read
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// What one side lived through: messages taken, and the outcome if there was a session.
type Life = (Vec<Vec<u8>>, Option<Outcome>);

async fn talk(session: Result<duologue::Session, duologue::HandshakeError>) -> Life {
    let Ok(mut session) = session else {
        return (Vec::new(), None);
    };
    let mut taken = Vec::new();
    let _broken = session.send(b"one").await;
    let _broken = session.feed(&[2; 5_000]).await;
    let _broken = session.finish().await;
    while let Ok(Some(message)) = session.recv().await {
        taken.push(message.to_vec());
    }
    (taken, Some(session.close().await))
}

async fn run(alice: &Config, bob: &Config, cuts: (usize, usize)) -> (Life, Life) {
    let (near, far) = duplex(1 << 16);
    let near = Cut {
        inner: near,
        left: cuts.0,
    };
    let far = Cut {
        inner: far,
        left: cuts.1,
    };
    tokio::join!(
        async { talk(connect(near, None, alice).await).await },
        async { talk(accept(far, bob).await).await },
    )
}

fn judge(ours: &Life, theirs: &Life, at: usize) {
    let Some(outcome) = &ours.1 else {
        return;
    };
    let taken = ours.0.len();
    assert!(ours.0.starts_with(&[]) && taken <= 2, "{at}");
    if taken > 0 {
        assert_eq!(ours.0[0], b"one", "{at}");
    }
    match outcome.received {
        Received::Complete(count) => assert_eq!((count, taken), (2, 2), "{at}: {outcome}"),
        Received::Truncated {
            arrived,
            taken: counted,
            ..
        } => {
            assert_eq!(
                (arrived, counted),
                (taken as u64, taken as u64),
                "{at}: {outcome}"
            );
        }
        _ => panic!("{at}: {outcome}"),
    }
    let (peer_took, peer) = theirs;
    match outcome.sent {
        Sent::Delivered(count) => {
            assert_eq!((count, peer_took.len()), (2, 2), "{at}: {outcome}");
            let peer = peer.as_ref().expect("it took everything");
            assert_eq!(peer.received, Received::Complete(2), "{at}: {peer}");
        }
        Sent::Partial { taken, .. } => assert_eq!(taken, peer_took.len() as u64, "{at}"),
        Sent::Unconfirmed { taken, .. } => assert!(taken <= peer_took.len() as u64, "{at}"),
        _ => panic!("{at}: {outcome}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_of_the_transport_after_each_byte_gives_a_true_outcome() {
    // spec: E-10, E-11, E-15; threat: 70
    let (alice, bob) = configs();
    let (alice, bob) = (
        alice.suites([duologue::Suite::AesGcm]),
        bob.suites([duologue::Suite::AesGcm]),
    );
    let mut complete = 0;
    let mut broken = 0;
    for cut in 0..5_700 {
        // Bulk in the middle of the large message is all alike.
        if (700..5_100).contains(&cut) && cut % 61 != 0 {
            continue;
        }
        for cuts in [(cut, usize::MAX), (usize::MAX, cut)] {
            let (one, other) = run(&alice, &bob, cuts).await;
            judge(&one, &other, cut);
            judge(&other, &one, cut);
            for life in [one, other] {
                match life.1.map(|outcome| (outcome.sent, outcome.received)) {
                    Some((Sent::Delivered(2), Received::Complete(2))) => complete += 1,
                    _ => broken += 1,
                }
            }
        }
    }
    assert!(complete > 100 && broken > 2_000, "{complete} {broken}");
}
