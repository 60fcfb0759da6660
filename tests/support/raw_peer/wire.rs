//! Every byte of the wire: building what is right, building what is wrong, and reading.

use super::handshake::RawError;

/// Puts the length in front of a body; any length the field can hold, 0 included.
pub fn with_length(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a body fits its length field");
    [&length.to_be_bytes(), body].concat()
}

/// Takes one body off the front, once it is there whole.
pub fn take_body(input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes(*input.first_chunk::<2>()?));
    let body = input.get(2..2 + length)?.to_vec();
    input.drain(..2 + length);
    Some(body)
}

/// The hello of a suite and a pattern (spec: W-7).
pub const fn hello(suite: u8, pattern: u8) -> [u8; 8] {
    [b'd', b'u', b'o', 1, suite, pattern, 0, 0]
}

/// Suite and pattern of a hello of this version.
pub fn parse_hello(hello: [u8; 8]) -> Option<(u8, u8)> {
    match hello {
        [b'd', b'u', b'o', 1, suite, pattern, 0, 0] => Some((suite, pattern)),
        _ => None,
    }
}

/// The prologue (spec: H-2).
pub fn prologue(hello: [u8; 8], context: &[u8]) -> Vec<u8> {
    [b"duologue/1", hello.as_slice(), &with_length(context)].concat()
}

/// A responder's refusal body (spec: W-9).
pub fn refusal(triples: &[[u8; 3]]) -> Vec<u8> {
    [&[1], triples.as_flattened()].concat()
}

/// What a refusal list, without its status byte, means to an initiator (spec: W-10).
pub fn parse_refusal(list: &[u8]) -> RawError {
    let (triples, rest) = list.as_chunks::<3>();
    if rest.is_empty() && (1..=32).contains(&triples.len()) {
        RawError::Refused(triples.to_vec())
    } else {
        RawError::Status
    }
}

/// The minimal varint.
pub fn varint(value: u64) -> Vec<u8> {
    varint_of_width(value, 1)
}

/// A varint of at least so many bytes: longer than needed where `width` says so.
pub fn varint_of_width(mut value: u64, width: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let group = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 && bytes.len() + 1 >= width {
            bytes.push(group);
            return bytes;
        }
        bytes.push(group | 0x80);
    }
}

/// Takes a minimal varint of at most nine bytes (spec: W-2).
pub fn take_varint(input: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for (index, byte) in input.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if *byte == 0 && index > 0 {
                return Err("varint longer than needed".into());
            }
            *input = &input[index + 1..];
            return Ok(value);
        }
    }
    Err(if input.len() < 9 {
        "varint cut off".into()
    } else {
        "varint of more than nine bytes".into()
    })
}

/// A varint length and that many bytes.
pub fn take_sized<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = take_varint(input)?;
    let (head, tail) = usize::try_from(length)
        .ok()
        .and_then(|length| input.split_at_checked(length))
        .ok_or_else(|| format!("length {length} beyond the end"))?;
    *input = tail;
    Ok(head)
}

/// Puts a varint length in front.
pub fn sized(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64).as_slice(), bytes].concat()
}

/// A frame as the wire knows it; nothing is checked when it is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawFrame {
    /// 0x00 and so many zero bytes.
    Padding(usize),
    /// 0x01.
    Params(Vec<u8>),
    /// 0x02.
    Message(Vec<u8>),
    /// 0x04.
    End(u64, u64, Vec<u8>),
    /// 0x05.
    Receipt(u64),
    /// 0x06.
    Abort(u64, Vec<u8>),
    /// 0x07.
    Ping([u8; 8]),
    /// 0x08.
    Pong([u8; 8]),
    /// 0x09.
    Rekey,
    /// 0x0a.
    ReceiptRequest,
    /// 0x0b.
    Drain(u64),
    /// 0x0c.
    FinalReceipt(u64),
    /// 0x0d.
    Stop(u64),
    /// 0x0e.
    Discard,
    /// Any bytes at all; never comes out of the parser.
    Raw(Vec<u8>),
}

impl RawFrame {
    /// The bytes of the frame.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, fields) = match self {
            Self::Padding(zeros) => (0x00, vec![0; *zeros]),
            Self::Params(params) => (0x01, sized(params)),
            Self::Message(message) => (0x02, sized(message)),
            Self::End(sent, code, reason) => {
                let fields = [varint(*sent), varint(*code), sized(reason)];
                (0x04, fields.concat())
            }
            Self::Receipt(taken) => (0x05, varint(*taken)),
            Self::Abort(code, reason) => (0x06, [varint(*code), sized(reason)].concat()),
            Self::Ping(bytes) => (0x07, bytes.to_vec()),
            Self::Pong(bytes) => (0x08, bytes.to_vec()),
            Self::Rekey => (0x09, Vec::new()),
            Self::ReceiptRequest => (0x0a, Vec::new()),
            Self::Drain(milliseconds) => (0x0b, varint(*milliseconds)),
            Self::FinalReceipt(taken) => (0x0c, varint(*taken)),
            Self::Stop(taken) => (0x0d, varint(*taken)),
            Self::Discard => (0x0e, Vec::new()),
            Self::Raw(bytes) => return bytes.clone(),
        };
        [&[kind], fields.as_slice()].concat()
    }

    /// Takes one frame off the front; an error says which rule the bytes break.
    pub fn take(input: &mut &[u8]) -> Result<Self, String> {
        let (kind, rest) = input.split_first().ok_or("no frame")?;
        *input = rest;
        Ok(match kind {
            0x00 => {
                let zeros = std::mem::take(input);
                if zeros.iter().any(|byte| *byte != 0) {
                    return Err("padding that is not zero".into());
                }
                Self::Padding(zeros.len())
            }
            0x01 => Self::Params(take_sized(input)?.to_vec()),
            0x02 => Self::Message(take_sized(input)?.to_vec()),
            0x04 => {
                let (sent, code) = (take_varint(input)?, take_code(input)?);
                Self::End(sent, code, take_reason(input)?)
            }
            0x05 => Self::Receipt(take_varint(input)?),
            0x06 => Self::Abort(take_code(input)?, take_reason(input)?),
            0x07 => Self::Ping(take_eight(input)?),
            0x08 => Self::Pong(take_eight(input)?),
            0x09 => Self::Rekey,
            0x0a => Self::ReceiptRequest,
            0x0b => Self::Drain(take_varint(input)?),
            0x0c => Self::FinalReceipt(take_varint(input)?),
            0x0d => Self::Stop(take_varint(input)?),
            0x0e => Self::Discard,
            other => return Err(format!("frame type {other:#04x}")),
        })
    }
}

fn take_code(input: &mut &[u8]) -> Result<u64, String> {
    let code = take_varint(input)?;
    if code > u64::from(u32::MAX) {
        return Err(format!("code {code} above 2^32 - 1"));
    }
    Ok(code)
}

fn take_reason(input: &mut &[u8]) -> Result<Vec<u8>, String> {
    let reason = take_sized(input)?;
    if reason.len() > 256 || std::str::from_utf8(reason).is_err() {
        return Err("reason too long or not UTF-8".into());
    }
    Ok(reason.to_vec())
}

fn take_eight(input: &mut &[u8]) -> Result<[u8; 8], String> {
    let (bytes, rest) = input.split_first_chunk().ok_or("eight bytes cut off")?;
    *input = rest;
    Ok(*bytes)
}

/// The plaintext of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawRecord {
    /// Kind 0.
    Batch(Vec<RawFrame>),
    /// Kind 1: a whole message, or the last piece of one.
    Message(Vec<u8>),
    /// Kind 2.
    Piece(Vec<u8>),
}

impl RawRecord {
    /// The plaintext, kind byte last (spec: T-5).
    pub fn encode(&self) -> Vec<u8> {
        let (mut body, kind) = match self {
            Self::Batch(frames) => (frames.iter().flat_map(RawFrame::encode).collect(), 0),
            Self::Message(bytes) => (bytes.clone(), 1),
            Self::Piece(bytes) => (bytes.clone(), 2),
        };
        body.push(kind);
        body
    }

    /// Reads a plaintext; an error says which rule the bytes break.
    pub fn parse(plaintext: &[u8]) -> Result<Self, String> {
        match plaintext.split_last().ok_or("empty plaintext")? {
            (0, []) => Err("batch without a frame".into()),
            (0, mut body) => {
                let mut frames = Vec::new();
                while !body.is_empty() {
                    frames.push(RawFrame::take(&mut body)?);
                }
                Ok(Self::Batch(frames))
            }
            (1, body) => Ok(Self::Message(body.to_vec())),
            (2, []) => Err("empty piece".into()),
            (2, body) => Ok(Self::Piece(body.to_vec())),
            (kind, _) => Err(format!("record kind {kind}")),
        }
    }
}
