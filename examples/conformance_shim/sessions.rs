//! A session from its handshake to its end, in a task of its own.

use duologue::{Outcome, SendError, Session};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Command,
    hand::Hand,
    wishes::App,
    words::{Answer, Failure, no, told},
};

pub(crate) type Request = (Command, oneshot::Sender<Answer>);

#[derive(Default)]
pub(crate) struct State {
    /// The answer to `established`, once it is known.
    pub(crate) met: Option<Value>,
    pub(crate) outcome: Option<Value>,
}

/// From the handshake to the end, in a task of its own.
pub(crate) async fn live<F>(
    app: App,
    meeting: F,
    mut requests: mpsc::UnboundedReceiver<Request>,
    state: watch::Sender<State>,
) where
    F: Future<Output = Result<Session, Failure>>,
{
    let mut early = Vec::new();
    let mut meeting = Box::pin(meeting);
    let met = loop {
        tokio::select! {
            met = &mut meeting => break met,
            Some((command, reply)) = requests.recv() => {
                let answer = match command {
                    Command::Send { message } => keep(&message, &mut early),
                    _other => Err(no("not established yet")),
                };
                let _gone = reply.send(answer);
            }
        }
    };
    let session = match met {
        Ok(session) => session,
        Err(failure) => return fail(failure, requests, &state).await,
    };
    let peer = session.peer();
    let mut met = json!({
        "established": true,
        "hash": hex::encode(peer.handshake_hash),
        "remote": hex::encode(peer.key.as_bytes()),
    });
    if let Some(protocol) = &peer.protocol {
        met["protocol"] = json!(protocol);
    }
    state.send_modify(|state| state.met = Some(met));
    match app {
        App::Echo => {
            let mut session = session;
            let outcome = told(&echo(&mut session).await);
            state.send_modify(|state| state.outcome = Some(outcome));
            // Whoever asks still finds the session, until it is reset.
            while requests.recv().await.is_some() {}
        }
        App::Manual => {
            let mut hand = Hand::new(session);
            for message in early {
                let _told_later = hand.send(&message).await;
            }
            hand.obey_all(requests).await;
        }
    }
}

fn keep(message: &str, early: &mut Vec<Vec<u8>>) -> Answer {
    early.push(hex::decode(message).map_err(no)?);
    Ok(json!({}))
}

async fn fail(
    failure: Failure,
    mut requests: mpsc::UnboundedReceiver<Request>,
    state: &watch::Sender<State>,
) {
    let met = json!({ "established": false, "failed": failure.why });
    let outcome = failure.outcome;
    state.send_modify(|state| {
        state.met = Some(met);
        state.outcome = Some(outcome.clone());
    });
    while let Some((command, reply)) = requests.recv().await {
        let answer = match command {
            Command::Recv { .. } => Ok(json!({ "failed": failure.why })),
            Command::Outcome { .. } => Ok(json!({ "outcome": outcome })),
            _other => Err(no(&failure.why)),
        };
        let _gone = reply.send(answer);
    }
}

/// Takes every message as it comes, sends it back, and ends when the peer has.
pub(crate) async fn echo(session: &mut Session) -> Outcome {
    loop {
        match session.recv().await {
            Ok(Some(message)) => {
                let sent = match session.feed(&message).await {
                    Ok(()) => session.flush().await,
                    error => error,
                };
                if let Err(SendError::Stopped { .. }) = sent {
                    let _over = session.finish().await;
                }
            }
            Ok(None) => {
                let _over = session.finish().await;
                return session.wait_outcome().await;
            }
            Err(_broken) => return session.wait_outcome().await,
        }
    }
}
