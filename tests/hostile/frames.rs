//! Every frame type and every record kind, in every state (spec: section 8).

use super::*;
use crate::raw_peer::RawRecord;

/// Where a session stands when the frame under test comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Open,
    Pieces,
    Stopped,
    Drained,
    Pinged,
    /// The peer has ended its direction.
    Ended,
    EndedAndStopped,
    /// We have ended ours.
    WeEnded,
    WeEndedPieces,
    BothEnded,
    /// The peer has confirmed our end, and not ended its own.
    Confirmed,
    Aborted,
}

impl State {
    const ALL: [Self; 12] = [
        Self::Open,
        Self::Pieces,
        Self::Stopped,
        Self::Drained,
        Self::Pinged,
        Self::Ended,
        Self::EndedAndStopped,
        Self::WeEnded,
        Self::WeEndedPieces,
        Self::BothEnded,
        Self::Confirmed,
        Self::Aborted,
    ];

    const fn peer_ended(self) -> bool {
        matches!(self, Self::Ended | Self::EndedAndStopped | Self::BothEnded)
    }

    const fn we_ended(self) -> bool {
        matches!(
            self,
            Self::WeEnded | Self::WeEndedPieces | Self::BothEnded | Self::Confirmed
        )
    }

    const fn in_pieces(self) -> bool {
        matches!(self, Self::Pieces | Self::WeEndedPieces)
    }

    /// What the peer said to bring us here.
    fn records(self) -> Vec<RawRecord> {
        let batch = |frame| RawRecord::Batch(vec![frame]);
        let end = || batch(RawFrame::End(0, 0, Vec::new()));
        match self {
            Self::Open | Self::WeEnded => vec![],
            Self::Pieces | Self::WeEndedPieces => vec![RawRecord::Piece(vec![0; 2_000])],
            Self::Stopped => vec![batch(RawFrame::Stop(0))],
            Self::Drained => vec![batch(RawFrame::Drain(9))],
            Self::Pinged => vec![batch(RawFrame::Ping([1; 8]))],
            Self::Ended | Self::BothEnded => vec![end()],
            Self::EndedAndStopped => vec![batch(RawFrame::Stop(0)), end()],
            Self::Confirmed => vec![batch(RawFrame::FinalReceipt(0))],
            Self::Aborted => vec![batch(RawFrame::Abort(0, Vec::new()))],
        }
    }

    fn enter(self) -> (Channel, RawSession) {
        let (mut channel, mut raw) = established();
        if self.we_ended() {
            channel
                .send
                .finish(duologue::Code::NONE, "", Instant::now())
                .unwrap();
        }
        for record in self.records() {
            let _came = process(&mut channel, &raw.seal(&record));
        }
        let aborted = matches!(channel.receive.failure(), Some(Cause::PeerAborted { .. }));
        assert_eq!(channel.receive.failure().is_some(), aborted);
        assert_eq!(aborted, self == Self::Aborted);
        (channel, raw)
    }

    /// Whether section 8 lets a well-formed frame of this type stand here. Nothing was sent by us, so a PONG never may.
    fn allows(self, kind: u8) -> bool {
        let open = !self.peer_ended();
        let confirmed = self == Self::Confirmed;
        let stopped = matches!(self, Self::Stopped | Self::EndedAndStopped);
        match kind {
            0x00 | 0x06 | 0x09 => true,
            0x02 => open && !self.in_pieces(),
            0x04 => open && !self.in_pieces(),
            0x05 => !confirmed,
            0x07 => self != Self::Pinged,
            0x0a => open,
            0x0b => open && self != Self::Drained,
            0x0c => self.we_ended() && !confirmed,
            0x0d => !stopped && !confirmed,
            0x0e => self.in_pieces(),
            _ => false,
        }
    }
}

/// A well-formed frame of each type that there is.
fn well_formed() -> [RawFrame; 14] {
    [
        RawFrame::Padding(3),
        RawFrame::Params(Vec::new()),
        RawFrame::Message(b"m".to_vec()),
        RawFrame::End(0, 0, Vec::new()),
        RawFrame::Receipt(0),
        RawFrame::Abort(0, Vec::new()),
        RawFrame::Ping([2; 8]),
        RawFrame::Pong([2; 8]),
        RawFrame::Rekey,
        RawFrame::ReceiptRequest,
        RawFrame::Drain(1),
        RawFrame::FinalReceipt(0),
        RawFrame::Stop(0),
        RawFrame::Discard,
    ]
}

#[test]
fn the_table_of_section_8_holds_in_every_state() {
    // spec: section 8, E-2, E-3, E-4, E-7, T-7, T-15, T-18, T-19, H-20; threat: 42, 50, 73, 74, 75
    for state in State::ALL {
        for frame in well_formed() {
            let kind = frame.encode()[0];
            let (mut channel, mut raw) = state.enter();
            let _came = process(&mut channel, &raw.seal_frames(&[frame]));
            let right = match channel.receive.failure() {
                None => state.allows(kind) && kind != 6,
                Some(Cause::PeerAborted { .. }) => kind == 6 || state == State::Aborted,
                Some(Cause::Violation(_)) => !state.allows(kind),
                Some(_) => false,
            };
            assert!(
                right,
                "{state:?} {kind:#x}: {:?}",
                channel.receive.failure()
            );
        }
        // Bare messages and pieces obey the same rules.
        for record in [
            RawRecord::Message(vec![1]),
            RawRecord::Piece(vec![1; 1_024]),
        ] {
            let (mut channel, mut raw) = state.enter();
            let _came = process(&mut channel, &raw.seal(&record));
            let fails = channel.receive.failure().is_some();
            assert_eq!(
                fails,
                state.peer_ended() || state == State::Aborted,
                "{state:?}"
            );
        }
    }
}

#[test]
fn every_frame_type_and_kind_in_every_state_is_taken_or_a_violation() {
    // spec: T-6, T-12, W-2, H-14, H-15; threat: 41, 42, 43, 50
    const FIELDS: [&[u8]; 6] = [&[], &[0], &[0; 8], &[0xff; 9], &[1, 1, 1], &[0x80, 0]];
    let mut bad = 0;
    for state in State::ALL {
        for kind in 0..=255_u8 {
            for fields in FIELDS {
                let (mut channel, mut raw) = state.enter();
                let frame = RawFrame::Raw([&[kind], fields].concat());
                let processed = process(&mut channel, &raw.seal_frames(&[frame]));
                match channel.receive.failure() {
                    None => {
                        assert_eq!(processed, Processed::NeedInput);
                        assert!(state.allows(kind), "{state:?} {kind:#x} {fields:?}");
                    }
                    Some(Cause::Violation(_)) => bad += 1,
                    Some(Cause::PeerAborted { .. }) if state == State::Aborted => bad += 1,
                    Some(Cause::PeerAborted { .. }) => assert_eq!(kind, 6),
                    Some(other) => panic!("{state:?} {kind:#x} {fields:?}: {other}"),
                }
                if kind == 3 || kind > 0x0e {
                    assert!(channel.receive.failure().is_some(), "{state:?} {kind:#x}");
                }
            }
            let (mut channel, mut raw) = state.enter();
            let _came = process(&mut channel, &raw.seal_plaintext(&[1, 0, kind]));
            let fails = channel.receive.failure().is_some();
            assert!(fails || (1..3).contains(&kind), "{state:?} kind {kind}");
            bad += u64::from(fails);
        }
    }
    report("frames and kinds", bad + before_establishment());
}

/// Record 0 of either side: anything but PARAMS or ABORT, and PADDING behind it, is a violation.
fn before_establishment() -> u64 {
    let mut bad = 0;
    let config = config().suites([duologue::Suite::AesGcm]);
    for kind in 0..=255_u8 {
        for fields in [&[][..], &[0], &[0, 0], &[1, 1, 1], &[0xff; 9]] {
            let (ours, mut raw) = at_params(&config, options(Pattern::Xx, Suite::AesGcm));
            let frame = RawFrame::Raw([&[kind], fields].concat());
            let (came, said) = feed(ours, &raw.seal_frames(&[frame]));
            match came {
                Came::Established(_) => assert_eq!(kind, 1),
                Came::Failed(HandshakeError::Aborted { .. }) => assert_eq!(kind, 6),
                Came::Failed(HandshakeError::Violation(_)) => {
                    assert!(!said.is_empty(), "one ABORT");
                    bad += 1;
                }
                Came::Failed(other) => panic!("{kind:#x}: {other}"),
                Came::Waits(_) => panic!("{kind:#x}: waits"),
            }
        }
    }
    bad
}
