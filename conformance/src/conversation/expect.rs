//! What a case expects of the target, and the verdict on how it closes.

use super::{Conversation, Heard};
use crate::case::{Fail, Run, Verdict};
use crate::control::{Command, Outcome};
use crate::raw_peer::RawFrame;
use std::time::Duration;

impl Conversation<'_> {
    /// The next thing that is not tolerated in passing: RECEIPT, REKEY, and PING, which is
    /// answered.
    pub fn next(&mut self, within: Duration) -> Run<Heard> {
        let until = self.until(within);
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            match self.hear(left) {
                Heard::Frame(RawFrame::Ping(bytes)) => self.say(&[RawFrame::Pong(bytes)])?,
                Heard::Frame(RawFrame::Receipt(_) | RawFrame::Rekey) => {}
                heard => return Ok(heard),
            }
        }
    }

    /// The next thing must be this one; what is tolerated in passing is not looked at.
    pub fn expect(&mut self, wanted: &Heard) -> Run {
        let heard = self.next(self.patience)?;
        match heard == *wanted {
            true => Ok(()),
            false => Err(wrong(&brief(wanted), &heard)),
        }
    }

    /// A frame, past receipts, rekeying and pings that are another's.
    pub fn expect_frame(&mut self, wanted: &RawFrame) -> Run {
        let until = self.until(self.patience);
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            match self.hear(left) {
                Heard::Frame(frame) if frame == *wanted => return Ok(()),
                Heard::Frame(RawFrame::Ping(bytes)) => self.say(&[RawFrame::Pong(bytes)])?,
                Heard::Frame(RawFrame::Receipt(_) | RawFrame::Rekey) => {}
                heard => return Err(wrong(&format!("{wanted:?}"), &heard)),
            }
        }
    }

    /// A whole message.
    pub fn expect_message(&mut self, message: &[u8]) -> Run {
        self.expect(&Heard::Message(message.to_vec()))
    }

    /// The first thing of a kind, past everything else that is well-formed.
    pub fn wait_for<T>(&mut self, what: &str, mut see: impl FnMut(&Heard) -> Option<T>) -> Run<T> {
        let until = self.until(self.patience);
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            let heard = self.hear(left);
            if let Some(seen) = see(&heard) {
                return Ok(seen);
            }
            match heard {
                Heard::Frame(RawFrame::Ping(bytes)) => self.say(&[RawFrame::Pong(bytes)])?,
                Heard::Message(_) => {}
                Heard::Frame(frame) if !matches!(frame, RawFrame::Abort(..)) => {}
                heard => return Err(wrong(what, &heard)),
            }
        }
    }

    /// ABORT with this code, past everything that was under way.
    pub fn expect_abort(&mut self, code: u64) -> Run {
        let what = format!("ABORT with code {code}");
        let see = |heard: &Heard| match heard {
            Heard::Frame(RawFrame::Abort(code, _)) => Some(*code),
            _ => None,
        };
        let got = self.wait_for_any(&what, see)?;
        match got == code {
            true => Ok(()),
            false => Err(Fail::Behaviour(format!(
                "ABORT with code {got}, not {code}"
            ))),
        }
    }

    /// Like `wait_for`, and does not answer.
    fn wait_for_any<T>(&mut self, what: &str, see: impl Fn(&Heard) -> Option<T>) -> Run<T> {
        let until = self.until(self.patience);
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            let heard = self.hear(left);
            match (see(&heard), &heard) {
                (Some(seen), _) => return Ok(seen),
                (None, Heard::Message(_) | Heard::Frame(_)) => {}
                (None, _) => return Err(wrong(what, &heard)),
            }
        }
    }

    /// A violation: ABORT with code 3, then the close.
    pub fn expect_violation(&mut self) -> Run {
        self.expect_abort(3)?;
        self.closes()
    }

    /// The end of a session over a fault that was not sealed or came before establishment: the
    /// specification leaves open whether ABORT is still said.
    pub fn expect_any_end(&mut self) -> Run {
        match self.next(self.patience)? {
            Heard::Frame(RawFrame::Abort(..)) => self.closes(),
            Heard::End | Heard::Reset => {
                self.close = Verdict::Pass;
                Ok(())
            }
            Heard::Silence => Err(Fail::Close("the target keeps the transport open".into())),
            heard => Err(wrong("the end of the session", &heard)),
        }
    }

    /// Nothing for a while, but what is tolerated in passing.
    pub fn expect_quiet(&mut self, time: Duration) -> Run {
        match self.next(time)? {
            Heard::Silence => Ok(()),
            heard => Err(wrong("nothing", &heard)),
        }
    }

    /// A RECEIPT of this count, past lower ones.
    pub fn expect_receipt(&mut self, taken: u64) -> Run {
        self.wait_for("a RECEIPT", |heard| {
            (*heard == Heard::Frame(RawFrame::Receipt(taken))).then_some(())
        })
    }

    /// Nothing for a while, but a STOP that a close may bring.
    pub fn expect_quiet_but_stop(&mut self, time: Duration) -> Run {
        match self.next(time)? {
            Heard::Silence => Ok(()),
            Heard::Frame(RawFrame::Stop(_)) => self.expect_quiet(time),
            heard => Err(wrong("nothing", &heard)),
        }
    }

    /// That the session lives: a PING is answered.
    pub fn expect_alive(&mut self) -> Run {
        let bytes = *b"alive? !";
        self.say(&[RawFrame::Ping(bytes)])?;
        self.wait_for("a PONG", |heard| {
            (*heard == Heard::Frame(RawFrame::Pong(bytes))).then_some(())
        })
    }

    /// After its last word the target says nothing more and ends its side in order (spec: L-14).
    pub fn closes(&mut self) -> Run {
        self.close = Verdict::Fail;
        let fail = |why: &str| Err(Fail::Close(why.into()));
        match self.hear(self.patience) {
            Heard::End => {
                self.close = Verdict::Pass;
                self.hang_up();
                Ok(())
            }
            Heard::Reset => fail("a reset, where the end of the stream should be"),
            Heard::Silence => fail("the target keeps the transport open behind its last word"),
            heard => fail(&format!("behind the last word: {}", brief(&heard))),
        }
    }

    /// The target closes, and no byte comes before.
    pub fn closes_silently(&mut self) -> Run {
        let until = self.until(self.patience);
        while self.over.is_none() && self.input.is_empty() {
            if !self.fill(until) {
                self.close = Verdict::Fail;
                return Err(Fail::Close("the target keeps the transport open".into()));
            }
        }
        if !self.input.is_empty() {
            let count = self.input.len();
            let why = format!("{count} bytes, where the target should close without one");
            return Err(Fail::Behaviour(why));
        }
        self.note("<-", "end of the stream");
        self.close = Verdict::Pass;
        Ok(())
    }

    /// A refusal list of whole triples, then the close; gives the triples.
    pub fn expect_refusal(&mut self) -> Run<Vec<[u8; 3]>> {
        let body = match self.next_body(self.patience) {
            Ok(body) => body,
            Err(heard) => return Err(wrong("a refusal list", &heard)),
        };
        self.note("<-", format!("body {}", hex::encode(&body)));
        let triples = match body.split_first() {
            Some((1, list)) => list.as_chunks::<3>(),
            _ => return Err(Fail::Behaviour("not a refusal list".into())),
        };
        if !triples.1.is_empty() || !(1..=32).contains(&triples.0.len()) {
            return Err(Fail::Behaviour("not 1 to 32 whole triples".into()));
        }
        self.closes()?;
        Ok(triples.0.to_vec())
    }

    /// FINAL_RECEIPT with this count.
    pub fn expect_final(&mut self, taken: u64) -> Run {
        let got = self.wait_for("FINAL_RECEIPT", |heard| match heard {
            Heard::Frame(RawFrame::FinalReceipt(taken)) => Some(*taken),
            _ => None,
        })?;
        match got == taken {
            true => Ok(()),
            false => Err(Fail::Behaviour(format!(
                "FINAL_RECEIPT({got}), not {taken}"
            ))),
        }
    }

    /// END; its count must be that of the messages that came.
    pub fn expect_end(&mut self) -> Run<u64> {
        let (sent, code) = self.wait_for("END", |heard| match heard {
            Heard::Frame(RawFrame::End(sent, code, _)) => Some((*sent, *code)),
            _ => None,
        })?;
        match sent == self.came {
            true => Ok(code),
            false => Err(Fail::Behaviour(format!("END({sent}), {} came", self.came))),
        }
    }

    /// After our END of so many messages: the target's END and FINAL_RECEIPT in either order, our
    /// confirmation, and the close.
    pub fn expect_both_ended(&mut self, sent: u64) -> Run {
        let (mut end, mut receipt) = (None, None);
        while end.is_none() || receipt.is_none() {
            self.wait_for("END and FINAL_RECEIPT", |heard| match heard {
                Heard::Frame(RawFrame::End(sent, ..)) => {
                    end = Some(*sent);
                    Some(())
                }
                Heard::Frame(RawFrame::FinalReceipt(taken)) => {
                    receipt = Some(*taken);
                    Some(())
                }
                _ => None,
            })?;
        }
        if end != Some(self.came) || receipt != Some(sent) {
            let why = format!("END {end:?} of {}, FINAL_RECEIPT {receipt:?}", self.came);
            return Err(Fail::Behaviour(format!("{why} of {sent}")));
        }
        self.say(&[RawFrame::FinalReceipt(self.came)])?;
        self.closes()
    }

    /// The outcome, once there is one.
    pub fn outcome(&mut self) -> Run<Outcome> {
        let within_ms = u64::try_from(self.patience.as_millis()).unwrap_or(5_000);
        let answer = self.ask(&Command::Outcome { within_ms })?;
        let missing = || Fail::Behaviour("no outcome within the time".into());
        answer.outcome.ok_or_else(missing)
    }

    /// Takes one message from the application's inbox.
    pub fn expect_taken(&mut self, message: &[u8]) -> Run {
        let within_ms = u64::try_from(self.patience.as_millis()).unwrap_or(5_000);
        let answer = self.ask(&Command::Recv { within_ms })?;
        let wanted = hex::encode(message);
        match answer.message.as_deref() {
            Some(got) if got == wanted => Ok(()),
            _ => Err(Fail::Behaviour(format!(
                "recv gave {answer:?}, not {wanted:.80}"
            ))),
        }
    }
}

fn brief(heard: &Heard) -> String {
    let text = match heard {
        Heard::Message(message) => format!("a message of {} bytes", message.len()),
        other => format!("{other:?}"),
    };
    text.chars().take(160).collect()
}

/// The failure of an expectation.
pub fn wrong(wanted: &str, heard: &Heard) -> Fail {
    Fail::Behaviour(format!("expected {wanted}, got {}", brief(heard)))
}
