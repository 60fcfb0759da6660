//! Fixed transcripts, read and written; `spec/vectors/README.md` describes the files.

// The library's tests include this file by path, and with it these two.
#[path = "vectors/conversation.rs"]
mod conversation;
#[path = "vectors/make.rs"]
mod make;

use crate::raw_peer::handshake::public_key;
use crate::raw_peer::wire::{parse_hello, parse_refusal, take_body, take_varint, with_length};
use crate::raw_peer::{Opened, Options, Pattern, RawError, RawFrame, RawHandshake, RawParams};
use crate::raw_peer::{RawRecord, RawSession, Suite};
pub use conversation::{Conversation, Outcomes, Proven};
pub use make::write;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The first field of every file.
pub const FORMAT: &str = "duologue-vectors-1";

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// `duologue-vectors-1`.
    pub format: String,
    /// Its vectors.
    pub vectors: Vec<Vector>,
}

/// One vector. All bytes are hexadecimal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vector {
    /// Names it among all.
    pub name: String,
    /// The clause it is about.
    pub clause: String,
    /// What it holds.
    #[serde(flatten)]
    pub body: Body,
}

/// What a vector holds, by its `kind`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// A whole transcript.
    Session(Box<Session>),
    /// What is said behind a handshake.
    Conversation(Box<Conversation>),
    /// A record's plaintext.
    Plaintext {
        /// Kind byte last.
        bytes: String,
        /// The error class; absent when it is well-formed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The parameters inside a PARAMS frame.
    Params {
        /// The entries.
        bytes: String,
        /// The error class; absent when they are well-formed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A varint with nothing behind it.
    Varint {
        /// Its bytes.
        bytes: String,
        /// Its value; absent when it is a violation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<u64>,
    },
    /// The first ten bytes, to a responder that takes every suite and pattern.
    Hello {
        /// Length and hello.
        bytes: String,
        /// `proceed`, `refusal_list` or `close`.
        answer: String,
    },
    /// The responder's first body with its length, to an initiator of this suite and pattern.
    Answer {
        /// The initiator's suite.
        suite: u8,
        /// The initiator's pattern.
        pattern: u8,
        /// Length and body.
        bytes: String,
        /// `proceed`, `refused` or `end`; a body that proceeds has the right shape, no more.
        answer: String,
    },
}

/// A transcript with every choice fixed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The suite's id.
    pub suite: u8,
    /// The pattern's id.
    pub pattern: u8,
    /// The Noise protocol name.
    pub protocol_name: String,
    /// The application's context.
    pub context: String,
    /// The prologue.
    pub prologue: String,
    /// The pre-shared key, where the pattern has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psk: Option<String>,
    /// The initiator's choices.
    pub initiator: Side,
    /// The responder's choices.
    pub responder: Side,
    /// The three bodies, with hello and status byte, without lengths.
    pub bodies: Vec<String>,
    /// The body (0 to 2) that its reader refuses; what is behind it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_at: Option<usize>,
    /// The handshake hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// k1 and k2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<[String; 2]>,
    /// Records in the order in which they are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Record>,
}

/// One side's secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Side {
    /// The static secret.
    #[serde(rename = "static")]
    pub secret: String,
    /// The ephemeral secret.
    pub ephemeral: String,
    /// `d | z` of the initiator's ML-KEM-768 key, 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kem_seed: Option<String>,
    /// `m` of the responder's encapsulation, 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kem_message: Option<String>,
}

/// One record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// `initiator` or `responder`.
    pub from: String,
    /// The plaintext; a REKEY in it takes effect behind it. Absent when it does not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plaintext: Option<String>,
    /// Length and ciphertext.
    pub record: String,
}

/// What became of one vector.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// File and name.
    pub name: String,
    /// What disagrees.
    pub error: Option<String>,
}

/// Replays a file, or every `*.json` of a directory.
pub fn replay(path: &Path) -> Result<Vec<Replayed>, String> {
    let mut results = Vec::new();
    for file in files(path)? {
        let place = file.display();
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{place}: {error}"))?;
        let read: File =
            serde_json::from_str(&text).map_err(|error| format!("{place}: {error}"))?;
        if read.format != FORMAT {
            return Err(format!("{place}: format {:?}, not {FORMAT:?}", read.format));
        }
        for vector in &read.vectors {
            results.push(Replayed {
                name: format!("{place}: {}", vector.name),
                error: check(&vector.body).err(),
            });
        }
    }
    match results.is_empty() {
        true => Err(format!("{}: no vectors", path.display())),
        false => Ok(results),
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let place = path.display();
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| format!("{place}: {error}"))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    Ok(files)
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| format!("{text:.40}: {error}"))
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let wrong = |bytes: Vec<u8>| format!("{} bytes, not {N}", bytes.len());
    bytes(text)?.try_into().map_err(wrong)
}

fn same(what: &str, got: &[u8], wanted: &str) -> Result<(), String> {
    match got == bytes(wanted)? {
        true => Ok(()),
        false => Err(format!("{what}: got {}, not {wanted}", hex::encode(got))),
    }
}

/// Whether this engine agrees with a vector.
pub fn check(body: &Body) -> Result<(), String> {
    match body {
        Body::Session(session) => check_session(session),
        Body::Conversation(conversation) => conversation.check(),
        Body::Plaintext { bytes: text, error } => {
            agrees(RawRecord::parse(&bytes(text)?).map(drop), error.as_deref())
        }
        Body::Params { bytes: text, error } => {
            agrees(RawParams::parse(&bytes(text)?).map(drop), error.as_deref())
        }
        Body::Varint { bytes: text, value } => {
            let bytes = bytes(text)?;
            let mut rest = bytes.as_slice();
            let read = take_varint(&mut rest).ok().filter(|_| rest.is_empty());
            match read == *value {
                true => Ok(()),
                false => Err(format!("read {read:?}, not {value:?}")),
            }
        }
        Body::Hello {
            bytes: text,
            answer,
        } => is(judge_hello(array(text)?), answer),
        Body::Answer {
            suite,
            pattern,
            bytes: text,
            answer,
        } => {
            let suite = Suite::of(*suite).ok_or("unknown suite")?;
            let pattern = Pattern::of(*pattern).ok_or("unknown pattern")?;
            let size = 1 + pattern.sizes(suite)[1];
            is(judge_answer(&bytes(text)?, size), answer)
        }
    }
}

fn agrees(read: Result<(), String>, error: Option<&str>) -> Result<(), String> {
    match (read, error) {
        (Ok(()), None) | (Err(_), Some("violation")) => Ok(()),
        (Ok(()), Some(class)) => Err(format!("well-formed, not {class}")),
        (Err(rule), class) => Err(format!("{rule}, not {class:?}")),
    }
}

fn is(got: &str, wanted: &str) -> Result<(), String> {
    match got == wanted {
        true => Ok(()),
        false => Err(format!("{got}, not {wanted}")),
    }
}

fn judge_hello(bytes: [u8; 10]) -> &'static str {
    let [high, low, hello @ ..] = bytes;
    if !hello.starts_with(b"duo") {
        return "close";
    }
    let known = parse_hello(hello);
    let known = known.and_then(|(suite, pattern)| Suite::of(suite).zip(Pattern::of(pattern)));
    match known {
        None => "refusal_list",
        Some((suite, pattern)) => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            match length == 8 + pattern.sizes(suite)[0] {
                true => "proceed",
                false => "close",
            }
        }
    }
}

fn judge_answer(bytes: &[u8], size: usize) -> &'static str {
    let body = take_body(&mut bytes.to_vec()).unwrap_or_default();
    match body.split_first() {
        Some((0, _)) if body.len() == size => "proceed",
        Some((1, list)) if matches!(parse_refusal(list), RawError::Refused(_)) => "refused",
        _ => "end",
    }
}

fn options(session: &Session, side: &Side) -> Result<Options, String> {
    let suite = Suite::of(session.suite).ok_or("unknown suite")?;
    let pattern = Pattern::of(session.pattern).ok_or("unknown pattern")?;
    let mut options = Options::new(suite, pattern, array(&side.secret)?);
    options.ephemeral = Some(array(&side.ephemeral)?);
    options.kem_seed = side.kem_seed.as_deref().map(array).transpose()?;
    options.kem_message = side.kem_message.as_deref().map(array).transpose()?;
    options.psk = session.psk.as_deref().map(array).transpose()?;
    options.context = bytes(&session.context)?;
    options.remote = Some(public_key(array(&session.responder.secret)?));
    Ok(options)
}

fn check_session(session: &Session) -> Result<(), String> {
    let initiator = options(session, &session.initiator)?;
    let name = initiator.pattern.protocol_name(initiator.suite);
    is(&name, &session.protocol_name)?;
    let hello = crate::raw_peer::wire::hello(session.suite, session.pattern);
    let prologue = crate::raw_peer::wire::prologue(hello, &initiator.context);
    same("prologue", &prologue, &session.prologue)?;
    let mut initiator = RawHandshake::initiator(initiator);
    let mut responder = RawHandshake::responder(options(session, &session.responder)?);
    for (turn, wanted) in session.bodies.iter().enumerate() {
        let (writer, reader) = match turn {
            1 => (&mut responder, &mut initiator),
            _ => (&mut initiator, &mut responder),
        };
        let fails = session.fails_at == Some(turn);
        if !fails {
            let written = writer
                .write_body()
                .map_err(|error| format!("{turn}: {error:?}"))?;
            same(&format!("body {turn}"), &written, wanted)?;
        }
        match (reader.read_body(&bytes(wanted)?), fails) {
            (Ok(()), false) => {}
            (Err(_), true) => return Ok(()),
            // What is wrong may show only when it should be answered.
            (Ok(()), true) if reader.write_body().is_err() => return Ok(()),
            (Ok(()), true) => return Err(format!("body {turn} was taken")),
            (Err(error), false) => return Err(format!("body {turn}: {error:?}")),
        }
    }
    let initiator = initiator
        .into_session()
        .map_err(|error| format!("{error:?}"))?;
    let responder = responder
        .into_session()
        .map_err(|error| format!("{error:?}"))?;
    if let Some(hash) = &session.hash {
        same("hash", &initiator.hash, hash)?;
    }
    if let Some([first, second]) = &session.keys {
        same("k1", &initiator.send.key, first)?;
        same("k2", &responder.send.key, second)?;
    }
    check_records(session, initiator, responder)
}

fn check_records(
    session: &Session,
    mut initiator: RawSession,
    mut responder: RawSession,
) -> Result<(), String> {
    for (index, record) in session.records.iter().enumerate() {
        let (writer, reader) = match record.from.as_str() {
            "initiator" => (&mut initiator, &mut responder),
            "responder" => (&mut responder, &mut initiator),
            other => return Err(format!("record {index} from {other:?}")),
        };
        let mut input = bytes(&record.record)?;
        let Some(plaintext) = &record.plaintext else {
            return match reader.open(&mut input) {
                Some(Opened::Broken(_)) => Ok(()),
                other => Err(format!("record {index} gives {other:?}")),
            };
        };
        let plaintext = bytes(plaintext)?;
        let sealed = writer.seal_plaintext(&plaintext);
        same(&format!("record {index}"), &sealed, &record.record)?;
        if reader.open(&mut input) != Some(Opened::Plaintext(plaintext.clone())) {
            return Err(format!("record {index} does not open"));
        }
        let parsed = RawRecord::parse(&plaintext);
        if matches!(&parsed, Ok(RawRecord::Batch(frames)) if frames.contains(&RawFrame::Rekey)) {
            writer.rekey_send();
            reader.rekey_receive();
        }
    }
    Ok(())
}

fn framed(body: &[u8]) -> String {
    hex::encode(with_length(body))
}
