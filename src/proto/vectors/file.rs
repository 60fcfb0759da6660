//! The format of `spec/vectors/README.md`, read and written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    vectors: Vec<Vector>,
}

const FORMAT: &str = "duologue-vectors-1";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Vector {
    pub(super) name: String,
    pub(super) clause: String,
    #[serde(flatten)]
    pub(super) body: Body,
}

impl Vector {
    pub(super) fn new(name: impl Into<String>, clause: &str, body: Body) -> Self {
        Self {
            name: name.into(),
            clause: clause.to_owned(),
            body,
        }
    }
}

/// Bytes, hexadecimal in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hex(#[serde(with = "hex::serde")] pub(super) Vec<u8>);

impl Hex {
    pub(super) fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().to_vec())
    }

    pub(super) fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().unwrap()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Body {
    Session(Box<Session>),
    Conversation(Conversation),
    Plaintext {
        bytes: Hex,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Params {
        bytes: Hex,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    Varint {
        bytes: Hex,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<u64>,
    },
    Hello {
        bytes: Hex,
        answer: String,
    },
    Answer {
        suite: u8,
        pattern: u8,
        bytes: Hex,
        answer: String,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) suite: u8,
    pub(super) pattern: u8,
    pub(super) protocol_name: String,
    pub(super) context: Hex,
    pub(super) prologue: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) psk: Option<Hex>,
    pub(super) initiator: Side,
    pub(super) responder: Side,
    pub(super) bodies: Vec<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fails_at: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<[Hex; 2]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) records: Vec<Record>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Side {
    #[serde(rename = "static")]
    pub(super) secret: Hex,
    pub(super) ephemeral: Hex,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kem_seed: Option<Hex>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kem_message: Option<Hex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum From {
    Initiator,
    Responder,
}

impl From {
    pub(super) const BOTH: [Self; 2] = [Self::Initiator, Self::Responder];

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Initiator => 0,
            Self::Responder => 1,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) from: From,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plaintext: Option<Hex>,
    pub(super) record: Hex,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conversation {
    pub(super) suite: u8,
    pub(super) hash: Hex,
    pub(super) keys: [Hex; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) takes: Option<Vec<String>>,
    pub(super) records: Vec<Record>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Outcomes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcomes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) initiator: Option<Proven>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) responder: Option<Proven>,
}

impl Outcomes {
    pub(super) fn new([initiator, responder]: [Proven; 2]) -> Self {
        Self {
            initiator: Some(initiator),
            responder: Some(responder),
        }
    }

    pub(super) fn of(&self, side: From) -> Option<&Proven> {
        match side {
            From::Initiator => self.initiator.as_ref(),
            From::Responder => self.responder.as_ref(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proven {
    pub(super) sent: String,
    pub(super) received: String,
}

impl Proven {
    pub(super) fn new(sent: &str, received: &str) -> Self {
        Self {
            sent: sent.to_owned(),
            received: received.to_owned(),
        }
    }
}

impl Body {
    /// Whether the vector is one that must be refused.
    pub(super) fn is_negative(&self) -> bool {
        match self {
            Self::Session(session) => session.fails_at.is_some(),
            Self::Conversation(conversation) => conversation.error.is_some(),
            Self::Plaintext { error, .. } | Self::Params { error, .. } => error.is_some(),
            Self::Varint { value, .. } => value.is_none(),
            Self::Hello { answer, .. } | Self::Answer { answer, .. } => answer != "proceed",
        }
    }

    /// Changes a bit of a transcript's last record.
    pub(super) fn corrupt(&mut self) {
        let records = match self {
            Self::Session(session) => &mut session.records,
            Self::Conversation(conversation) => &mut conversation.records,
            _other => panic!("no transcript"),
        };
        *records.last_mut().unwrap().record.0.last_mut().unwrap() ^= 1;
    }
}

pub(super) fn read(text: &str) -> Vec<Vector> {
    let file: File = serde_json::from_str(text).unwrap();
    assert_eq!(file.format, FORMAT);
    file.vectors
}

/// A line for each vector or record, so that a change shows where it is.
pub(super) fn print(vectors: &[Vector]) -> String {
    let mut text = format!("{{\"format\": \"{FORMAT}\", \"vectors\": [");
    for (index, vector) in vectors.iter().enumerate() {
        let comma = if index == 0 { "\n" } else { ",\n" };
        text += comma;
        print_value(&serde_json::to_value(vector).unwrap(), 0, &mut text);
    }
    text + "\n]}\n"
}

/// The order of the fields; what is not here stands behind.
const ORDER: [&str; 12] = [
    "name",
    "clause",
    "kind",
    "suite",
    "pattern",
    "from",
    "static",
    "protocol_name",
    "context",
    "prologue",
    "psk",
    "bytes",
];

fn print_value(value: &Value, depth: usize, text: &mut String) {
    let mut inner: Vec<(Option<&str>, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (Some(&**name), value))
            .collect(),
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        _scalar => return *text += &value.to_string(),
    };
    let place = |name: &str| {
        ORDER
            .iter()
            .position(|known| *known == name)
            .unwrap_or(ORDER.len())
    };
    // Stable: items keep their order, and fields do not depend on the map's.
    inner.sort_by_key(|(name, _value)| name.map(|name| (place(name), name)));
    let flat = inner
        .iter()
        .all(|(_name, value)| !value.is_object() && !value.is_array());
    let (open, close) = if value.is_object() {
        ('{', '}')
    } else {
        ('[', ']')
    };
    let indent = format!("\n{}", "  ".repeat(depth + 1));
    text.push(open);
    for (index, (name, value)) in inner.into_iter().enumerate() {
        *text += if index > 0 { "," } else { "" };
        *text += match (flat, index) {
            (false, _) => &indent,
            (true, 0) => "",
            (true, _) => " ",
        };
        if let Some(name) = name {
            *text += &format!("\"{name}\": ");
        }
        print_value(value, depth + 1, text);
    }
    if !flat {
        *text += &indent[..indent.len() - 2];
    }
    text.push(close);
}
