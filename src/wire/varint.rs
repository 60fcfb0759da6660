//! Unsigned LEB128, minimal, at most nine bytes (spec: W-2).

use super::Violation;

/// The largest value of a varint.
pub(super) const MAX: u64 = (1 << 63) - 1;

/// Appends a value; what exceeds the largest is written as the largest.
pub(crate) fn put(value: u64, out: &mut Vec<u8>) {
    let mut rest = value.min(MAX);
    loop {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Takes a value off the front.
pub(crate) fn take(input: &mut &[u8]) -> Result<u64, Violation> {
    let mut value = 0_u64;
    let mut shift = 0_u32;
    let mut rest = *input;
    while shift < 63 {
        let Some((byte, behind)) = rest.split_first() else {
            return Err(Violation::new("W-2", "number cut off"));
        };
        rest = behind;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            if *byte == 0 && shift > 0 {
                return Err(Violation::new("W-2", "number longer than needed"));
            }
            *input = rest;
            return Ok(value);
        }
        shift = shift.saturating_add(7);
    }
    Err(Violation::new("W-2", "number of more than nine bytes"))
}
