//! The bytes behind the cipher: batches, PARAMS, varints, refusal lists (spec: sections 2, 4 and 5.1).
//!
//! Input: which reader, then its bytes. Asserted:
//! - what is read and written again is what was read: no byte is lost, ignored or read in two ways (W-2);
//! - the independent reader takes and refuses exactly the same, and finds the same in it;
//! - messages are handed out as they stand in the batch;
//! - reading costs at most 32 times its bytes and 4 KiB (W-4).

use duologue::{Violation, fuzzing};

use crate::raw_peer::{RawFrame, RawParams, wire::take_varint};

pub fn run(bytes: &[u8]) {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    match which % 4 {
        0 => batch(bytes),
        1 => params(bytes),
        2 => varint(bytes),
        _ => refusal(bytes),
    }
}

fn within<T>(length: usize, read: impl FnOnce() -> T) -> T {
    let mut result = None;
    let cost = allocation_counter::measure(|| result = Some(read()));
    let bound = 32 * length as u64 + 4_096;
    assert!(
        cost.bytes_total <= bound,
        "W-4: {} for {length}",
        cost.bytes_total
    );
    result.unwrap()
}

fn batch(body: &[u8]) {
    let (good, fault) = within(body.len(), || fuzzing::rewrite_batch(body));
    assert_eq!(body[..good.len()], good, "read in two ways");
    assert_eq!(fault.is_none(), good.len() == body.len());
    let mut rest = body;
    let mut messages = Vec::new();
    let mut behind = 0;
    let raw = loop {
        if rest.is_empty() {
            break Ok(());
        }
        match RawFrame::take(&mut rest) {
            Ok(frame) => {
                behind = body.len() - rest.len();
                if let RawFrame::Message(message) = frame {
                    messages.push(message);
                }
            }
            Err(rule) => break Err(rule),
        }
    };
    assert_eq!(raw.is_err(), fault.is_some(), "{raw:?}, but {fault:?}");
    assert_eq!(behind, good.len());
    assert_eq!(fuzzing::messages(&good), messages, "T-14");
    if let Some(violation) = fault {
        clause(&violation, &["T-12", "T-13", "T-21", "W-2"]);
    }
}

fn params(bytes: &[u8]) {
    let ours = within(bytes.len(), || fuzzing::read_params(bytes));
    let theirs = RawParams::parse(bytes)
        .ok()
        // A list is of 1 to 16 names.
        .filter(|params| {
            params
                .protocols
                .as_ref()
                .is_none_or(|names| !names.is_empty())
        });
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) => {
            assert_eq!(ours.protocols, theirs.protocols);
            assert_eq!(ours.max_message, theirs.max_message.unwrap_or(16 << 20));
            assert_eq!(ours.idle_ms, theirs.idle_timeout.unwrap_or(0));
            let first = bytes.first().copied().unwrap_or_default();
            let written = ours.write(first);
            assert_eq!(fuzzing::read_params(&written).as_ref(), Ok(&ours));
            let hash = [first; 32];
            let again = RawParams::parse(&written).expect("H-20");
            assert!(again.has_never_assigned(&hash), "H-21");
        }
        (Err(violation), None) => clause(&violation, &["H-20", "W-2"]),
        (ours, theirs) => panic!("{ours:?}, but {theirs:?}"),
    }
}

fn varint(bytes: &[u8]) {
    let mut rest = bytes;
    match (fuzzing::rewrite_varint(bytes), take_varint(&mut rest)) {
        (Ok((value, written, used)), Ok(other)) => {
            assert_eq!(value, other);
            assert_eq!(bytes[..used], written, "W-2");
            assert_eq!(used, bytes.len() - rest.len());
        }
        (Err(violation), Err(_)) => clause(&violation, &["W-2"]),
        (ours, theirs) => panic!("{ours:?}, but {theirs:?}"),
    }
}

fn refusal(bytes: &[u8]) {
    let again = within(bytes.len(), || fuzzing::rewrite_refusal(bytes));
    let legal =
        bytes.first() == Some(&1) && (4..=97).contains(&bytes.len()) && bytes.len() % 3 == 1;
    assert_eq!(again.is_some(), legal, "W-9");
    assert!(again.is_none_or(|again| again == bytes));
}

fn clause(violation: &Violation, clauses: &[&str]) {
    assert!(clauses.contains(&violation.clause()), "{violation}");
}
