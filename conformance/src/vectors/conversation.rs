//! What is said behind a handshake: sealed again, opened, and judged by the rules of the page.

use super::{Record, array, bytes, is, same};
use crate::raw_peer::handshake::Role;
use crate::raw_peer::symmetric::RawCipher;
use crate::raw_peer::{Opened, RawFrame, RawRecord, RawSession, Rules, Suite, Wrong};
use serde::{Deserialize, Serialize};

/// Both directions from record 0 on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conversation {
    /// The suite's id.
    pub suite: u8,
    /// The handshake hash.
    pub hash: String,
    /// k1 and k2.
    pub keys: [String; 2],
    /// The protocols that the responder's application takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Vec<String>>,
    /// Records in the order in which they are made.
    pub records: Vec<Record>,
    /// The error class of the last record; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What each side must report when nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcomes>,
}

/// The reports of both sides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcomes {
    /// The initiator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiator: Option<Proven>,
    /// The responder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responder: Option<Proven>,
}

/// What is proven to a side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proven {
    /// Of its own messages.
    pub sent: String,
    /// Of its peer's.
    pub received: String,
}

/// One side's view: two ciphers.
struct Sides {
    initiator: RawSession,
    responder: RawSession,
}

impl Sides {
    fn of(conversation: &Conversation) -> Result<Self, String> {
        let suite = Suite::of(conversation.suite).ok_or("unknown suite")?;
        let [first, second] = &conversation.keys;
        let (first, second) = (array(first)?, array(second)?);
        let hash = array(&conversation.hash)?;
        let session = |role, send, receive| RawSession {
            role,
            send: RawCipher::new(suite.aead(), send),
            receive: RawCipher::new(suite.aead(), receive),
            hash,
            remote_static: [0; 32],
        };
        Ok(Self {
            initiator: session(Role::Initiator, first, second),
            responder: session(Role::Responder, second, first),
        })
    }

    fn of_record(&mut self, record: &Record) -> Result<(Role, [&mut RawSession; 2]), String> {
        let Self {
            initiator,
            responder,
        } = self;
        match record.from.as_str() {
            "initiator" => Ok((Role::Initiator, [initiator, responder])),
            "responder" => Ok((Role::Responder, [responder, initiator])),
            other => Err(format!("record from {other:?}")),
        }
    }
}

impl Conversation {
    /// Whether this engine agrees.
    pub fn check(&self) -> Result<(), String> {
        let mut sides = Sides::of(self)?;
        let mut rules = Rules::new(self.takes.clone());
        let last = self.records.len().checked_sub(1).ok_or("no records")?;
        for (index, record) in self.records.iter().enumerate() {
            let judged = hear(record, &mut sides, &mut rules)
                .map_err(|error| format!("record {index}: {error}"))?;
            match (judged, &self.error) {
                (Ok(()), None) => {}
                (Ok(()), Some(_)) if index < last => {}
                (Err(wrong), Some(class)) if index == last => return is(wrong.class(), class),
                (judged, class) => {
                    return Err(format!("record {index}: {judged:?}, not {class:?}"));
                }
            }
        }
        let outcome = self.outcome.as_ref().ok_or("no outcome")?;
        for (side, proven) in [
            (Role::Initiator, &outcome.initiator),
            (Role::Responder, &outcome.responder),
        ] {
            if let Some(proven) = proven {
                is(&rules.sent(side), &proven.sent)?;
                is(&rules.received(side), &proven.received)?;
            }
        }
        Ok(())
    }
}

/// What the reader of a record makes of it; an error is a record that is not what the vector says.
fn hear(
    record: &Record,
    sides: &mut Sides,
    rules: &mut Rules,
) -> Result<Result<(), Wrong>, String> {
    let violation = |rule: String| Ok(Err(Wrong::Violation(rule)));
    let (from, [writer, reader]) = sides.of_record(record)?;
    let mut input = bytes(&record.record)?;
    // Judged before the body is there.
    let head = *input.first_chunk::<2>().ok_or("no length")?;
    let length = usize::from(u16::from_be_bytes(head));
    let most = if rules.is_first(from) { 4_112 } else { 65_535 };
    if !(17..=most).contains(&length) {
        return violation(format!("length of {length}"));
    }
    let opened = match reader.open(&mut input).ok_or("a record that is cut")? {
        Opened::Plaintext(plaintext) => plaintext,
        Opened::Broken(_) if record.plaintext.is_none() => {
            return violation("does not open".into());
        }
        Opened::Broken(_) => return Err("does not open".into()),
    };
    let plaintext = bytes(record.plaintext.as_ref().ok_or("opens")?)?;
    same("sealed", &writer.seal_plaintext(&plaintext), &record.record)?;
    if opened != plaintext {
        return Err("opens to another plaintext".into());
    }
    let parsed = match RawRecord::parse(&plaintext) {
        Ok(parsed) => parsed,
        Err(rule) => return violation(rule),
    };
    if matches!(&parsed, RawRecord::Batch(frames) if frames.contains(&RawFrame::Rekey)) {
        writer.rekey_send();
        reader.rekey_receive();
    }
    Ok(rules.hear(from, &parsed))
}
