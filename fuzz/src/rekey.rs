//! New keys in both directions, at any time (threat: 26, 27; spec: T-2, T-10, T-11, L-1).
//!
//! Input: cipher, rekeying limits, then steps: messages of ours, an asked-for new key, time, and records
//! and REKEYs of the peer, some with what may not stand behind one. Asserted:
//! - the independent cipher, which knows the rules alone, opens every record of ours (T-2, T-10),
//!   and what a new key costs is within the progress budget (L-2);
//! - no key of ours seals more records than configured, as far as the progress budget lets us change it,
//!   and never more than the protocol's limit (T-11);
//! - we follow each new key of the peer, and only when it was announced in a legal way; a counter that
//!   starts anew, or a key that was not announced, does not open;
//! - REKEYs beyond the budget end the session; all messages before are delivered.

use std::time::{Duration, Instant};

use duologue::{
    Cause,
    proto::{Offered, Processed, Progress},
};

use crate::{
    input::Input,
    known::{Base, answer, bring},
    raw_peer::{RawFrame, RawRecord, wire::with_length},
};

const STEPS: usize = 300;
/// The greatest credit (spec: L-1).
const CREDIT: u32 = 32;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let base = Base::read(&mut input);
    let records = 1 + u64::from(input.byte());
    let amount = 1 << input.choice(24);
    let age = Duration::from_secs(1 + u64::from(input.byte()));
    let config = base.config().rekey_after(records, amount, age);
    let mut now = Instant::now();
    let mut ours = base.ours(&config, 1 << 20, now);
    let (mut ear, mut mouth) = (base.ear(), base.mouth());
    let (mut sent, mut expected) = (Vec::new(), 0_usize);
    // The peer's account with us (L-1), and what must become of its direction.
    let (mut credit, mut fails) = (CREDIT, None);
    for _step in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let deed = input.byte();
        match deed {
            0..=79 => {
                let length = usize::from(input.number()) * if deed < 70 { 1 } else { 4 };
                let message = vec![deed; length];
                let mut progress = Progress::default();
                while ours.send.offer(&message, &mut progress, now) == Ok(Offered::Full) {
                    ear.hear(&mut ours.send);
                }
                sent.push(message);
                if deed & 1 == 1 {
                    ours.send.flush(now).unwrap();
                    ear.hear(&mut ours.send);
                }
            }
            80..=99 => ours.send.rekey_now(now).unwrap(),
            100..=119 => {
                let passed = u32::from(input.byte());
                now += Duration::from_secs(passed.into());
                credit = (credit + passed).min(CREDIT);
                ear.pass(passed);
            }
            _ if fails.is_some() => {}
            120..=199 => {
                let record = RawRecord::Message(vec![deed; usize::from(input.byte())]);
                let body = mouth.encrypt(&[], &record.encode());
                credit = (credit + 1).min(CREDIT);
                expected += 1;
                assert_eq!(
                    bring(&mut ours, &with_length(&body), now),
                    Processed::NeedInput
                );
            }
            200..=239 => {
                let (body, legal) = announce(&mut mouth, &mut input);
                let paid = credit > 0;
                credit = credit.saturating_sub(1);
                if !(legal && paid) {
                    fails = Some("violation");
                }
                let _ended = bring(&mut ours, &with_length(&body), now);
            }
            _ => {
                // Not announced, or a counter that does not go on.
                match deed & 3 {
                    0 => mouth.rekey(),
                    1 => mouth.counter = mouth.counter.wrapping_add(1),
                    2 => mouth.counter = mouth.counter.wrapping_sub(1),
                    _ => mouth.key[0] ^= 1,
                }
                let body = mouth.encrypt(&[], &RawRecord::Message(Vec::new()).encode());
                let _ended = bring(&mut ours, &with_length(&body), now);
                fails = Some("bad record");
            }
        }
        while let Some(message) = ours.receive.take() {
            assert!(message.len() < 256);
        }
        assert_eq!(ours.receive.taken_count(), expected as u64, "T-20");
        match (ours.receive.failure(), fails) {
            (None, None) => {}
            (Some(Cause::Violation(_)), Some("violation")) => break,
            (Some(Cause::BadRecord), Some("bad record")) => break,
            (failure, fails) => panic!("{failure:?}, not {fails:?}"),
        }
        ear.hear(&mut ours.send);
        // Beyond the configured limit a key is used only while half of the credit is spent: the rest is for
        // what cannot wait.
        let late = ear.records > records.max(2);
        let poor = ear.before.iter().any(|credit| *credit <= CREDIT / 2);
        assert!(!late || poor, "T-11: {} records under one key", ear.records);
        assert!(ear.records < 1 << 20, "T-11");
    }
    answer(&mut ours, now);
    ear.hear(&mut ours.send);
    // What was not sealed when the session failed is dropped.
    let whole = sent.starts_with(&ear.heard.messages);
    let all = fails.is_some() || ear.heard.messages.len() == sent.len();
    assert!(whole && all, "T-14");
    assert_eq!(ear.heard.abort.is_some(), fails.is_some(), "T-20");
}

/// A record with REKEY in it; whether what stands beside it is legal.
fn announce(
    mouth: &mut crate::raw_peer::symmetric::RawCipher,
    input: &mut Input<'_>,
) -> (Vec<u8>, bool) {
    let beside = input.choice(8);
    let frames = match beside {
        0..=4 => vec![RawFrame::Rekey],
        5 => vec![
            RawFrame::Rekey,
            RawFrame::Padding(usize::from(input.byte())),
        ],
        6 => vec![RawFrame::Rekey, RawFrame::Rekey],
        _ => vec![RawFrame::Rekey, RawFrame::Message(Vec::new())],
    };
    let body = mouth.encrypt(&[], &RawRecord::Batch(frames).encode());
    mouth.rekey();
    (body, beside <= 5)
}
