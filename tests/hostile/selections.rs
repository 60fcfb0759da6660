//! Records dropped, doubled and exchanged: every ordered selection but the right one.

use super::*;
use crate::raw_peer::RawRecord;

const RECORDS: usize = 8;
/// Each record may come once more.
const TIMES: usize = 2;

struct Tree {
    used: [usize; RECORDS],
    length: usize,
    tried: u64,
}

impl Tree {
    /// A selection that went wrong is not made right by anything behind it: every continuation fails too.
    fn continue_wrong(&mut self, channel: &mut Channel, records: &[Vec<u8>]) {
        self.tried += 1;
        if self.length == RECORDS {
            return;
        }
        for next in 0..RECORDS {
            if self.used[next] == TIMES {
                continue;
            }
            assert_eq!(process(channel, &records[next]), Processed::Ended);
            // What was fed to a path that has failed stays there.
            channel.receive.input().clear();
            self.used[next] += 1;
            self.length += 1;
            self.continue_wrong(channel, records);
            self.used[next] -= 1;
            self.length -= 1;
        }
    }
}

#[test]
fn every_selection_of_records_but_the_right_one_fails() {
    // spec: T-2, T-4; threat: 38, 39, 40
    let mut tried = 0;
    // The right beginning of each length, and then each record but the right one.
    for good in 0..RECORDS {
        for wrong in (0..RECORDS).filter(|wrong| *wrong != good) {
            let (mut channel, mut raw) = established();
            let records: Vec<_> = (0..RECORDS)
                .map(|number| raw.seal(&RawRecord::Message(vec![number as u8])))
                .collect();
            let mut used = [0; RECORDS];
            for number in 0..good {
                assert_eq!(
                    process(&mut channel, &records[number]),
                    Processed::NeedInput
                );
                used[number] = 1;
            }
            assert_eq!(process(&mut channel, &records[wrong]), Processed::Ended);
            channel.receive.input().clear();
            used[wrong] += 1;
            let length = good + 1;
            let mut tree = Tree {
                used,
                length,
                tried: 0,
            };
            tree.continue_wrong(&mut channel, &records);
            tried += tree.tried;
            // Exactly the right beginning is delivered.
            let mut taken = 0;
            while let Some(message) = channel.receive.take() {
                assert_eq!(*message, [taken]);
                taken += 1;
            }
            assert_eq!(usize::from(taken), good);
            assert_eq!(channel.receive.failure(), Some(&Cause::BadRecord));
        }
    }
    report("selections of records", tried);
}

#[test]
fn our_own_records_are_not_taken_from_the_peer() {
    // spec: H-11; threat: 16, 39
    let (mut channel, _raw) = established();
    let now = Instant::now();
    let mut progress = duologue::proto::Progress::default();
    let _whole = channel.send.offer(b"said", &mut progress, now).unwrap();
    channel.send.flush(now).unwrap();
    let echo = channel.send.pending().to_vec();
    assert!(!echo.is_empty());
    assert_eq!(process(&mut channel, &echo), Processed::Ended);
    assert_eq!(channel.receive.failure(), Some(&Cause::BadRecord));
}
