//! An application, as its bytes say: each deed may be given up at any poll.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use duologue::{Code, HandshakeError, Outcome, ReceiveError, Receiver, SendError, Sender, Session};
use tokio::time::{sleep, timeout};

use crate::input::Input;

const DEEDS: usize = 24;

/// What one application knows of its side.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// What calls took over whole, also calls that were given up.
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) taken: Vec<Vec<u8>>,
    /// Our direction was ended, or may have been.
    pub(super) ended: bool,
    /// Aborted, or let go without an end.
    pub(super) broke: bool,
    pub(super) outcome: Option<Outcome>,
}

/// Polls so many times, and then no more; 0 is until it is done, or nothing happens for a while.
async fn some<F: Future>(polls: u8, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if polls == 0 {
        return timeout(Duration::from_secs(2), future).await.ok();
    }
    let mut left = polls;
    let given_up = poll_fn(move |cx| {
        if let Poll::Ready(done) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        left -= 1;
        if left == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    });
    timeout(Duration::from_secs(2), given_up)
        .await
        .ok()
        .flatten()
}

pub(super) async fn live(
    session: Result<Session, HandshakeError>,
    deeds: &[u8],
) -> Result<Log, HandshakeError> {
    let session = session?;
    let mut input = Input::new(deeds);
    if input.choice(3) == 2 {
        return Ok(split(session, input).await);
    }
    let mut log = Log::default();
    let mut session = session;
    for _deed in 0..DEEDS {
        if input.is_empty() {
            break;
        }
        let deed = input.byte();
        let polls = input.choice(6) as u8;
        match deed {
            0..=89 => {
                let message = message(deed, &mut input, log.sent.len());
                let before = session.sent_count();
                let done = match deed % 3 {
                    0 => some(polls, session.send(&message)).await,
                    1 => some(polls, session.feed(&message)).await,
                    _ => some(polls, session.send_confirmed(&message)).await,
                };
                log.counted(before, session.sent_count(), message, done);
            }
            90..=189 => log.took(some(polls, session.recv()).await),
            190..=199 => drop(some(polls, session.flush()).await),
            200..=207 => drop(some(polls, session.wait_taken(log.sent.len() as u64)).await),
            208..=213 => drop(some(polls, session.rekey_now()).await),
            214..=219 => drop(some(polls, session.ping()).await),
            220..=229 => sleep(Duration::from_millis(u64::from(polls) * 150)).await,
            230..=235 => {
                log.ended = true;
                drop(some(polls, session.finish()).await);
            }
            236..=240 => drop(some(polls, session.drain(Duration::from_secs(5))).await),
            241..=243 => drop(some(polls, session.attend(sleep(Duration::from_secs(1)))).await),
            244..=247 => {
                // Given up in its middle, and asked again below.
                log.ended = true;
                drop(some(polls.max(1), session.close()).await);
                break;
            }
            248..=250 => {
                log.broke = true;
                log.outcome = Some(session.abort(Code::application(1), "enough").await);
                return Ok(log);
            }
            251..=252 => {
                log.broke = true;
                return Ok(log);
            }
            _ => break,
        }
    }
    log.ended = true;
    let outcome = session.close().await;
    assert_eq!(session.close().await, outcome, "E-12");
    assert_eq!(session.outcome(), Some(&outcome), "E-12");
    log.outcome = Some(outcome);
    Ok(log)
}

fn message(deed: u8, input: &mut Input<'_>, number: usize) -> Vec<u8> {
    let length = match input.choice(4) {
        0 => 0,
        1 => usize::from(input.byte()),
        2 => 4_094 + input.choice(4),
        _ => 40_000,
    };
    let mut message = vec![deed; length];
    // Two messages of one length differ.
    if let Some(first) = message.first_mut() {
        *first = number as u8;
    }
    message
}

impl Log {
    fn counted(
        &mut self,
        before: u64,
        after: u64,
        message: Vec<u8>,
        done: Option<Result<(), SendError>>,
    ) {
        assert!(after - before <= 1, "one call, {} messages", after - before);
        if matches!(done, Some(Ok(()))) {
            assert_eq!(after - before, 1, "sent, but not counted");
        }
        if after > before {
            self.sent.push(message);
        }
    }

    fn took(&mut self, done: Option<Result<Option<Bytes>, ReceiveError>>) {
        if let Some(Ok(Some(message))) = done {
            self.taken.push(message.to_vec());
        }
    }
}

/// The halves in two futures that run side by side; both end the session.
async fn split(session: Session, mut input: Input<'_>) -> Log {
    let (mut sender, mut receiver) = session.split();
    let given = input.chunk();
    let (mut sends, mut receives) = (Input::new(given), input);
    let mut one = Log::default();
    let mut other = Log::default();
    let sending: Pin<Box<dyn Future<Output = Outcome> + '_>> =
        Box::pin(send_side(&mut sender, &mut sends, &mut one));
    let receiving = receive_side(&mut receiver, &mut receives, &mut other);
    let (outcome, also) = tokio::join!(sending, receiving);
    assert_eq!(outcome, also, "E-12");
    Log {
        sent: one.sent,
        taken: other.taken,
        ended: true,
        broke: false,
        outcome: Some(outcome),
    }
}

async fn send_side(sender: &mut Sender, input: &mut Input<'_>, log: &mut Log) -> Outcome {
    for _deed in 0..DEEDS {
        if input.is_empty() {
            break;
        }
        let deed = input.byte();
        let polls = input.choice(6) as u8;
        match deed {
            0..=149 => {
                let message = message(deed, input, log.sent.len());
                let before = sender.sent_count();
                let done = match deed % 3 {
                    0 => some(polls, sender.send(&message)).await,
                    1 => some(polls, sender.feed(&message)).await,
                    _ => some(polls, sender.send_confirmed(&message)).await,
                };
                log.counted(before, sender.sent_count(), message, done);
            }
            150..=179 => drop(some(polls, sender.flush()).await),
            180..=199 => drop(some(polls, sender.rekey_now()).await),
            200..=219 => drop(some(polls, sender.ping()).await),
            220..=239 => sleep(Duration::from_millis(u64::from(polls) * 150)).await,
            _ => drop(some(polls, sender.finish()).await),
        }
    }
    sender.close().await
}

async fn receive_side(receiver: &mut Receiver, input: &mut Input<'_>, log: &mut Log) -> Outcome {
    for _deed in 0..DEEDS {
        if input.is_empty() {
            break;
        }
        let deed = input.byte();
        let polls = input.choice(6) as u8;
        match deed {
            0..=219 => log.took(some(polls, receiver.recv()).await),
            220..=239 => sleep(Duration::from_millis(u64::from(polls) * 150)).await,
            _ => drop(some(polls, receiver.attend(sleep(Duration::from_secs(1)))).await),
        }
    }
    receiver.close().await
}
