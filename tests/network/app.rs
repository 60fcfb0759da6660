//! An application: it follows its script, and writes down what really happens.

use std::time::Duration;

use bytes::Bytes;
use duologue::{Code, Outcome, ReceiveError, Receiver, SendError, Sender, Session};
use tokio::time::{sleep, timeout};

use crate::{
    plan::{End, How, Script, Step, ms},
    record::{Page, mark},
};

/// How long a message is waited for to be confirmed; two that wait for each other must go on.
const CONFIRMED: Duration = Duration::from_secs(1);

pub(crate) struct App {
    pub(crate) page: Page,
    /// The application says itself what it has taken.
    pub(crate) acknowledges: bool,
}

/// What a whole session and its sending half have in common.
trait Speaker {
    fn sent_count(&self) -> u64;
    fn taken_count(&self) -> u64;
    async fn send(&mut self, message: &[u8]) -> Result<(), SendError>;
    async fn feed(&mut self, message: &[u8]) -> Result<(), SendError>;
    async fn send_confirmed(&mut self, message: &[u8]) -> Result<(), SendError>;
    async fn rekey_now(&mut self) -> Result<(), SendError>;
    async fn ping(&mut self) -> Result<(), SendError>;
    async fn drain(&mut self, within: Duration) -> Result<(), SendError>;
    async fn attend(&mut self, time: Duration);
}

macro_rules! speaks {
    ($face:ty) => {
        impl Speaker for $face {
            fn sent_count(&self) -> u64 {
                self.sent_count()
            }
            fn taken_count(&self) -> u64 {
                self.taken_count()
            }
            async fn send(&mut self, message: &[u8]) -> Result<(), SendError> {
                self.send(message).await
            }
            async fn feed(&mut self, message: &[u8]) -> Result<(), SendError> {
                self.feed(message).await
            }
            async fn send_confirmed(&mut self, message: &[u8]) -> Result<(), SendError> {
                self.send_confirmed(message).await
            }
            async fn rekey_now(&mut self) -> Result<(), SendError> {
                self.rekey_now().await
            }
            async fn ping(&mut self) -> Result<(), SendError> {
                self.ping().await
            }
            async fn drain(&mut self, within: Duration) -> Result<(), SendError> {
                self.drain(within).await
            }
            async fn attend(&mut self, time: Duration) {
                self.attend(sleep(time)).await;
            }
        }
    };
}
speaks!(Session);
speaks!(Sender);

/// What a call of `recv` came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Took {
    Message,
    Nothing,
    End,
    Failure,
}

type Arrival = Result<Option<Bytes>, ReceiveError>;

impl App {
    pub(crate) async fn run(&self, session: Session, script: &Script) {
        if script.split {
            let (sender, receiver) = session.split();
            let speaking = self.speak_alone(sender, script);
            let (said, heard) = tokio::join!(speaking, self.listen_alone(receiver, script.end));
            if let (Some(said), Some(heard)) = (said, heard) {
                // I5
                let agree = said == heard;
                self.page
                    .check(agree, || format!("the halves differ: {said}, {heard}"));
            }
        } else {
            self.converse(session, script).await;
        }
    }

    async fn converse(&self, mut session: Session, script: &Script) {
        for step in &script.steps {
            if let Step::Recv(most, wait) = step {
                self.take_some(&mut session, *most, ms(*wait)).await;
            } else if !self.speak(&mut session, *step).await {
                break;
            }
        }
        match script.end {
            // Nobody said that it ends, so it must not look like an end.
            End::Drop => return,
            End::Abort => {
                let outcome = session.abort(Code::application(7), "enough").await;
                return self.conclude(outcome);
            }
            End::Finish => {
                self.page.with(|record| record.ending = true);
                let _over = session.finish().await;
                self.take_all(&mut session).await;
            }
            End::Await => self.take_all(&mut session).await,
            End::Close => {}
        }
        self.leave();
        self.conclude(session.close().await);
        self.conclude(session.close().await);
        let written = session.outcome().cloned();
        written.map_or_else(
            || self.page.wrong("no outcome is written".into()),
            |outcome| self.conclude(outcome),
        );
        // I6: nothing comes after the end.
        let late = session.recv().await;
        let empty = !matches!(late, Ok(Some(_)));
        self.page
            .check(empty, || format!("after the outcome came {late:?}"));
    }

    async fn speak_alone(&self, mut sender: Sender, script: &Script) -> Option<Outcome> {
        for step in &script.steps {
            if !self.speak(&mut sender, *step).await {
                break;
            }
        }
        let outcome = match script.end {
            End::Drop => return None,
            End::Abort => sender.abort(Code::application(7), "enough").await,
            End::Finish | End::Await | End::Close => {
                self.leave();
                sender.close().await
            }
        };
        self.conclude(outcome.clone());
        Some(outcome)
    }

    async fn listen_alone(&self, mut receiver: Receiver, end: End) -> Option<Outcome> {
        for count in 0.. {
            if end == End::Close && count == 10 {
                break;
            }
            if self.note(receiver.recv().await) != Took::Message {
                break;
            }
            self.acknowledge(|| receiver.acknowledge());
        }
        if end == End::Drop {
            return None;
        }
        let outcome = receiver.close().await;
        self.conclude(outcome.clone());
        Some(outcome)
    }

    /// One thing said; whether more can be.
    async fn speak(&self, speaker: &mut impl Speaker, step: Step) -> bool {
        let said = match step {
            Step::Send(how, size) => self.hand_over(speaker, how, size).await,
            Step::Recv(..) => Ok(()),
            Step::Rekey => speaker.rekey_now().await,
            Step::Ping => speaker.ping().await,
            Step::Drain => speaker.drain(ms(5_000)).await,
            Step::Attend(time) => {
                speaker.attend(ms(time)).await;
                Ok(())
            }
            Step::Sleep(time) => {
                sleep(ms(time)).await;
                Ok(())
            }
        };
        self.told_no_more_than_taken(speaker.taken_count());
        matches!(said, Ok(()) | Err(SendError::MustReceive))
    }

    async fn hand_over(
        &self,
        speaker: &mut impl Speaker,
        how: How,
        size: usize,
    ) -> Result<(), SendError> {
        let before = speaker.sent_count();
        let message = message(before, size);
        let mark = mark(&message);
        self.page.with(|record| record.trying = Some(mark));
        let done = match how {
            How::Send => Ok(speaker.send(&message).await),
            How::Feed => Ok(speaker.feed(&message).await),
            How::Confirmed => timeout(CONFIRMED, speaker.send_confirmed(&message)).await,
            How::Cancelled(after) => timeout(ms(after), speaker.send(&message)).await,
        };
        let after = speaker.sent_count();
        // I7: the call happened whole or not at all.
        let whole = after == before + 1;
        let fits = whole || after == before && !matches!(done, Ok(Ok(())));
        self.page.check(fits, || {
            format!("{done:?} of one message changed the count from {before} to {after}")
        });
        self.page.with(|record| {
            record.trying = None;
            record.sent.extend(whole.then_some(mark));
        });
        if matches!((how, &done), (How::Confirmed, Ok(Ok(())))) {
            self.told_no_more_than_taken(after);
        }
        done.unwrap_or(Ok(()))
    }

    /// I2: whatever a receipt says, the peer's application has taken.
    fn told_no_more_than_taken(&self, told: u64) {
        let taken = self.page.peer_counted() as u64;
        let holds = told <= taken;
        self.page
            .check(holds, || format!("told {told} taken, but it took {taken}"));
    }

    async fn take_some(&self, session: &mut Session, most: usize, wait: Duration) -> Took {
        for count in 0..most {
            let Ok(arrival) = timeout(wait, session.recv()).await else {
                return Took::Nothing;
            };
            let took = self.note(arrival);
            if took != Took::Message {
                return took;
            }
            if count % 2 == 0 {
                self.acknowledge(|| session.acknowledge());
            }
        }
        Took::Message
    }

    async fn take_all(&self, session: &mut Session) {
        loop {
            let took = self.note(session.recv().await);
            // A failure has written the outcome: it is too late then.
            if took != Took::Failure {
                self.acknowledge(|| session.acknowledge());
            }
            if took != Took::Message {
                break;
            }
        }
        // I6: neither an end nor a failure is followed by anything.
        let late = session.recv().await;
        let empty = !matches!(late, Ok(Some(_)));
        self.page
            .check(empty, || format!("behind the end came {late:?}"));
    }

    fn note(&self, arrival: Arrival) -> Took {
        self.page.with(|record| match arrival {
            Ok(Some(message)) => {
                record.taken.push(mark(&message));
                if !self.acknowledges {
                    record.counted += 1;
                }
                Took::Message
            }
            Ok(None) => {
                record.read_to_the_end = true;
                Took::End
            }
            Err(_error) => Took::Failure,
        })
    }

    fn acknowledge(&self, acknowledge: impl FnOnce()) {
        if self.acknowledges {
            // Written down first: the receipt may leave at once.
            self.page.with(|record| record.counted = record.taken.len());
            acknowledge();
        }
    }

    fn leave(&self) {
        self.page.with(|record| record.ending = true);
    }

    /// I5: the outcome is the same whenever it is asked for.
    fn conclude(&self, outcome: Outcome) {
        let before = self.page.with(|record| record.outcome.clone());
        let same = before.as_ref().is_none_or(|before| *before == outcome);
        self.page
            .check(same, || format!("{before:?} became {outcome}"));
        self.page.with(|record| record.outcome = Some(outcome));
    }
}

/// Bytes that belong to this message alone.
fn message(number: u64, size: usize) -> Vec<u8> {
    let start = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let bytes = start.iter().copied().cycle().zip(0_usize..);
    bytes
        .map(|(byte, at)| byte ^ (at >> 3) as u8)
        .take(size)
        .collect()
}
