//! What each side tells of itself in record 0 (spec: section 5.1).

use super::{
    Violation,
    limits::{IDLE_MAX_MS, IDLE_MIN_MS, MAX_MAX_MESSAGE, MAX_MESSAGE, PROTOCOL_NAME, PROTOCOLS},
    varint,
};

const PROTOCOL_LIST: u64 = 1;
const MAX_MESSAGE_ID: u64 = 2;
const IDLE_TIMEOUT: u64 = 3;
/// Start of the ids that are never assigned.
const NEVER: u64 = 0x40;

/// The parameters of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Params {
    pub(crate) protocols: Option<Vec<String>>,
    pub(crate) max_message: u64,
    /// 0: none.
    pub(crate) idle_ms: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            protocols: None,
            max_message: MAX_MESSAGE,
            idle_ms: 0,
        }
    }
}

/// Malformed or out of range.
// spec: H-20
const fn fault(what: &'static str) -> Violation {
    Violation::new("H-20", what)
}

impl Params {
    /// Appends the parameters, and with them one that nobody knows.
    pub(crate) fn put(&self, first_of_hash: u8, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        if let Some(protocols) = &self.protocols {
            for name in protocols {
                varint::put(number(name.len()), &mut value);
                value.extend_from_slice(name.as_bytes());
            }
            put_entry(PROTOCOL_LIST, &value, out);
        }
        for (id, field) in [
            (MAX_MESSAGE_ID, self.max_message),
            (IDLE_TIMEOUT, self.idle_ms),
        ] {
            value.clear();
            varint::put(field, &mut value);
            put_entry(id, &value, out);
        }
        // spec: H-21
        let id = NEVER.saturating_add(u64::from(first_of_hash % 32));
        let filler = [0x5a_u8; 8];
        let length = usize::from(first_of_hash / 32);
        put_entry(id, filler.get(..length).unwrap_or_default(), out);
    }

    /// Reads the parameters; unknown ids are ignored.
    // spec: H-20
    pub(crate) fn take(mut input: &[u8]) -> Result<Self, Violation> {
        let mut params = Self::default();
        // At most one id for two bytes of a body of at most 4,096 (spec: H-18).
        let mut seen = Vec::new();
        while !input.is_empty() {
            let id = varint::take(&mut input)?;
            let length = usize::try_from(varint::take(&mut input)?)
                .map_err(|_wide| fault("parameter cut off"))?;
            let (value, rest) = input
                .split_at_checked(length)
                .ok_or(fault("parameter cut off"))?;
            input = rest;
            seen.push(id);
            match id {
                PROTOCOL_LIST => params.protocols = Some(take_protocols(value)?),
                MAX_MESSAGE_ID => params.max_message = take_max_message(value)?,
                IDLE_TIMEOUT => params.idle_ms = take_idle(value)?,
                _unknown => {}
            }
        }
        seen.sort_unstable();
        if seen.is_sorted_by(|one, next| one < next) {
            Ok(params)
        } else {
            Err(fault("parameter given twice"))
        }
    }
}

fn put_entry(id: u64, value: &[u8], out: &mut Vec<u8>) {
    varint::put(id, out);
    varint::put(number(value.len()), out);
    out.extend_from_slice(value);
}

fn take_protocols(mut value: &[u8]) -> Result<Vec<String>, Violation> {
    let mut names = Vec::new();
    while !value.is_empty() {
        let length = varint::take(&mut value)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| (1..=PROTOCOL_NAME).contains(length))
            .ok_or(fault("protocol name of no or more than 64 bytes"))?;
        let (name, rest) = value
            .split_at_checked(length)
            .ok_or(fault("protocol name cut off"))?;
        value = rest;
        let name = core::str::from_utf8(name)
            .map_err(|_bytes| fault("protocol name that is not UTF-8"))?;
        if names.len() == PROTOCOLS {
            return Err(fault("more than 16 protocols"));
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        return Err(fault("empty list of protocols"));
    }
    Ok(names)
}

fn take_max_message(value: &[u8]) -> Result<u64, Violation> {
    let most = take_number(value)?;
    if (1..=MAX_MAX_MESSAGE).contains(&most) {
        Ok(most)
    } else {
        Err(fault("max_message out of range"))
    }
}

fn take_idle(value: &[u8]) -> Result<u64, Violation> {
    let idle = take_number(value)?;
    if idle == 0 || (IDLE_MIN_MS..=IDLE_MAX_MS).contains(&idle) {
        Ok(idle)
    } else {
        Err(fault("idle_timeout out of range"))
    }
}

fn take_number(mut value: &[u8]) -> Result<u64, Violation> {
    let number = varint::take(&mut value)?;
    if value.is_empty() {
        Ok(number)
    } else {
        Err(fault("bytes left over in a parameter"))
    }
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
