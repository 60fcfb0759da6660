//! The opener on a stream of valid records that was changed on its way (threat: 20 to 30; spec: T-1 to T-4, W-5).
//!
//! Input: cipher, messages, what happens to the stream, sizes of reads. Asserted:
//! - what is delivered is a prefix of what was sent, and all of it when nothing was changed;
//! - a stream changed before its end fails, with the cause of its kind, and nothing comes behind it;
//! - all of it is the same however the stream is cut into reads;
//! - a body is never waited for, nor paid for, beyond what the length allows (W-4).

use std::time::Instant;

use duologue::{Cause, Config, proto::Processed};

use crate::{
    input::{Input, cut},
    known::{Base, bring},
    raw_peer::{RawFrame, RawRecord, wire::with_length},
};

/// Held beside twice the stream: queue, buffers and what a cipher is made of.
const SPARE: u64 = 64 * 1024;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let base = Base::read(&mut input).keyed_by(bytes);
    let config = base.config();
    let mut mouth = base.mouth();
    let mut records = Vec::new();
    let mut messages = Vec::new();
    let mut pieces = Vec::new();
    for _record in 0..input.choice(16) {
        let kind = input.choice(4);
        let message = input.chunk().to_vec();
        let record = match kind {
            0 => RawRecord::Batch(vec![RawFrame::Message(message.clone())]),
            1 | 2 => RawRecord::Message(message.clone()),
            _ => RawRecord::Piece(vec![message.len() as u8; 1_024]),
        };
        let record = match record {
            // Between pieces only the last piece may stand.
            RawRecord::Batch(_) if !pieces.is_empty() => RawRecord::Message(message.clone()),
            other => other,
        };
        match &record {
            RawRecord::Piece(piece) => pieces.extend_from_slice(piece),
            _ => messages.push([core::mem::take(&mut pieces), message].concat()),
        }
        records.push(with_length(&mouth.encrypt(&[], &record.encode())));
    }
    let honest = records.concat();
    change(&mut input, &mut records);
    let mut stream = records.concat();
    scratch(&mut input, &mut stream);
    let reads = input.chunk();

    let (whole, cause) = receive(base, &config, &stream, &[]);
    let (parted, also) = receive(base, &config, &stream, reads);
    assert!(whole == parted, "W-5");
    assert_eq!(cause, also, "W-5");
    assert!(
        messages.starts_with(&whole),
        "T-4: delivered what was not sent"
    );
    if honest.starts_with(&stream) {
        assert_eq!(cause, Cause::TransportEnded, "E-10");
        assert!(stream != honest || whole == messages, "T-14");
        return;
    }
    match cause {
        // What was put behind the honest stream is cut off, or what is left of it is not a whole record.
        Cause::BadRecord | Cause::TransportEnded => {}
        Cause::Violation(violation) => assert_eq!(violation.clause(), "T-1", "{violation}"),
        other => panic!("{other:?}"),
    }
}

/// Whole records lost, doubled, moved.
fn change(input: &mut Input<'_>, records: &mut Vec<Vec<u8>>) {
    for _step in 0..input.choice(4) {
        if records.is_empty() {
            return;
        }
        let (deed, one, other) = (
            input.choice(3),
            input.choice(records.len()),
            input.choice(records.len()),
        );
        match deed {
            0 => {
                records.remove(one);
            }
            1 => records.insert(other, records[one].clone()),
            _ => records.swap(one, other),
        }
    }
}

/// Bytes changed, lost, added.
fn scratch(input: &mut Input<'_>, stream: &mut Vec<u8>) {
    for _step in 0..input.choice(4) {
        let deed = input.choice(4);
        let at = usize::from(input.number()) % (stream.len() + 1);
        match deed {
            0 => {
                if let Some(byte) = stream.get_mut(at) {
                    *byte ^= 1 << input.choice(8);
                }
            }
            1 => stream.truncate(at),
            2 => {
                let more = input.chunk().to_vec();
                stream.splice(at..at, more);
            }
            _ => {
                let end = (at + usize::from(input.byte())).min(stream.len());
                stream.drain(at..end);
            }
        }
    }
}

fn receive(base: Base, config: &Config, stream: &[u8], reads: &[u8]) -> (Vec<Vec<u8>>, Cause) {
    let now = Instant::now();
    let mut result = None;
    let cost = allocation_counter::measure(|| {
        let mut ours = base.ours(config, 1 << 20, now);
        let mut messages = Vec::new();
        for part in cut(stream, reads) {
            if bring(&mut ours, part, now) == Processed::Ended {
                break;
            }
        }
        ours.receive.input_ended();
        assert_eq!(bring(&mut ours, &[], now), Processed::Ended);
        let cause = ours.receive.failure().expect("E-10").clone();
        while let Some(message) = ours.receive.take() {
            messages.push(message.to_vec());
        }
        assert_eq!(ours.receive.arrived_count(), messages.len() as u64);
        // Final: whatever comes now, nothing comes of it.
        assert_eq!(bring(&mut ours, stream, now), Processed::Ended, "T-4");
        assert_eq!(ours.receive.failure(), Some(&cause), "T-4");
        assert_eq!(ours.receive.take(), None, "T-4");
        result = Some((messages, cause));
    });
    let bound = 8 * stream.len() as u64 + SPARE;
    assert!(
        cost.bytes_max <= bound,
        "W-4: {} of {bound}",
        cost.bytes_max
    );
    result.unwrap()
}
