//! Bytes that are judged by themselves: varints, hellos, answers, plaintexts and parameters.

use super::{
    file::{Body, Hex, Vector},
    script::batch,
    shaken::with_length,
};
use crate::wire::{Code, Frame, Params, Refusal, put_varint};

pub(super) fn vectors() -> Vec<Vector> {
    [varints(), hellos(), answers(), plaintexts(), parameters()].concat()
}

fn varints() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let numbers = [
        0,
        1,
        127,
        128,
        16_383,
        16_384,
        u64::from(u32::MAX),
        (1 << 56) - 1,
        1 << 56,
    ];
    for value in numbers.into_iter().chain([u64::MAX >> 1]) {
        let mut bytes = Vec::new();
        put_varint(value, &mut bytes);
        let body = Body::Varint {
            bytes: Hex(bytes),
            value: Some(value),
        };
        vectors.push(Vector::new(format!("varint {value}"), "W-2", body));
    }
    let ten = [[0x80; 9].as_slice(), &[1]].concat();
    for (name, bytes) in [
        ("varint of 0 in two bytes", &[0x80, 0][..]),
        (
            "varint of 1 in nine bytes",
            &[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
        ),
        ("varint of ten bytes", &ten),
        ("varint that only goes on", &[0xff; 9]),
        ("varint cut off", &[0xff, 0x80]),
        ("varint of no byte", &[]),
    ] {
        let body = Body::Varint {
            bytes: Hex::of(bytes),
            value: None,
        };
        vectors.push(Vector::new(name, "W-2", body));
    }
    vectors
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn hellos() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, length, hello, answer) in [
        ("hello of XX", 8 + 32_u16, b"duo\x01\x01\x00\0\0", "proceed"),
        ("hello of XK", 8 + 48, b"duo\x01\x02\x01\0\0", "proceed"),
        ("hello of XXpsk0", 8 + 48, b"duo\x01\x01\x10\0\0", "proceed"),
        (
            "hello of XKhfs",
            8 + 1_248,
            b"duo\x01\x03\x01\0\0",
            "proceed",
        ),
        (
            "hello of XXhfs+psk0",
            8 + 1_248,
            b"duo\x01\x04\x10\0\0",
            "proceed",
        ),
        (
            "hello with a length of another pattern",
            8 + 48,
            b"duo\x01\x01\x00\0\0",
            "close",
        ),
        (
            "hello a byte too long",
            8 + 33,
            b"duo\x01\x01\x00\0\0",
            "close",
        ),
        ("hello with no length", 0, b"duo\x01\x01\x00\0\0", "close"),
        (
            "hello of version 0",
            40,
            b"duo\x00\x01\x00\0\0",
            "refusal_list",
        ),
        (
            "hello of version 2",
            40,
            b"duo\x02\x01\x00\0\0",
            "refusal_list",
        ),
        (
            "hello of version 2 and another length",
            9,
            b"duo\x02\x01\x00\0\0",
            "refusal_list",
        ),
        (
            "hello of suite 0",
            40,
            b"duo\x01\x00\x00\0\0",
            "refusal_list",
        ),
        (
            "hello of suite 5",
            40,
            b"duo\x01\x05\x00\0\0",
            "refusal_list",
        ),
        (
            "hello of pattern 2",
            40,
            b"duo\x01\x01\x02\0\0",
            "refusal_list",
        ),
        (
            "hello of pattern 18",
            40,
            b"duo\x01\x01\x12\0\0",
            "refusal_list",
        ),
        (
            "hello with its first reserved byte",
            40,
            b"duo\x01\x01\x00\x01\0",
            "refusal_list",
        ),
        (
            "hello with its last reserved byte",
            40,
            b"duo\x01\x01\x00\0\x01",
            "refusal_list",
        ),
        ("hello of another protocol", 40, b"GET / HT", "close"),
        ("hello in capitals", 40, b"DUO\x01\x01\x00\0\0", "close"),
    ] {
        let body = Body::Hello {
            bytes: Hex([length.to_be_bytes().as_slice(), hello].concat()),
            answer: answer.to_owned(),
        };
        vectors.push(Vector::new(name, "W-8", body));
    }
    vectors
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn answers() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let list = |count: usize| [&[1], [1, 3, 0].repeat(count).as_slice()].concat();
    let second = |status: u8, size: usize| [&[status], vec![9; size].as_slice()].concat();
    for (name, suite, pattern, body, answer) in [
        ("message 2 of XX", 1, 0, second(0, 96), "proceed"),
        ("message 2 of XKhfs", 4, 1, second(0, 1_152), "proceed"),
        ("message 2 a byte too short", 1, 0, second(0, 95), "end"),
        ("message 2 a byte too long", 1, 0, second(0, 97), "end"),
        ("message 2 of another pattern", 1, 1, second(0, 96), "end"),
        (
            "message 2 with the status of a list",
            1,
            0,
            second(1, 97),
            "end",
        ),
        ("answer of an unknown status", 1, 0, second(2, 96), "end"),
        ("answer of no byte", 1, 0, Vec::new(), "end"),
        ("refusal list of one", 1, 0, list(1), "refused"),
        ("refusal list of 32", 3, 0, list(32), "refused"),
        ("refusal list of none", 1, 0, list(0), "end"),
        ("refusal list of 33", 1, 0, list(33), "end"),
        (
            "refusal list cut in a triple",
            1,
            0,
            list(2)[..6].to_vec(),
            "end",
        ),
        (
            "refusal list with the status of message 2",
            1,
            0,
            [&[0], &list(1)[1..]].concat(),
            "end",
        ),
    ] {
        let body = Body::Answer {
            suite,
            pattern,
            bytes: Hex(with_length(&body)),
            answer: answer.to_owned(),
        };
        vectors.push(Vector::new(name, "W-10", body));
    }
    let takes = [
        crate::wire::Offer::new(1, 0),
        crate::wire::Offer::new(4, 17),
    ];
    let mut body = Vec::new();
    Refusal::new(takes).put(&mut body);
    let body = Body::Answer {
        suite: 3,
        pattern: 1,
        bytes: Hex(with_length(&body)),
        answer: "refused".to_owned(),
    };
    vectors.push(Vector::new(
        "refusal list of this implementation",
        "W-9",
        body,
    ));
    vectors
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn plaintexts() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let longest = "r".repeat(256);
    let code = Code::application(u32::MAX - 256);
    let end = Frame::End {
        sent: u64::MAX >> 1,
        code,
        reason: &longest,
    };
    let abort = Frame::Abort {
        code: Code::NONE,
        reason: "",
    };
    for (name, clause, bytes) in [
        ("empty message record", "T-5", vec![1]),
        ("message record", "T-5", b"message\x01".to_vec()),
        ("piece of one byte", "T-5", b"p\x02".to_vec()),
        (
            "PADDING of one byte",
            "T-13",
            batch(&[Frame::Padding { zeros: 0 }]),
        ),
        ("PADDING", "T-13", batch(&[Frame::Padding { zeros: 9 }])),
        ("PARAMS", "T-12", batch(&[Frame::Params(b"\x02\x01\x09")])),
        ("empty MESSAGE", "T-14", batch(&[Frame::Message(b"")])),
        (
            "MESSAGEs in a batch",
            "T-14",
            batch(&[Frame::Message(b"one"), Frame::Message(b"two")]),
        ),
        ("END with the largest fields", "T-21", batch(&[end])),
        ("RECEIPT", "T-16", batch(&[Frame::Receipt { taken: 300 }])),
        ("ABORT with the least fields", "T-21", batch(&[abort])),
        ("PING", "T-15", batch(&[Frame::Ping(*b"12345678")])),
        ("PONG", "T-15", batch(&[Frame::Pong(*b"12345678")])),
        ("REKEY", "T-10", batch(&[Frame::Rekey])),
        ("RECEIPT_REQUEST", "T-17", batch(&[Frame::ReceiptRequest])),
        (
            "DRAIN",
            "T-18",
            batch(&[Frame::Drain {
                milliseconds: 30_000,
            }]),
        ),
        (
            "FINAL_RECEIPT",
            "E-6",
            batch(&[Frame::FinalReceipt { taken: 128 }]),
        ),
        ("STOP", "E-4", batch(&[Frame::Stop { taken: 127 }])),
        ("DISCARD", "T-19", batch(&[Frame::Discard])),
    ] {
        let body = Body::Plaintext {
            bytes: Hex(bytes),
            error: None,
        };
        vectors.push(Vector::new(name, clause, body));
    }
    for (name, clause, bytes) in [
        ("unknown kind", "T-6", &[1, 3][..]),
        ("the largest kind", "T-6", &[1, 0xff]),
        ("batch without a frame", "T-6", &[0]),
        ("empty piece", "T-6", &[2]),
        ("frame of an unknown type", "T-12", &[0x0f, 0]),
        ("frame kept for later", "T-12", &[0x20, 0]),
        ("length beyond the body", "T-12", &[2, 9, 1, 0]),
        (
            "huge length",
            "T-12",
            &[2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0],
        ),
        ("PING cut off", "T-12", &[7, 1, 2, 0]),
        ("END cut off", "W-2", &[4, 1, 0, 0]),
        ("PADDING that is not zero", "T-13", &[0, 0, 1, 0]),
        (
            "number longer than needed in a frame",
            "W-2",
            &[5, 0x80, 0, 0],
        ),
        ("reason that is not UTF-8", "T-21", &[6, 0, 1, 0xff, 0]),
    ] {
        let body = Body::Plaintext {
            bytes: Hex::of(bytes),
            error: Some("violation".to_owned()),
        };
        vectors.push(Vector::new(name, clause, body));
    }
    vectors
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn parameters() -> Vec<Vector> {
    let mut vectors = Vec::new();
    let longest = "n".repeat(64);
    let names = (0..15).map(|number| format!("name/{number}"));
    let most = Params {
        protocols: Some(names.chain([longest]).collect()),
        max_message: 1 << 62,
        idle_ms: 1 << 32,
    };
    for first in [0x00, 0x3f, 0xff] {
        let mut bytes = Vec::new();
        most.put(first, &mut bytes);
        let body = Body::Params {
            bytes: Hex(bytes),
            error: None,
        };
        let name = format!("parameters for a hash that begins with {first:#04x}");
        vectors.push(Vector::new(name, "H-21", body));
    }
    for (name, bytes) in [
        ("no parameters", &[][..]),
        (
            "unknown parameters",
            &[0x40, 0, 0x7f, 2, 1, 2, 0x80, 0x01, 0],
        ),
        ("least parameters", &[2, 1, 1, 3, 2, 0xe8, 0x07]),
        ("no idle timeout", &[3, 1, 0]),
    ] {
        let body = Body::Params {
            bytes: Hex::of(bytes),
            error: None,
        };
        vectors.push(Vector::new(name, "H-20", body));
    }
    let long = [&[1, 66, 65], [b'n'; 65].as_slice()].concat();
    let many = [&[1, 34], [1, b'n'].repeat(17).as_slice()].concat();
    let huge = [2, 9, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    for (name, clause, bytes) in [
        ("parameter without a length", "W-2", &[2][..]),
        ("max_message of no byte", "W-2", &[2, 0]),
        ("parameter twice", "H-20", &[2, 1, 9, 2, 1, 9]),
        (
            "unknown parameter twice",
            "H-20",
            &[0x50, 0, 2, 1, 9, 0x50, 0],
        ),
        ("parameter cut off", "H-20", &[2, 2, 9]),
        ("parameter with bytes left over", "H-20", &[2, 2, 9, 9]),
        ("max_message of 0", "H-20", &[2, 1, 0]),
        ("max_message above 2^62", "H-20", &huge),
        ("idle_timeout of 999", "H-20", &[3, 2, 0xe7, 0x07]),
        (
            "idle_timeout above 2^32",
            "H-20",
            &[3, 5, 0x81, 0x80, 0x80, 0x80, 0x10],
        ),
        ("list of no protocol", "H-20", &[1, 0]),
        ("protocol of no byte", "H-20", &[1, 1, 0]),
        ("protocol of 65 bytes", "H-20", &long),
        ("17 protocols", "H-20", &many),
        ("protocol cut off", "H-20", &[1, 2, 2, b'n']),
        ("protocol that is not UTF-8", "H-20", &[1, 2, 1, 0xff]),
    ] {
        let body = Body::Params {
            bytes: Hex::of(bytes),
            error: Some("violation".to_owned()),
        };
        vectors.push(Vector::new(name, clause, body));
    }
    vectors
}
