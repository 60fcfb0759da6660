//! What a session allocates: nothing for a message or a record, next to nothing while it is idle.
//!
//! One test in a file of its own: the allocator counts what the whole process does.

mod pipe;
mod support;

use std::{alloc::System, future::Future, time::Duration};

use bytes::Bytes;
use duologue::{Config, Provider, Session, Suite, accept_halves, connect_halves};
use pipe::Pipe;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::configs;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// An idle established end may own so much heap, beside its AEAD keys.
const IDLE_HEAP: usize = 2 * 1024;
/// Two keys of AES-256-GCM in the portable provider; those of AWS-LC are not in the heap that is counted.
const PORTABLE_KEYS: usize = 2 * 700;
/// An input buffer: what one large read takes, and what was left of a record before it.
const INPUT_BUFFER: usize = (256 + 64) * 1024;

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(future)
}

async fn pair(alice: &Config, bob: &Config) -> (Session, Session) {
    let (there, back) = (Pipe::new(), Pipe::new());
    let (alice, bob) = tokio::join!(
        connect_halves(back.clone(), there.clone(), None, alice),
        accept_halves(there, back, bob),
    );
    (alice.unwrap(), bob.unwrap())
}

/// When what was fed leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    Each,
    Last,
}

/// Sends and receives so many messages.
async fn talk(pair: &mut (Session, Session), message: &[u8], count: usize, flush: Flush) {
    let (alice, bob) = pair;
    let sending = async {
        for _message in 0..count {
            alice.feed(message).await.unwrap();
            if flush == Flush::Each {
                alice.flush().await.unwrap();
            }
        }
        alice.flush().await.unwrap();
    };
    let receiving = async {
        for _message in 0..count {
            let received = bob.recv_ref().await.unwrap().unwrap();
            assert_eq!(received.len(), message.len());
        }
    };
    tokio::join!(sending, receiving);
}

/// Both wait for messages that do not come, for longer than buffers are kept.
async fn stay_idle((alice, bob): &mut (Session, Session)) {
    let quiet = Duration::from_secs(5);
    let (one, other) = tokio::join!(
        tokio::time::timeout(quiet, alice.recv()),
        tokio::time::timeout(quiet, bob.recv())
    );
    assert!(one.is_err() && other.is_err());
}

/// Bytes in use now.
fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Single messages, batches, bare records, messages of several pieces.
async fn a_steady_flow_allocates_nothing(alice: &Config, bob: &Config) {
    let mut pair = pair(alice, bob).await;
    for (size, count) in [(64, 20_000), (1_024, 4_000), (16_384, 400), (65_536, 200)] {
        for flush in [Flush::Each, Flush::Last] {
            let message = vec![7; size];
            // Buffers grow to what this flow needs.
            talk(&mut pair, &message, count, flush).await;
            let region = Region::new(ALLOCATOR);
            talk(&mut pair, &message, count, flush).await;
            let change = region.change();
            assert_eq!(
                (change.allocations, change.reallocations),
                (0, 0),
                "{count} messages of {size} bytes, flushed {flush:?}"
            );
        }
    }
}

async fn an_idle_end_owns_next_to_nothing(alice: &Config, bob: &Config, keys: usize) {
    const PAIRS: usize = 32;
    let before = heap();
    let pipes: Vec<_> = (0..PAIRS * 2).map(|_| Pipe::new()).collect();
    let pipes_own = heap() - before - PAIRS * 2 * size_of::<Pipe>();
    drop(pipes);
    let message = vec![7; 64 * 1024];
    let mut pairs = Vec::with_capacity(PAIRS);
    let before = heap();
    let each = || (heap() - before - pipes_own) / (PAIRS * 2);
    for _pair in 0..PAIRS {
        pairs.push(pair(alice, bob).await);
    }
    let fresh = each();
    for pair in &mut pairs {
        talk(pair, &message, 16, Flush::Last).await;
    }
    let in_use = each();
    for pair in &mut pairs {
        stay_idle(pair).await;
    }
    let after = each();
    assert!(in_use > after);
    assert!(fresh <= IDLE_HEAP + keys, "{fresh} bytes");
    assert!(after <= IDLE_HEAP + keys, "{after} bytes");
}

async fn a_held_message_keeps_at_most_one_input_buffer(alice: &Config, bob: &Config) {
    let mut pair = pair(alice, bob).await;
    talk(&mut pair, &[7; 64], 20_000, Flush::Last).await;
    stay_idle(&mut pair).await;
    let before = heap();
    let mut held: Vec<Bytes> = Vec::with_capacity(4);
    for size in [64, 1_024, 16_384, 65_536] {
        let message = vec![7; size];
        pair.0.feed(&message).await.unwrap();
        let (_sent, received) = tokio::join!(pair.0.flush(), pair.1.recv());
        held.push(received.unwrap().unwrap());
        talk(
            &mut pair,
            &message,
            16 * 1024 * 1024 / (size + 1_024),
            Flush::Last,
        )
        .await;
    }
    stay_idle(&mut pair).await;
    let kept = heap() - before;
    assert!(kept <= held.len() * INPUT_BUFFER, "{kept} bytes");
    assert!(
        held.iter()
            .all(|message| message.iter().all(|byte| *byte == 7))
    );
    drop(held);
    // What a task of tokio's clock owns may differ.
    assert!(heap() <= before + 1_024);
}

#[test]
fn messages_and_records_allocate_nothing_and_an_idle_session_owns_little() {
    let mut providers = vec![(Provider::portable(), PORTABLE_KEYS)];
    if Provider::default() != Provider::portable() {
        providers.push((Provider::default(), 0));
    }
    for (provider, keys) in providers {
        let (alice, bob) = configs();
        let (alice, bob) = (alice.provider(provider), bob.provider(provider));
        for suite in [Suite::HybridAesGcm, Suite::HybridChaChaPoly] {
            let (alice, bob) = (alice.clone().suites([suite]), bob.clone().suites([suite]));
            run(a_steady_flow_allocates_nothing(&alice, &bob));
        }
        run(an_idle_end_owns_next_to_nothing(&alice, &bob, keys));
        run(a_held_message_keeps_at_most_one_input_buffer(&alice, &bob));
    }
}
