//! Sessions whose keys are known: our side through the seam, the other by the independent peer's cipher.

use std::time::Instant;

use duologue::{
    Config, PeerPolicy, Provider, SecretKey, Suite,
    fuzzing::{self, Known},
    proto::{Channel, Offered, Processed, Progress, ReceivePath, SendPath},
};
use sha2::{Digest, Sha256};

use crate::{
    input::Input,
    raw_peer::{
        RawFrame, RawRecord, RawSession, Suite as RawSuite,
        symmetric::{Aead, RawCipher},
        wire::{take_body, with_length},
    },
};

/// Our sending key, and the peer's.
const KEYS: [[u8; 32]; 2] = [[0x17; 32], [0x28; 32]];
/// Bytes of plaintext that a sender of ours puts into one record (spec: T-9).
const MOST_SENT: usize = 32_769;

/// What a known session runs on: one byte, its low bit the suite, the next the provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base {
    pub(crate) suite: Suite,
    pub(crate) provider: Provider,
    pub(crate) aead: Aead,
    keys: [[u8; 32]; 2],
}

impl Base {
    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        let byte = input.byte();
        let at = usize::from(byte & 1);
        Self {
            suite: Suite::ALL[at],
            provider: if byte & 2 == 0 {
                Provider::default()
            } else {
                Provider::portable()
            },
            aead: RawSuite::ALL[at].aead(),
            keys: KEYS,
        }
    }

    /// The peer's key hangs on the whole input, so that an engine that watches how tags are compared cannot
    /// learn to seal: what it changes, it changes under another key.
    pub(crate) fn keyed_by(mut self, input: &[u8]) -> Self {
        self.keys[1] = Sha256::digest(input).into();
        self
    }

    pub(crate) fn config(self) -> Config {
        thread_local! {
            static CONFIG: Config = Config::new(SecretKey::from_bytes(&mut [0x39; 32]))
                .peers(PeerPolicy::dangerous_any());
        }
        CONFIG.with(Clone::clone).provider(self.provider)
    }

    /// Our side, towards a peer that receives messages of so many bytes.
    pub(crate) fn ours(self, config: &Config, max_message: u64, now: Instant) -> Channel {
        let known = Known {
            suite: self.suite,
            keys: self.keys,
            max_message,
            idle_ms: 0,
        };
        fuzzing::channel(config, &known, now).expect("a cipher takes any key")
    }

    /// The peer's cipher: seals what we open.
    pub(crate) fn mouth(self) -> RawCipher {
        RawCipher::new(self.aead, self.keys[1])
    }

    /// The peer's ear: opens what we seal.
    pub(crate) fn ear(self) -> Ear {
        Ear::new(RawCipher::new(self.aead, self.keys[0]))
    }
}

/// Follows our outgoing records as the specification alone demands.
pub(crate) struct Ear {
    pub(crate) cipher: RawCipher,
    pub(crate) heard: Heard,
    partial: Option<Vec<u8>>,
    /// Records under the present key.
    pub(crate) records: u64,
    held: Vec<u8>,
    /// What we may still spend by the receiver's account (L-1), and by that of a sender that trusts no time (L-2).
    credit: [u32; 2],
    earned: usize,
    /// The smaller account before each of the last two records.
    pub(crate) before: [u32; 2],
}

/// What was said so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) end: Option<u64>,
    pub(crate) receipt: u64,
    pub(crate) receipts: u64,
    pub(crate) stop: Option<u64>,
    pub(crate) final_receipt: Option<u64>,
    pub(crate) abort: Option<u64>,
    pub(crate) ping: Option<[u8; 8]>,
    pub(crate) pings: u64,
    pub(crate) pongs: Vec<[u8; 8]>,
    pub(crate) requests: u64,
    pub(crate) rekeys: u64,
    pub(crate) drains: u64,
    pub(crate) withdrawn: u64,
}

impl Ear {
    pub(crate) fn new(cipher: RawCipher) -> Self {
        Self {
            cipher,
            heard: Heard::default(),
            partial: None,
            records: 0,
            held: Vec::new(),
            credit: [32; 2],
            earned: 0,
            before: [32; 2],
        }
    }

    /// Whole periods pass at the receiver.
    pub(crate) fn pass(&mut self, periods: u32) {
        self.credit[0] = self.credit[0].saturating_add(periods).min(32);
    }

    fn earn(&mut self, amount: usize) {
        for credit in &mut self.credit {
            *credit = (*credit + amount as u32).min(32);
        }
    }

    fn earn_bytes(&mut self, bytes: usize) {
        self.earned += bytes;
        self.earn(self.earned / 1_024);
        self.earned %= 1_024;
    }

    fn pay(&mut self) {
        assert!(self.credit[0] > 0, "L-2: beyond the progress budget");
        for credit in &mut self.credit {
            *credit = credit.saturating_sub(1);
        }
    }

    /// Takes all that waits to be written.
    pub(crate) fn hear(&mut self, send: &mut SendPath) {
        let length = send.pending().len();
        self.listen(&send.pending().to_vec());
        send.written(length);
    }

    pub(crate) fn listen(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while let Some(body) = take_body(&mut self.held) {
            let plaintext = self
                .cipher
                .decrypt(&[], &body)
                .expect("T-2: our record opens");
            self.records += 1;
            assert!(plaintext.len() <= MOST_SENT, "T-9");
            self.record(RawRecord::parse(&plaintext).expect("our record is legal"));
        }
    }

    fn record(&mut self, record: RawRecord) {
        self.before = [self.credit[1], self.before[0]];
        assert_eq!(self.heard.abort, None, "E-9: something behind ABORT");
        match record {
            RawRecord::Batch(frames) => {
                if frames
                    .iter()
                    .all(|frame| matches!(frame, RawFrame::Padding(_)))
                {
                    self.pay();
                }
                for (at, frame) in frames.iter().enumerate() {
                    self.frame(frame, at + 1 == frames.len());
                }
            }
            RawRecord::Message(bytes) => {
                assert_eq!(self.heard.end, None, "E-3");
                self.earn(1);
                if self.partial.is_some() {
                    self.earn_bytes(bytes.len());
                }
                let mut message = self.partial.take().unwrap_or_default();
                message.extend(bytes);
                self.heard.messages.push(message);
            }
            RawRecord::Piece(bytes) => {
                assert_eq!(self.heard.end, None, "E-3");
                if bytes.len() < 1_024 {
                    self.pay();
                }
                self.earn_bytes(bytes.len());
                self.partial.get_or_insert_default().extend(bytes);
            }
        }
    }

    fn frame(&mut self, frame: &RawFrame, last: bool) {
        match frame {
            RawFrame::Message(_) => self.earn(1),
            RawFrame::Receipt(taken) if *taken > self.heard.receipt => {}
            RawFrame::Ping(_)
            | RawFrame::Rekey
            | RawFrame::Drain(_)
            | RawFrame::ReceiptRequest
            | RawFrame::Receipt(_) => self.pay(),
            _ => {}
        }
        let heard = &mut self.heard;
        let open = heard.end.is_none();
        match frame {
            RawFrame::Message(bytes) => {
                assert!(open && self.partial.is_none(), "T-7, E-3");
                heard.messages.push(bytes.clone());
            }
            RawFrame::End(sent, ..) => {
                assert!(open && self.partial.is_none(), "E-2, E-3");
                assert_eq!(*sent, heard.messages.len() as u64, "E-1");
                heard.end = Some(*sent);
            }
            RawFrame::Receipt(taken) => {
                assert!(heard.final_receipt.is_none(), "E-7");
                assert!(*taken >= heard.receipt, "T-16");
                assert!(heard.stop.is_none_or(|stop| stop == *taken), "E-5");
                heard.receipt = *taken;
                heard.receipts += 1;
            }
            RawFrame::Stop(taken) => {
                assert!(heard.stop.is_none() && heard.final_receipt.is_none(), "E-4");
                assert!(*taken >= heard.receipt, "T-16");
                heard.stop = Some(*taken);
            }
            RawFrame::FinalReceipt(taken) => {
                assert!(heard.final_receipt.is_none(), "E-6");
                assert!(*taken >= heard.receipt, "T-16");
                assert!(heard.stop.is_none_or(|stop| stop == *taken), "E-6");
                heard.final_receipt = Some(*taken);
            }
            RawFrame::Abort(code, _) => {
                assert!(last, "E-9");
                heard.abort = Some(*code);
            }
            RawFrame::Ping(token) => {
                assert_eq!(
                    heard.ping.replace(*token),
                    None,
                    "T-15: a PING before the PONG"
                );
                heard.pings += 1;
            }
            RawFrame::Pong(token) => heard.pongs.push(*token),
            RawFrame::Rekey => {
                assert!(last, "T-10");
                heard.rekeys += 1;
                self.cipher.rekey();
                self.records = 0;
            }
            RawFrame::ReceiptRequest => {
                assert!(open, "E-3");
                heard.requests += 1;
            }
            RawFrame::Drain(_) => {
                assert!(open, "T-18");
                heard.drains += 1;
                assert_eq!(heard.drains, 1, "T-18");
            }
            RawFrame::Discard => {
                assert!(self.partial.take().is_some(), "T-19");
                heard.withdrawn += 1;
            }
            RawFrame::Padding(_) => {}
            RawFrame::Params(_) | RawFrame::Raw(_) => panic!("H-20: {frame:?}"),
        }
    }
}

/// Brings bytes to the receive path and opens all that is whole.
pub(crate) fn bring(channel: &mut Channel, bytes: &[u8], now: Instant) -> Processed {
    channel.receive.input().extend_from_slice(bytes);
    open(&mut channel.receive, &channel.send, now)
}

pub(crate) fn open(receive: &mut ReceivePath, send: &SendPath, now: Instant) -> Processed {
    // Each record that opens takes bytes off the input, so this ends.
    for _record in 0..=receive.input().len() {
        match receive.process(&send.facts(), now, 1) {
            Processed::Busy => {}
            done => return done,
        }
    }
    panic!("records open without input");
}

/// What the receive path wants said is said.
pub(crate) fn answer(channel: &mut Channel, now: Instant) {
    if let Some(notices) = channel.receive.notices() {
        channel.send.heed(notices, now);
    }
    channel.send.flush(now).expect("the cipher seals");
}

/// Some messages both ways between an established channel and the independent peer: all arrive.
pub(crate) fn talk(channel: &mut Channel, raw: &mut RawSession, input: &mut Input<'_>) {
    let now = Instant::now();
    let mut ear = Ear::new(raw.send.clone());
    ear.cipher = raw.receive.clone();
    let most = usize::try_from(channel.peer.max_message).unwrap_or(usize::MAX);
    let (mut sent, mut brought) = (Vec::new(), Vec::new());
    for _turn in 0..input.choice(8) {
        let length = usize::from(input.number()).min(most);
        let message = vec![input.byte(); length];
        if input.flag() {
            let offered = channel.send.offer(&message, &mut Progress::default(), now);
            assert_eq!(offered, Ok(Offered::Whole));
            channel.send.flush(now).unwrap();
            ear.hear(&mut channel.send);
            sent.push(message);
        } else {
            let record = RawRecord::Message(message[..length.min(65_518)].to_vec());
            let body = raw.send.encrypt(&[], &record.encode());
            assert_eq!(
                bring(channel, &with_length(&body), now),
                Processed::NeedInput
            );
            brought.push(message[..length.min(65_518)].to_vec());
            assert_eq!(
                channel.receive.take().as_deref(),
                brought.last().map(Vec::as_slice)
            );
        }
    }
    assert!(ear.heard.messages == sent, "T-14");
    assert_eq!(channel.receive.taken_count(), brought.len() as u64);
    raw.receive = ear.cipher;
}
