use core::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Context,
};
use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use crate::{Config, PeerPolicy, SecretKey, Session, accept, connect};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pair() -> (Session, Session) {
    let (alice, bob) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let (alices, bobs) = (alice.public_key(), bob.public_key());
    let (near, far) = tokio::io::duplex(65_536);
    let bob = Config::new(bob).peers(PeerPolicy::pinned([alices]));
    let alice = Config::new(alice);
    let (near, far) = tokio::join!(connect(near, Some(&bobs), &alice), accept(far, &bob));
    (near.unwrap(), far.unwrap())
}

/// What the receiving half owes while the other half holds the sending side leaves all the same.
// spec: L-6, T-15
#[tokio::test]
async fn an_answer_owed_while_the_sending_side_is_held_is_not_forgotten() {
    let (mut alice, bob) = pair().await;
    let (sender, mut receiver) = bob.split();
    alice.ping().await.unwrap();

    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut receiving = pin!(receiver.recv());
    let held = sender.link.outgoing();
    assert!(receiving.as_mut().poll(&mut context).is_pending());
    let before = count.0.load(Ordering::SeqCst);
    drop(held);
    assert!(count.0.load(Ordering::SeqCst) > before, "nobody was woken");

    assert!(receiving.as_mut().poll(&mut context).is_pending());
    {
        let mut waiting = pin!(alice.recv());
        let noop = &mut Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(noop).is_pending());
    }
    assert!(alice.round_trip().is_some(), "the PONG has not come");
}

/// Who could not read while the other half did, and stands registered nowhere, is told to look again.
// spec: L-6
#[tokio::test]
async fn a_sender_that_cannot_read_while_the_receiver_does_is_woken_behind_it() {
    let (mut alice, bob) = pair().await;
    let (mut sender, receiver) = bob.split();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut sending = pin!(sender.send_confirmed(b"taken?"));

    let held = receiver.link.incoming();
    assert!(sending.as_mut().poll(&mut context).is_pending());
    let before = count.0.load(Ordering::SeqCst);
    drop(held);
    assert!(count.0.load(Ordering::SeqCst) > before, "nobody was woken");

    assert!(sending.as_mut().poll(&mut context).is_pending());
    let before = count.0.load(Ordering::SeqCst);
    // The receipt leaves as the message is taken.
    alice.recv().await.unwrap();
    assert!(
        count.0.load(Ordering::SeqCst) > before,
        "nobody reads the receipt"
    );
    assert!(sending.as_mut().poll(&mut context).is_ready());
}
