//! The meter counts what it should, and finds what was left behind.

use std::{
    future::{Future, poll_fn},
    mem::take,
    task::{Context, Poll, Waker},
};

use duologue_heap::{Heap, Meter, unmetered};

#[global_allocator]
static HEAP: Heap = Heap::new();

#[test]
fn what_runs_in_a_meter_is_counted_and_nothing_else() {
    let before = vec![0_u8; 1_000];
    let mut meter = Meter::new();
    let kept = meter.run(|| {
        drop(vec![0_u8; 100]);
        unmetered(|| drop(vec![0_u8; 5_000]));
        vec![0_u8; 60]
    });
    assert_eq!((meter.live(), meter.peak()), (60, 100));
    assert_eq!(meter.allocations(), 2);
    meter.run(|| drop(kept));
    assert_eq!(meter.live(), 0);
    assert!(HEAP.live() >= 1_000);
    drop(before);
}

#[test]
fn a_block_that_grows_is_counted_once() {
    let mut meter = Meter::new();
    meter.run(|| {
        let mut bytes = Vec::with_capacity(1_000);
        bytes.extend_from_slice(&[1_u8; 1_000]);
        bytes.reserve_exact(3_000);
    });
    assert_eq!((meter.live(), meter.peak()), (0, 4_000));
}

#[test]
fn what_was_freed_unwiped_is_found_and_what_was_wiped_is_not() {
    let secret: [u8; 32] = std::array::from_fn(|at| at as u8 + 40);
    let mut meter = Meter::keeping();
    meter.run(|| {
        let mut wiped = secret.to_vec();
        wiped.fill(0);
        std::hint::black_box(&mut wiped);
    });
    assert_eq!(meter.take_freed().count(&secret), 0);
    meter.run(|| {
        // Grown behind its content: the old block may stay as it was.
        let mut grown = secret.to_vec();
        grown.reserve_exact(10_000);
        grown.fill(0);
        std::hint::black_box(&mut grown);
    });
    let freed = meter.take_freed();
    assert_eq!(freed.count(&secret), 1);
    assert!(freed.stretches::<32>().contains(&secret));
    assert!(meter.take_freed().is_empty());
    assert_eq!(freed.count(&[0xee; 32]), 0);
}

#[test]
fn the_polls_of_a_future_are_counted() {
    let mut meter = Meter::new();
    let mut first = true;
    let mut future = Box::pin(meter.future(|| async {
        let held = vec![0_u8; 70_000];
        poll_fn(|_cx| {
            if take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        held.len()
    }));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    assert_eq!(future.as_mut().poll(&mut context), Poll::Ready(70_000));
    drop(future);
    assert!((70_000..71_000).contains(&meter.peak()), "{}", meter.peak());
    assert_eq!(meter.live(), 0);
}
