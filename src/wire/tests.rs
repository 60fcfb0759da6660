use super::{
    Code, Frame, Hello, HelloFault, Kind, Offer, Params, Refusal, Violation, next_message,
    short_message_head,
};
use super::{record_length, split_kind, varint};

fn frames() -> Vec<Frame<'static>> {
    let (code, reason) = (Code::application(1), "done");
    vec![
        Frame::Params(b"abc"),
        Frame::Message(b""),
        Frame::Message(&[7; 300]),
        Frame::End {
            sent: 3,
            code,
            reason,
        },
        Frame::Receipt { taken: 300 },
        Frame::Abort { code, reason },
        Frame::Ping(*b"12345678"),
        Frame::Pong(*b"87654321"),
        Frame::Rekey,
        Frame::ReceiptRequest,
        Frame::Drain {
            milliseconds: 30_000,
        },
        Frame::FinalReceipt { taken: 0 },
        Frame::Stop {
            taken: u64::MAX >> 1,
        },
        Frame::Discard,
        Frame::Padding { zeros: 5 },
    ]
}

#[test]
fn every_frame_reads_back_as_written() {
    // spec: T-12
    let mut body = Vec::new();
    for frame in frames() {
        frame.put(&mut body);
    }
    let mut input = body.as_slice();
    for frame in frames() {
        assert_eq!(Frame::take(&mut input), Ok(frame));
    }
    assert!(input.is_empty());
}

#[test]
fn a_frame_cut_anywhere_is_a_violation() {
    // spec: T-12
    for frame in frames() {
        let mut body = Vec::new();
        frame.put(&mut body);
        if matches!(frame, Frame::Padding { .. }) {
            continue;
        }
        for cut in 0..body.len() {
            assert!(
                Frame::take(&mut &body[..cut]).is_err(),
                "{frame:?} at {cut}"
            );
        }
    }
}

#[test]
fn unknown_types_and_padding_that_is_not_zero_are_violations() {
    // spec: T-12, T-13
    for kind in [3_u8].into_iter().chain(0x0f..=0xff) {
        let clause = Frame::take(&mut [kind, 0, 0].as_slice()).unwrap_err();
        assert_eq!(clause.clause(), "T-12");
    }
    let fault = Frame::take(&mut [0, 0, 1].as_slice()).unwrap_err();
    assert_eq!(fault.clause(), "T-13");
}

#[test]
fn numbers_are_minimal_and_of_at_most_nine_bytes() {
    // spec: W-2
    for value in [
        0,
        1,
        0x7f,
        0x80,
        0x3fff,
        0x4000,
        varint::MAX - 1,
        varint::MAX,
    ] {
        let mut out = Vec::new();
        varint::put(value, &mut out);
        assert!(out.len() <= 9);
        assert_eq!(varint::take(&mut out.as_slice()), Ok(value));
    }
    for wrong in [
        &[][..],
        &[0x80],
        &[0x80, 0],
        &[0xff, 0x80, 0],
        &[0xff; 9],
        &[0x80; 10],
    ] {
        assert_eq!(varint::take(&mut &*wrong).unwrap_err().clause(), "W-2");
    }
}

#[test]
fn a_reason_is_utf8_of_at_most_256_bytes() {
    // spec: T-21
    let mut out = Vec::new();
    let long = "ä".repeat(200);
    Frame::Abort {
        code: Code::NONE,
        reason: &long,
    }
    .put(&mut out);
    let Ok(Frame::Abort { reason, .. }) = Frame::take(&mut out.as_slice()) else {
        panic!("no abort");
    };
    assert_eq!(reason, "ä".repeat(128));
    let mut long = vec![6, 0, 0x81, 2];
    long.extend_from_slice(&[b'a'; 257]);
    let wide = [6, 0x80, 0x80, 0x80, 0x80, 0x10, 0];
    for wrong in [&long[..], &[6, 0, 1, 0xff], &wide] {
        assert_eq!(Frame::take(&mut &*wrong).unwrap_err().clause(), "T-21");
    }
}

#[test]
fn messages_are_found_between_control_frames() {
    let mut body = Vec::new();
    for frame in frames() {
        frame.put(&mut body);
    }
    let mut input = body.as_slice();
    assert_eq!(next_message(&mut input), Some(&b""[..]));
    assert_eq!(next_message(&mut input), Some(&[7; 300][..]));
    assert_eq!(next_message(&mut input), None);
}

#[test]
fn a_hello_is_judged_by_its_first_difference() {
    // spec: W-7, W-8
    let hello = Hello {
        offer: Offer::new(4, 17),
    };
    assert_eq!(hello.bytes(), *b"duo\x01\x04\x11\0\0");
    assert_eq!(Hello::judge(hello.bytes()), Ok(hello));
    assert_eq!(Hello::judge(*b"GET / HT"), Err(HelloFault::NotOurs));
    for at in [3, 6, 7] {
        let mut bytes = hello.bytes();
        bytes[at] ^= 2;
        assert!(
            matches!(Hello::judge(bytes), Err(HelloFault::Foreign(_))),
            "{at}"
        );
    }
}

#[test]
fn a_refusal_reads_back_and_its_length_is_checked() {
    // spec: W-9, W-10
    let refusal = Refusal::new((0..40).map(|pattern| Offer::new(1, pattern)));
    let mut out = Vec::new();
    refusal.put(&mut out);
    assert_eq!(out.len(), 97);
    assert_eq!(Refusal::take(&out), Some(refusal));
    for wrong in [&[1][..], &[1, 2, 3], &[0, 1, 1, 1], &[1; 5], &[1; 100]] {
        assert_eq!(Refusal::take(wrong), None);
    }
}

#[test]
fn parameters_read_back_for_every_hash() {
    // spec: H-20, H-21
    let params = Params {
        protocols: Some(vec!["chat/2".to_owned(), "chat/1".to_owned()]),
        max_message: 5,
        idle_ms: 0,
    };
    for first in 0..=255 {
        let mut out = Vec::new();
        params.put(first, &mut out);
        assert_eq!(Params::take(&out), Ok(params.clone()));
    }
}

#[test]
fn parameters_out_of_range_are_violations() {
    // spec: H-20
    let name = |length: usize| {
        let mut value = vec![
            1,
            u8::try_from(length + 1).unwrap(),
            u8::try_from(length).unwrap(),
        ];
        value.extend(vec![b'a'; length]);
        value
    };
    assert!(Params::take(&name(64)).is_ok());
    let many = [vec![1, 34], [1, b'a'].repeat(17)].concat();
    let idle = |ms: u64| {
        let mut value = Vec::new();
        varint::put(ms, &mut value);
        [vec![3, u8::try_from(value.len()).unwrap()], value].concat()
    };
    for right in [0, 1_000, 1 << 32] {
        assert!(Params::take(&idle(right)).is_ok());
    }
    for wrong in [
        name(65),
        many,
        vec![1, 0],
        vec![1, 2, 1, 0xff],
        vec![1, 1, 0],
        vec![1, 1, 2],
        vec![2, 1, 0],
        vec![2, 2, 1, 1],
        vec![2, 0],
        vec![2, 1, 1, 2, 1, 1],
        vec![0x40, 0, 0x40, 0],
        vec![0x41, 2, 0],
        idle(999),
        idle((1 << 32) + 1),
        vec![2, 9, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
    ] {
        assert!(Params::take(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn record_lengths_are_judged_before_their_bodies() {
    // spec: T-1, H-18
    for length in 0..=u16::MAX {
        let head = length.to_be_bytes();
        let usual = record_length(&head, 65_519);
        assert_eq!(usual.is_ok(), length >= 17, "{length}");
        let early = record_length(&head, 4_096);
        assert_eq!(early.is_ok(), (17..=4_112).contains(&length), "{length}");
    }
    assert_eq!(record_length(&[0], 65_519), Ok(None));
    let broken = |length: u16| record_length(&length.to_be_bytes(), 4_096).unwrap_err();
    assert_eq!(
        (broken(16).clause(), broken(4_113).clause()),
        ("T-1", "H-18")
    );
}

#[test]
fn a_violation_tells_a_person_its_clause() {
    // spec: T-20
    let padding = Violation::new("T-13", "padding that is not zero");
    assert_eq!(
        padding.to_string(),
        "padding that is not zero (clause T-13)"
    );
    assert!(Violation::too_large().to_string().ends_with("(clause T-8)"));
}

#[test]
fn the_last_byte_says_what_the_body_is() {
    // spec: T-5, T-6
    assert_eq!(split_kind(&[9, 0]), Ok((&[9][..], Kind::Batch)));
    assert_eq!(split_kind(&[1]), Ok((&[][..], Kind::Message)));
    assert_eq!(split_kind(&[9, 2]), Ok((&[9][..], Kind::Piece)));
    for wrong in [&[][..], &[0], &[2], &[9, 3], &[9, 255]] {
        assert!(split_kind(wrong).is_err());
    }
}

#[test]
fn the_head_of_a_short_message_is_that_of_its_frame() {
    for length in [0, 1, 127, 128, 255, 256, 4_095, 16_383] {
        let message = vec![7; length];
        let mut frame = Vec::new();
        Frame::Message(&message).put(&mut frame);
        let (head, width) = short_message_head(length);
        assert_eq!(frame[..frame.len() - length], head[..width], "{length}");
    }
}
