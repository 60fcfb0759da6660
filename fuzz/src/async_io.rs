//! The async face over a transport that splits, delays, errs and ends, with futures dropped at any poll
//! (threat: 61 to 69; spec: W-5, E-8 to E-13; the cancel safety of every future).
//!
//! Input: both transports' habits, both applications' deeds. The clock is paused: nothing waits for real
//! time. Asserted:
//! - it ends: no future of ours waits for ever, whatever was dropped before;
//! - each application takes a prefix of what the other's calls took over, message by message: nothing
//!   lost, doubled or cut, also by a `send` or `recv` that was dropped half-way (T-14);
//! - each outcome is so: Delivered, Partial and Unconfirmed against what the other took, Complete and
//!   Truncated against what the other sent and ended (E-10, E-11);
//! - over a transport without faults and delays nobody fails: the cause is Finished (E-8).

mod app;
mod wire;

use std::time::Duration;

use duologue::{
    Cause, Config, HandshakeError, PeerPolicy, Received, SecretKey, Sent, Suite, accept, connect,
};
use tokio::time::timeout;

use self::{
    app::{Log, live},
    wire::{Habits, pair},
};
use crate::input::Input;

/// Deeds that no law of the other side's outcome survives are told by the log.
const DAY: Duration = Duration::from_secs(86_400);

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let room = 1 + usize::from(input.number());
    let habits = [Habits::read(&mut input), Habits::read(&mut input)];
    let smooth = habits.iter().all(Habits::are_smooth);
    let [alice, bob] = configs(input.choice(2));
    let deeds = input.block();
    let (ours, theirs) = (deeds, input.rest());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let logs = runtime.block_on(async move {
        let (near, far) = pair(room, habits);
        let both = async {
            tokio::join!(
                async { live(connect(near, None, &alice).await, ours).await },
                async { live(accept(far, &bob).await, theirs).await },
            )
        };
        timeout(DAY, both).await.expect("it never ends")
    });
    match logs {
        (Ok(one), Ok(other)) => {
            judge(&one, &other, smooth);
            judge(&other, &one, smooth);
        }
        (one, other) => {
            assert!(!smooth, "no session: {:?}, {:?}", one.err(), other.err());
            for error in [one.err(), other.err()].into_iter().flatten() {
                excused(&error);
            }
        }
    }
}

fn configs(suite: usize) -> [Config; 2] {
    thread_local! {
        static CONFIGS: [Config; 2] = [1, 2].map(|byte| {
            Config::new(SecretKey::from_bytes(&mut [byte; 32]))
                .peers(PeerPolicy::dangerous_any())
                .idle_timeout(Duration::from_secs(3_000))
                .end_deadline(Duration::from_secs(3_000))
                .rekey_after(8, 1 << 30, Duration::from_secs(9_000))
        });
    }
    CONFIGS
        .with(Clone::clone)
        .map(|config| config.suites([Suite::ALL[suite]]))
}

/// What a bad transport may do to a handshake, and nothing else.
fn excused(error: &HandshakeError) {
    let right = matches!(
        error,
        HandshakeError::TransportEnded { .. }
            | HandshakeError::TransportFailed(_)
            | HandshakeError::TimedOut { .. }
            | HandshakeError::Aborted { .. }
    );
    assert!(right, "{error:?}");
}

fn judge(one: &Log, other: &Log, smooth: bool) {
    assert!(
        other.sent.starts_with(&one.taken),
        "T-14: {:?} of {:?}",
        lengths(&one.taken),
        lengths(&other.sent)
    );
    let Some(outcome) = &one.outcome else {
        return;
    };
    let (taken, sent) = (one.taken.len() as u64, one.sent.len() as u64);
    let (theirs, all) = (other.taken.len() as u64, other.sent.len() as u64);
    let right = match outcome.received {
        Received::Complete(count) => count == taken && count == all && other.ended,
        Received::Stopped {
            taken: said,
            sent: count,
            ..
        } => said == taken && count == all && other.ended,
        Received::Truncated {
            taken: said,
            arrived,
            ..
        } => said == taken && taken <= arrived && arrived <= all,
        _ => false,
    };
    assert!(right, "E-10: {outcome}; {taken} of {all}");
    let right = match outcome.sent {
        Sent::Delivered(count) => count == sent && count == theirs,
        Sent::Partial {
            taken: said,
            sent: count,
            ..
        } => said == theirs && count == sent,
        Sent::Unconfirmed {
            taken: said,
            sent: count,
            ..
        } => said <= theirs && count == sent,
        _ => false,
    };
    assert!(right, "E-11: {outcome}; {theirs} of {sent}");
    let honest = !matches!(
        outcome.cause,
        Cause::Violation(_) | Cause::BadRecord | Cause::Internal
    );
    assert!(honest, "accused: {outcome}");
    if smooth && !one.broke && !other.broke {
        assert!(
            matches!(outcome.cause, Cause::Finished { .. }),
            "E-8: {outcome}"
        );
    }
}

fn lengths(messages: &[Vec<u8>]) -> Vec<usize> {
    messages.iter().map(Vec::len).collect()
}
