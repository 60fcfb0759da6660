use core::sync::atomic::AtomicU64;
use std::{
    thread,
    time::{Duration, Instant},
};

use super::*;

/// Far beyond what a thread waits for the other.
const LOST: Duration = Duration::from_secs(5);

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Looks, and waits if there is nothing, as a session does. Whether the call came.
fn look(slot: &Slot, ready: &AtomicBool, us: &Waker) -> bool {
    let since = Instant::now();
    loop {
        let found = slot.is_stirred()
            && slot
                .ask(|| match ready.load(Ordering::SeqCst) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .is_ready();
        if found {
            return true;
        }
        slot.register(Side::Receiver, us);
        if slot.is_stirred() {
            continue;
        }
        thread::park_timeout(LOST);
        let late = since.elapsed() >= LOST && ready.load(Ordering::SeqCst);
        if late && !slot.is_stirred() {
            return false;
        }
    }
}

/// A transport that keeps the waker it has, as the slot's never changes, and says by one flag whether there
/// is something: nothing of its own orders our words.
#[test]
fn no_call_is_lost_between_the_word_and_the_look() {
    const ROUNDS: u64 = 200_000;
    let slot = Arc::new(Slot::default());
    let (ready, round) = (AtomicBool::new(false), AtomicU64::new(0));
    let us = Waker::from(Arc::new(Unpark(thread::current())));
    thread::scope(|scope| {
        scope.spawn(|| {
            let transport = Waker::from(Arc::clone(&slot));
            for number in 0..ROUNDS {
                while round.load(Ordering::SeqCst) < number {
                    core::hint::spin_loop();
                }
                // At another moment of the look each time.
                for moment in 0..number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56 {
                    core::hint::black_box(moment);
                }
                ready.store(true, Ordering::SeqCst);
                transport.wake_by_ref();
            }
        });
        let lost = (1..=ROUNDS).find(|number| {
            let came = look(&slot, &ready, &us);
            ready.store(false, Ordering::SeqCst);
            round.store(*number, Ordering::SeqCst);
            !came
        });
        round.store(ROUNDS, Ordering::SeqCst);
        assert_eq!(lost, None, "the call of this round was lost");
    });
}
