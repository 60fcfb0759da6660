//! The authenticated but malicious peer: right keys, any plaintext, at any time (threat: 31 to 60).
//!
//! Input: cipher, our limits, then steps: a record of the peer (frames, pieces, messages or any bytes),
//! something our application does, or time. Asserted:
//! - each record is judged as a second reading of the specification judges it: legal, `violation`,
//!   `too_large` or the peer's own ABORT, with the progress budget counted alike (L-1, T-6 to T-21, E-1 to E-7);
//! - what is handed out is exactly the whole messages that came before a fault (T-20);
//! - after the end nothing is opened, and one ABORT with the right code is the last word (E-9);
//! - all that we say is itself legal, and answers what was asked: PONG, RECEIPT, STOP, FINAL_RECEIPT;
//! - what is told of our own messages rests on the peer's counts alone (E-11);
//! - opening one record costs no more than the message in pieces and a constant, and what is held
//!   untaken is bounded (L-6, W-4).

use std::time::{Duration, Instant};

use duologue::{
    Cause, Code, Received, Sent,
    proto::{Channel, Processed, Progress},
};

use crate::{
    input::Input,
    known::{Base, Ear, answer, bring},
    law::{End, Law, Said},
    raw_peer::{RawFrame, RawRecord, symmetric::RawCipher, wire::with_length},
};

const STEPS: usize = 300;
/// What opening one record costs beside the message in pieces: buffers for the largest record that double
/// while the smaller one still lives.
const SPARE: u64 = 12 * 65_536;
/// Input held untaken before it stops reading (spec: L-6).
const UNTAKEN: u64 = 256 * 1024;

struct Bench {
    ours: Channel,
    ear: Ear,
    mouth: RawCipher,
    law: Law,
    now: Instant,
    max: u64,
    over: Option<End>,
    said: Said,
    taken: u64,
    stopped: Option<u64>,
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let base = Base::read(&mut input);
    let max = [1, 100, 5_000, 70_000, 1 << 20][input.choice(5)];
    let config = base.config().max_message(max);
    let now = Instant::now();
    let mut bench = Bench {
        ours: base.ours(&config, 1 << 20, now),
        ear: base.ear(),
        mouth: base.mouth(),
        law: Law::new(max as usize),
        now,
        max,
        over: None,
        said: Said::default(),
        taken: 0,
        stopped: None,
    };
    for _step in 0..STEPS {
        if input.is_empty() {
            break;
        }
        bench.step(&mut input);
        bench.holds();
    }
    while bench.take() {}
    bench.holds();
}

impl Bench {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            0..=95 => {
                let frames = (0..=input.choice(4)).map(|_| self.frame(input)).collect();
                self.say(&RawRecord::Batch(frames).encode());
            }
            96..=111 => {
                let length = size(input);
                self.say(&RawRecord::Piece(vec![input.byte(); length]).encode());
            }
            112..=127 => {
                let length = size(input);
                self.say(&RawRecord::Message(vec![input.byte(); length]).encode());
            }
            128..=139 => {
                let bytes = input.block();
                self.say(&bytes[..bytes.len().min(65_519)]);
            }
            140..=141 => self.say_wrong(input),
            142..=199 => {
                self.take();
            }
            200..=202 => {
                self.ours.receive.stop_taking();
                self.stopped.get_or_insert(self.taken);
                self.speak();
            }
            203..=212 => {
                self.now += Duration::from_secs(1);
                self.law.pass(1);
                self.ear.pass(1);
            }
            213..=214 => {
                self.now += Duration::from_secs(40);
                self.law.pass(40);
                self.ear.pass(40);
            }
            app => self.act(app, input),
        }
    }

    /// A frame that is nearly right, and one time in a while not.
    fn frame(&self, input: &mut Input<'_>) -> RawFrame {
        let (sent, arrived) = (self.said.sent, self.law.arrived());
        let near = |input: &mut Input<'_>, right: u64| match input.byte() {
            0..=199 => right,
            200..=219 => right.saturating_sub(1),
            220..=239 => right + 1,
            _ => input.wide() & (u64::MAX >> 1),
        };
        match input.choice(16) {
            0 | 1 => RawFrame::Message(input.chunk().to_vec()),
            2 => RawFrame::Padding(usize::from(input.byte())),
            3 => RawFrame::End(near(input, arrived), input.wide() % (1 << 33), Vec::new()),
            4 => RawFrame::Receipt(near(input, sent)),
            5 => RawFrame::FinalReceipt(near(input, self.law.told().max(sent))),
            6 => RawFrame::Stop(near(input, sent)),
            7 => RawFrame::Abort(input.wide() % (1 << 33), input.chunk().to_vec()),
            8 => RawFrame::Ping([input.byte(); 8]),
            9 => RawFrame::Pong(self.said.ping.unwrap_or([input.byte(); 8])),
            10 => RawFrame::Rekey,
            11 => RawFrame::ReceiptRequest,
            12 => RawFrame::Drain(input.wide() & (u64::MAX >> 1)),
            13 => RawFrame::Discard,
            14 => RawFrame::Params(input.chunk().to_vec()),
            _ => RawFrame::Raw(input.chunk().to_vec()),
        }
    }

    /// The peer says a record, and the law says what must come of it.
    fn say(&mut self, plaintext: &[u8]) {
        if plaintext.is_empty() {
            return;
        }
        let body = self.mouth.encrypt(&[], plaintext);
        let judged = match &self.over {
            None => self.law.judge(plaintext, self.said),
            Some(_) => Ok(()),
        };
        if core::mem::take(&mut self.law.rekey) {
            self.mouth.rekey();
        }
        self.bring(&with_length(&body));
        self.settle(judged);
    }

    /// A body that does not open, or a length that no record has.
    fn say_wrong(&mut self, input: &mut Input<'_>) {
        let bytes = input.chunk();
        let end = if bytes.len() > 16 {
            End::BadRecord
        } else {
            End::Violation
        };
        self.bring(&with_length(bytes));
        self.settle(Err(end));
    }

    fn bring(&mut self, bytes: &[u8]) {
        let (mut bytes, now) = (bytes, self.now);
        if self.over.is_some() && self.ours.receive.input().len() > 2 * 65_536 {
            // Who has failed wants no input; a little comes all the same.
            return;
        }
        loop {
            let ours = &mut self.ours;
            let mut processed = Processed::Ended;
            let cost = allocation_counter::measure(|| processed = bring(ours, bytes, now));
            let bound = 3 * self.max + SPARE;
            assert!(
                cost.bytes_max <= bound,
                "W-4: {} of {bound}",
                cost.bytes_max
            );
            if processed != Processed::Full {
                return;
            }
            assert!(self.take(), "L-6: full of nothing");
            bytes = &[];
        }
    }

    fn settle(&mut self, judged: Result<(), End>) {
        if self.over.is_none() {
            self.over = judged.err();
        }
        self.speak();
    }

    /// What is owed goes out, and is heard.
    fn speak(&mut self) {
        answer(&mut self.ours, self.now);
        self.listen();
    }

    fn listen(&mut self) {
        self.ear.hear(&mut self.ours.send);
        let heard = &mut self.ear.heard;
        self.said.pongs = heard.pongs.len() as u64;
        if heard.pings > self.said.pings {
            (self.said.ping, self.said.pings) = (heard.ping, heard.pings);
        }
        if self.law.ponged == self.said.pings {
            heard.ping = None;
        }
    }

    fn take(&mut self) -> bool {
        let Some(message) = self.ours.receive.take() else {
            return false;
        };
        let expected = &self.law.messages[self.taken as usize];
        assert!(message == expected, "T-14");
        self.taken += 1;
        self.speak();
        true
    }

    /// Our application does something.
    fn act(&mut self, deed: u8, input: &mut Input<'_>) {
        let (now, send) = (self.now, &mut self.ours.send);
        match deed {
            215..=229 => {
                let message = vec![deed; usize::from(input.number()) % 6_000];
                if send.offer(&message, &mut Progress::default(), now).is_ok() {
                    self.said.sent += 1;
                }
            }
            230..=233 => self.said.ended |= send.finish(Code::NONE, "", now).is_ok(),
            234..=240 => drop(send.ping(now)),
            241..=245 => drop(send.request_receipt(now)),
            246..=247 => drop(send.drain(Duration::from_secs(5), now)),
            _ => drop(send.rekey_now(now)),
        }
        self.speak();
    }

    /// What must hold after each step.
    fn holds(&mut self) {
        let is_over = self.ours.is_over();
        let receive = &mut self.ours.receive;
        match (receive.failure(), &self.over) {
            (None, None) => {}
            (Some(Cause::Violation(violation)), Some(End::Violation)) => {
                assert_eq!(violation.code(), Code::VIOLATION, "{violation}");
            }
            (Some(Cause::Violation(violation)), Some(End::TooLarge)) => {
                assert_eq!(violation.code(), Code::TOO_LARGE, "{violation}");
            }
            (Some(Cause::PeerAborted { code, .. }), Some(End::Aborted(number))) => {
                assert_eq!(u64::from(code.number()), *number);
            }
            (Some(Cause::BadRecord), Some(End::BadRecord)) => {}
            (failure, over) => panic!("{failure:?}, not {over:?}"),
        }
        // Behind the end of the session bytes are ignored (E-8).
        let abort = match self.over {
            _ if is_over => None,
            Some(End::Violation | End::BadRecord) => Some(3),
            Some(End::TooLarge) => Some(4),
            None | Some(End::Aborted(_)) => None,
        };
        let heard = &self.ear.heard;
        assert_eq!(heard.abort, abort, "E-9");
        assert_eq!(receive.arrived_count(), self.law.arrived(), "T-20");
        let taken = self.stopped.unwrap_or(self.taken);
        assert_eq!(receive.taken_count(), taken);
        let expected = match self.law.end {
            Some(sent) if sent == taken => Received::Complete(sent),
            Some(sent) => {
                let Received::Stopped {
                    taken: said,
                    sent: all,
                    ..
                } = receive.received()
                else {
                    panic!("E-10: {:?}", receive.received());
                };
                assert_eq!((said, all), (taken, sent));
                receive.received()
            }
            None => {
                let Received::Truncated {
                    arrived,
                    taken: said,
                    ..
                } = receive.received()
                else {
                    panic!("E-10: {:?}", receive.received());
                };
                assert_eq!((arrived, said), (self.law.arrived(), taken));
                receive.received()
            }
        };
        assert_eq!(receive.received(), expected);
        self.told();
        let waiting: usize = self.law.messages[self.taken as usize..]
            .iter()
            .map(Vec::len)
            .sum();
        assert!(
            self.stopped.is_some() || waiting as u64 <= UNTAKEN + self.max + 65_519,
            "L-6: {waiting} bytes untaken"
        );
        if self.over.is_none() {
            self.answered(taken);
        }
    }

    /// E-11: what is told of our messages.
    fn told(&self) {
        let (told, sent) = (self.law.told(), self.said.sent);
        let right = match self.ours.send.sent() {
            Sent::Delivered(all) => all == sent && self.law.final_receipt() == Some(all),
            Sent::Partial {
                taken, sent: all, ..
            } => {
                let word = self.law.final_receipt().or(self.law.stop());
                all == sent && word == Some(taken) && taken < sent
            }
            Sent::Unconfirmed {
                taken, sent: all, ..
            } => {
                let final_receipt = self.law.final_receipt().is_some();
                let below = self.law.stop().is_some_and(|stop| stop < sent);
                all == sent && taken == told && !final_receipt && !below
            }
            _ => false,
        };
        assert!(right, "E-11: {:?}, told {told}", self.ours.send.sent());
    }

    /// While the session goes on, everything asked for is answered.
    fn answered(&self, taken: u64) {
        let heard = &self.ear.heard;
        assert_eq!(heard.pongs.len() as u64, self.law.pings, "T-15");
        let confirms = self
            .law
            .end
            .is_some_and(|sent| sent == taken || self.stopped.is_some());
        assert_eq!(heard.final_receipt, Some(taken).filter(|_| confirms), "E-6");
        if heard.stop.is_none() && heard.final_receipt.is_none() {
            let asked = self
                .law
                .requests
                .iter()
                .filter(|position| **position <= taken);
            let due = asked.max().copied().unwrap_or(0);
            assert!(
                heard.receipt >= due,
                "T-17: told {} of {due}",
                heard.receipt
            );
        }
        if let Some(stopped) = self.stopped {
            let said = heard.stop.or(heard.final_receipt);
            assert_eq!(said, Some(stopped), "E-4");
        }
        assert!(heard.receipt <= taken, "T-16");
    }
}

fn size(input: &mut Input<'_>) -> usize {
    match input.choice(6) {
        0 => 0,
        1 => usize::from(input.byte()),
        2 => 1_023 + input.choice(3),
        3 => 4_000,
        4 => usize::from(input.number()).min(65_518),
        _ => 65_518,
    }
}
