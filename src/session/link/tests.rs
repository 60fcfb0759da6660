use core::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Context,
};
use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use crate::session::wakers::Side;
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

/// Runs something when it is dropped.
struct OnDrop<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for OnDrop<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn() + Send + Sync> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A sender that could not write, as the other half did, waits for the transport all the same.
#[tokio::test]
async fn a_sender_that_cannot_write_while_the_receiver_does_is_woken_by_the_transport() {
    let (mut alice, bob) = pair().await;
    let (mut sender, mut receiver) = bob.split();
    let link = Arc::clone(&sender.link);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let message = vec![7_u8; 200_000];

    let (reached, at_drive) = std::sync::mpsc::channel::<()>();
    let (holds, held) = std::sync::mpsc::channel::<()>();
    let (reached, held) = (std::sync::Mutex::new(reached), std::sync::Mutex::new(held));
    // Dropped when `drive` registers for news: behind the first write, before the second.
    let hook = Waker::from(Arc::new(OnDrop(move || {
        reached.lock().unwrap().send(()).unwrap();
        held.lock().unwrap().recv().unwrap();
    })));
    link.wakers.news.register(Side::Sender, &hook);
    drop(hook);

    let handle = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        // What `drive` does for the receiving half.
        let link = &link;
        scope.spawn(move || {
            at_drive.recv().unwrap();
            let mut outgoing = link.try_outgoing().unwrap();
            link.wakers.write.register(Side::Receiver, Waker::noop());
            holds.send(()).unwrap();
            while !link.mail_waits.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
            assert!(link.write(&mut outgoing, super::now()).is_pending());
        });
        let sending = scope.spawn(|| {
            let _entered = handle.enter();
            let mut context = Context::from_waker(&waker);
            let mut sending = pin!(sender.send(&message));
            assert!(sending.as_mut().poll(&mut context).is_pending());
            // The future waits on: dropping it would do nothing more.
        });
        sending.join().unwrap();
    });

    let before = count.0.load(Ordering::SeqCst);
    // The peer reads, and the receiving half writes the rest.
    let got = receiver.attend(alice.recv()).await.unwrap();
    assert_eq!(got.map(|bytes| bytes.len()), Some(200_000));
    assert!(
        count.0.load(Ordering::SeqCst) > before,
        "all is written, and the sender sleeps on"
    );
}
