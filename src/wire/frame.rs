//! Frames: the typed units of a batch (spec: section 4.2).

use super::{Code, Violation, limits::REASON, varint};

const PADDING: u8 = 0x00;
const PARAMS: u8 = 0x01;
const MESSAGE: u8 = 0x02;
const END: u8 = 0x04;
const RECEIPT: u8 = 0x05;
const ABORT: u8 = 0x06;
const PING: u8 = 0x07;
const PONG: u8 = 0x08;
const REKEY: u8 = 0x09;
const RECEIPT_REQUEST: u8 = 0x0a;
const DRAIN: u8 = 0x0b;
const FINAL_RECEIPT: u8 = 0x0c;
const STOP: u8 = 0x0d;
const DISCARD: u8 = 0x0e;

/// One frame, borrowed from the batch it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Zero bytes to the end of the body.
    Padding {
        zeros: usize,
    },
    Params(&'a [u8]),
    Message(&'a [u8]),
    End {
        sent: u64,
        code: Code,
        reason: &'a str,
    },
    Receipt {
        taken: u64,
    },
    Abort {
        code: Code,
        reason: &'a str,
    },
    Ping([u8; 8]),
    Pong([u8; 8]),
    Rekey,
    ReceiptRequest,
    Drain {
        milliseconds: u64,
    },
    FinalReceipt {
        taken: u64,
    },
    Stop {
        taken: u64,
    },
    Discard,
}

impl<'a> Frame<'a> {
    /// Appends the frame.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Padding { zeros } => {
                out.push(PADDING);
                out.resize(out.len().saturating_add(zeros), 0);
            }
            Self::Params(parameters) => put_block(PARAMS, parameters, out),
            Self::Message(message) => put_block(MESSAGE, message, out),
            Self::End { sent, code, reason } => {
                put_number(END, sent, out);
                put_reason(code, reason, out);
            }
            Self::Receipt { taken } => put_number(RECEIPT, taken, out),
            Self::Abort { code, reason } => {
                out.push(ABORT);
                put_reason(code, reason, out);
            }
            Self::Ping(token) => put_token(PING, token, out),
            Self::Pong(token) => put_token(PONG, token, out),
            Self::Rekey => out.push(REKEY),
            Self::ReceiptRequest => out.push(RECEIPT_REQUEST),
            Self::Drain { milliseconds } => put_number(DRAIN, milliseconds, out),
            Self::FinalReceipt { taken } => put_number(FINAL_RECEIPT, taken, out),
            Self::Stop { taken } => put_number(STOP, taken, out),
            Self::Discard => out.push(DISCARD),
        }
    }

    /// Takes the frame at the front of what is left of a body.
    // spec: T-12
    pub(crate) fn take(input: &mut &'a [u8]) -> Result<Self, Violation> {
        let Some((kind, rest)) = input.split_first() else {
            return Err(CUT);
        };
        *input = rest;
        match *kind {
            PADDING => take_padding(input),
            PARAMS => Ok(Self::Params(take_block(input)?)),
            MESSAGE => Ok(Self::Message(take_block(input)?)),
            END => {
                let sent = varint::take(input)?;
                let (code, reason) = take_reason(input)?;
                Ok(Self::End { sent, code, reason })
            }
            RECEIPT => Ok(Self::Receipt {
                taken: varint::take(input)?,
            }),
            ABORT => {
                let (code, reason) = take_reason(input)?;
                Ok(Self::Abort { code, reason })
            }
            PING => Ok(Self::Ping(take_token(input)?)),
            PONG => Ok(Self::Pong(take_token(input)?)),
            REKEY => Ok(Self::Rekey),
            RECEIPT_REQUEST => Ok(Self::ReceiptRequest),
            DRAIN => Ok(Self::Drain {
                milliseconds: varint::take(input)?,
            }),
            FINAL_RECEIPT => Ok(Self::FinalReceipt {
                taken: varint::take(input)?,
            }),
            STOP => Ok(Self::Stop {
                taken: varint::take(input)?,
            }),
            DISCARD => Ok(Self::Discard),
            _ => Err(Violation::new("T-12", "frame of an unknown type")),
        }
    }
}

const CUT: Violation = Violation::new("T-12", "frame cut off by the end of its record");

/// Takes bytes off a batch that was checked when it was opened, up to and with its next message.
#[inline]
pub(crate) fn next_message<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    if let Some(message) = short_message(input) {
        return Some(message);
    }
    while !input.is_empty() {
        match Frame::take(input).ok()? {
            Frame::Message(message) => return Some(message),
            _control => {}
        }
    }
    None
}

/// Takes a message of less than 128 bytes: the common case, with a head of two bytes.
#[inline]
pub(crate) fn short_message<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [MESSAGE, length @ 0..0x80, rest @ ..] = *input else {
        return None;
    };
    let (message, behind) = rest.split_at_checked(usize::from(*length))?;
    *input = behind;
    Some(message)
}

/// The longest message that [`short_message_head`] serves: its length takes two bytes.
const SHORT: usize = (1 << 14) - 1;

/// The bytes before a message of at most 16,383 bytes in a batch, and how many they are.
pub(crate) fn short_message_head(length: usize) -> ([u8; 3], usize) {
    debug_assert!(length <= SHORT, "two bytes of length");
    let [low, high, ..] = length.to_le_bytes();
    if length < 0x80 {
        return ([MESSAGE, low, 0], 2);
    }
    ([MESSAGE, low | 0x80, (high << 1) | (low >> 7)], 3)
}

// spec: T-13
fn take_padding<'a>(input: &mut &'a [u8]) -> Result<Frame<'a>, Violation> {
    if input.iter().any(|byte| *byte != 0) {
        return Err(Violation::new("T-13", "padding that is not zero"));
    }
    let zeros = input.len();
    *input = &[];
    Ok(Frame::Padding { zeros })
}

fn put_block(kind: u8, block: &[u8], out: &mut Vec<u8>) {
    put_number(kind, number(block.len()), out);
    out.extend_from_slice(block);
}

fn take_block<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], Violation> {
    let length = varint::take(input)?;
    let length = usize::try_from(length).map_err(|_wide| CUT)?;
    let (block, rest) = input.split_at_checked(length).ok_or(CUT)?;
    *input = rest;
    Ok(block)
}

fn put_number(kind: u8, value: u64, out: &mut Vec<u8>) {
    out.push(kind);
    varint::put(value, out);
}

fn put_token(kind: u8, token: [u8; 8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&token);
}

fn take_token(input: &mut &[u8]) -> Result<[u8; 8], Violation> {
    let (token, rest) = input.split_first_chunk::<8>().ok_or(CUT)?;
    *input = rest;
    Ok(*token)
}

/// A reason too long for the wire is cut at a character's boundary.
fn put_reason(code: Code, reason: &str, out: &mut Vec<u8>) {
    varint::put(u64::from(code.number()), out);
    let text = (0..=REASON)
        .rev()
        .find_map(|end| reason.get(..end.min(reason.len())))
        .unwrap_or_default()
        .as_bytes();
    varint::put(number(text.len()), out);
    out.extend_from_slice(text);
}

// spec: T-21
fn take_reason<'a>(input: &mut &'a [u8]) -> Result<(Code, &'a str), Violation> {
    let code = u32::try_from(varint::take(input)?)
        .map_err(|_wide| Violation::new("T-21", "code above 2^32 - 1"))?;
    let text = take_block(input)?;
    if text.len() > REASON {
        return Err(Violation::new("T-21", "reason of more than 256 bytes"));
    }
    let text = core::str::from_utf8(text)
        .map_err(|_bytes| Violation::new("T-21", "reason that is not UTF-8"))?;
    Ok((Code::from_number(code), text))
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
