//! A session under command.

use std::time::Duration;

use duologue::{Event, Receiver, Sender, Session};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    Command,
    sessions::Request,
    words::{Answer, code, done, no, told},
};

/// What is written is left to the transport for so long, then to whatever is polled next.
const WRITE: Duration = Duration::from_millis(200);
/// A message that finds no room for so long is given back.
const ROOM: Duration = Duration::from_secs(1);

/// A session that does what commands say, and nothing else.
pub(crate) struct Hand {
    sender: Sender,
    receiver: Option<Receiver>,
    end_told: bool,
}

impl Hand {
    pub(crate) fn new(session: Session) -> Self {
        let (sender, receiver) = session.split();
        Self {
            sender,
            receiver: Some(receiver),
            end_told: false,
        }
    }

    pub(crate) async fn obey_all(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut over = false;
        loop {
            tokio::select! {
                _outcome = self.sender.wait_outcome(), if !over => over = true,
                request = requests.recv() => {
                    let Some((command, reply)) = request else { return };
                    let _gone = reply.send(self.obey(command).await);
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Answer {
        match command {
            Command::Send { message } => {
                let message = hex::decode(&message).map_err(no)?;
                self.send(&message).await
            }
            Command::Recv { within_ms } => self.recv(Duration::from_millis(within_ms)).await,
            Command::Outcome { within_ms } => {
                let within = Duration::from_millis(within_ms);
                let _late = timeout(within, self.sender.wait_outcome()).await;
                Ok(match self.sender.outcome() {
                    Some(outcome) => json!({ "outcome": told(outcome) }),
                    None => json!({}),
                })
            }
            Command::Finish {
                code: number,
                reason,
            } => {
                let finish = self.sender.finish_with(code(number)?, &reason);
                done(timeout(WRITE, finish).await.unwrap_or(Ok(())))
            }
            Command::Stop => {
                self.receiver = None;
                self.leave().await
            }
            Command::Close => {
                self.receiver = None;
                let _goes_on = timeout(Duration::ZERO, self.sender.close()).await;
                Ok(json!({}))
            }
            Command::Abort {
                code: number,
                reason,
            } => {
                let abort = self.sender.abort(code(number)?, &reason);
                let _goes_on = timeout(Duration::ZERO, abort).await;
                Ok(json!({}))
            }
            Command::Drain { milliseconds } => {
                let drain = self.sender.drain(Duration::from_millis(milliseconds));
                done(timeout(WRITE, drain).await.unwrap_or(Ok(())))
            }
            Command::Rekey => {
                let rekeyed = timeout(WRITE, self.sender.rekey_now()).await;
                done(rekeyed.unwrap_or(Ok(())))
            }
            Command::Ping => done(timeout(WRITE, self.sender.ping()).await.unwrap_or(Ok(()))),
            Command::RequestReceipt => {
                // Asked for by whoever waits; we do not.
                let all = self.sender.wait_taken(u64::MAX);
                done(timeout(Duration::ZERO, all).await.unwrap_or(Ok(())))
            }
            _other => Err(no("not a command to a session")),
        }
    }

    pub(crate) async fn send(&mut self, message: &[u8]) -> Answer {
        match timeout(ROOM, self.sender.feed(message)).await {
            Ok(fed) => fed.map_err(no)?,
            Err(_full) => return Err(no("writes are blocked")),
        }
        self.leave().await
    }

    async fn leave(&mut self) -> Answer {
        done(timeout(WRITE, self.sender.flush()).await.unwrap_or(Ok(())))
    }

    async fn recv(&mut self, within: Duration) -> Answer {
        let Self {
            sender,
            receiver,
            end_told,
        } = self;
        let Some(receiver) = receiver.as_mut().filter(|_| !*end_told) else {
            return Ok(match timeout(within, sender.wait_outcome()).await {
                Ok(outcome) => json!({ "failed": outcome.cause.to_string() }),
                Err(_late) => json!({ "nothing": true }),
            });
        };
        let event = loop {
            // The sender writes meanwhile. Our own DRAIN is an event here too.
            match sender.attend(timeout(within, receiver.recv_event())).await {
                Ok(Ok(Event::Draining { from_peer, .. })) if !from_peer => {}
                other => break other,
            }
        };
        Ok(match event {
            Err(_late) => json!({ "nothing": true }),
            Ok(Ok(Event::Message(message))) => json!({ "message": hex::encode(message) }),
            Ok(Ok(Event::Draining { deadline, .. })) => {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                json!({ "drain": left.as_micros().div_ceil(1_000) })
            }
            Ok(Ok(_ended)) => {
                *end_told = true;
                let end = receiver.peer_end().unwrap_or_default();
                json!({ "end": { "code": end.code.number(), "reason": end.reason } })
            }
            Ok(Err(error)) => json!({ "failed": error.to_string() }),
        })
    }
}
