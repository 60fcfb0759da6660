//! Seeds by hand: for each target inputs that reach each of its branches, so that no run begins with nothing.

use duologue::{
    PublicKey,
    codec::{Cbor, Codec, Json, Postcard},
};

use crate::raw_peer::{
    Pattern, RawFrame, RawHandshake, RawParams, Suite,
    wire::{refusal, varint, varint_of_width, with_length},
};

/// The seeds of a target.
///
/// # Panics
///
/// There is no such target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "async_io" => async_io(),
        "config" => walks(60, 12),
        "differential" => each_setup(&[&[0], &[1], &[1, 0, 2], &[0, 1]], 120),
        "frames" => frames(),
        "handshake_initiator" | "handshake_responder" => handshake(),
        "handshake_pair" => handshake_pair(),
        "hello" => hello(),
        "keys" => keys(),
        "receive_path" => walks(400, 16),
        "record" => walks(200, 16),
        "rekey" => walks(200, 16),
        "session_pair" => walks(240, 20),
        "typed" => typed(),
        other => panic!("no target {other}"),
    };
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Bytes that look like chance and are always the same.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    core::iter::repeat_with(next).take(length).collect()
}

fn walks(length: usize, count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|seed| noise(length, seed + 1)).collect()
}

/// Every suite and pattern, honest in several ways, then chance.
fn each_setup(heads: &[&[u8]], length: usize) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for setup in 0..16_u8 {
        for (at, head) in heads.iter().enumerate() {
            let tail = noise(length, u64::from(setup) * 8 + at as u64 + 1);
            seeds.push([&[setup], *head, &tail].concat());
        }
    }
    seeds
}

fn handshake() -> Vec<Vec<u8>> {
    let mut seeds = each_setup(
        &[
            &[0, 0, 0, 0],
            &[3, 2, 1, 9, 0, 0, 0, 2],
            &[1, 0, 1, 0, 0, 40, 3],
        ],
        40,
    );
    // An honest way to record 0, which holds an ABORT with this code.
    let abort = |code| [0, 1, 0, 0, 0, 1, 0, 4, 1, code, 2, b'n', b'o', 0, 0].to_vec();
    seeds.extend((0..10).map(abort));
    seeds
}

fn hello() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (setup, pattern) in (0..4_u8).flat_map(|setup| Pattern::ALL.map(|pattern| (setup, pattern)))
    {
        let suite = Suite::ALL[usize::from(setup)];
        let mut options = crate::raw_peer::Options::new(suite, pattern, [7; 32]);
        options.remote = Some(*crate::setup::our_key().as_bytes());
        options.psk = Some(crate::setup::PSK);
        let first = RawHandshake::initiator(options).write_body().unwrap();
        let at = Pattern::ALL
            .iter()
            .position(|known| *known == pattern)
            .unwrap() as u8;
        // The whole first message, with a made-up third; the hello alone; another version.
        let whole = [with_length(&first), with_length(&[5; 64])].concat();
        for stream in [
            &whole[..],
            &whole[..10],
            &[0, 9, b'd', b'u', b'o', 2, 1, 0, 0, 0],
        ] {
            seeds.push([&[setup | at << 2, 1, 2, 7, 200], stream].concat());
        }
    }
    seeds.push([&[0, 1, 0], &refusal(&[[1, 1, 0], [1, 4, 1]])[..]].concat());
    seeds.push(b"\x00\x00\x00GET / HTTP/1.1\r\n\r\n".to_vec());
    seeds
}

fn frames() -> Vec<Vec<u8>> {
    let reason = b"na\xc3\xafve".to_vec();
    let batches = [
        vec![
            RawFrame::Message(b"good morning".to_vec()),
            RawFrame::Message(Vec::new()),
        ],
        vec![
            RawFrame::End(7, 256, reason.clone()),
            RawFrame::FinalReceipt(7),
        ],
        vec![
            RawFrame::Ping([7; 8]),
            RawFrame::Pong([8; 8]),
            RawFrame::Padding(9),
        ],
        vec![
            RawFrame::Receipt(300),
            RawFrame::ReceiptRequest,
            RawFrame::Rekey,
        ],
        vec![
            RawFrame::Drain(30_000),
            RawFrame::Stop(1),
            RawFrame::Discard,
        ],
        vec![RawFrame::Abort(u64::from(u32::MAX), reason)],
        vec![RawFrame::Message(vec![1; 300])],
    ];
    let mut seeds: Vec<_> = batches
        .iter()
        .map(|batch| [vec![0], batch.iter().flat_map(RawFrame::encode).collect()].concat())
        .collect();
    let params = RawParams {
        protocols: Some(vec!["chat/1".into(), "chat/2".into()]),
        max_message: Some(1 << 62),
        idle_timeout: Some(1_000),
        others: vec![(0x77, vec![1, 2, 3])],
    };
    seeds.push([vec![1], params.encode(&[0xff; 32])].concat());
    seeds.push([vec![1], RawParams::default().encode(&[0; 32])].concat());
    for value in [0, 127, 128, 16_383, 16_384, (1 << 56) - 1, (1 << 63) - 1] {
        seeds.push([vec![2], varint(value)].concat());
        seeds.push([vec![2], varint_of_width(value, 9)].concat());
    }
    for count in [1, 32, 33] {
        seeds.push([vec![3], refusal(&vec![[1, 3, 0]; count])].concat());
    }
    seeds
}

/// Two runs of the honest play, which an attacker then changes.
fn handshake_pair() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for setup in 0..16_u8 {
        // Initiator 0 with responder 1: the first body by its number, then what was said last, in turn.
        let play = [2, 0, 1, 0, 0, 0, 1, 0, 1];
        // The same with message 3 and record 0 one after the other.
        let third = [2, 0, 1, 0, 0, 2, 3, 1, 2, 4, 1, 0, 0];
        for rest in [
            &[][..],
            &[5, 0, 0, 1, 6, 0, 2, 0, 1],
            &[7, 0, 1, 2, 4, 3, 2, 0, 3],
        ] {
            seeds.push([&[setup, setup & 1], &play[..], rest].concat());
            seeds.push([&[setup, setup & 1], &third[..], rest].concat());
        }
    }
    seeds
}

fn keys() -> Vec<Vec<u8>> {
    let key = PublicKey::from_bytes([9; 32]).to_string();
    let mut seeds = vec![
        [b"\x00", key.as_bytes()].concat(),
        [b"\x00", key.to_uppercase().as_bytes()].concat(),
        [b"\x00", key.replace("duopk", "duosk").as_bytes()].concat(),
        b"\x00duopsk1".to_vec(),
        [b"\x02\"", key.as_bytes(), b"\""].concat(),
        [&[2], &[3; 32][..]].concat(),
    ];
    seeds.extend((0..6_u8).map(|kind| [vec![1, kind % 3], noise(48, kind.into())].concat()));
    seeds
}

fn typed() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let values = (7_u64, -3_i16, Some(true), "text".to_owned());
    let texts = vec!["a".to_owned(), String::new(), "bc".to_owned()];
    for kind in 0..20 {
        let mut message = Vec::new();
        Postcard.encode(&values, &mut message).unwrap();
        seeds.push([vec![0, kind], message.clone()].concat());
        message.clear();
        Cbor.encode(&values, &mut message).unwrap();
        seeds.push([vec![1, kind], message.clone()].concat());
        message.clear();
        Json.encode(&texts, &mut message).unwrap();
        seeds.push([vec![2, kind], message].concat());
        // As many elements as there are bytes, small and empty, claimed and not.
        for byte in [0, 1] {
            let body = vec![byte; 300];
            seeds.push([&[0, kind][..], &varint(300), &body].concat());
        }
        let (array, map) = (b"\x99\x01\x2c".to_vec(), b"\xb9\x00\x96".to_vec());
        for head in [array, map, b"\x9f".to_vec()] {
            for byte in [0x80, 0x60, 0xf6, 0x01] {
                seeds.push([&[1, kind][..], &head, &[byte; 300]].concat());
            }
        }
        for element in ["[]", "{}", "null", "1", "[1]", "{\"a\":1}"] {
            let list = vec![element; 60].join(",");
            seeds.push([&[2, kind, b'['][..], list.as_bytes(), b"]"].concat());
        }
    }
    seeds.push(b"\x02\x00{\"Named\":{\"left\":\"Leaf\",\"right\":{\"Many\":[\"Leaf\"]}}}".to_vec());
    let more = [((), 7_u32, Some('x')), ((), 0, None)];
    let numbers = ((-1_i8, -2_i16, -3_i32, 4_u16), (-5_i128, 6_u128), more);
    let mut message = Vec::new();
    Postcard.encode(&numbers, &mut message).unwrap();
    seeds.push([&[0, 17], &message[..]].concat());
    message.clear();
    Cbor.encode(&numbers, &mut message).unwrap();
    seeds.push([&[1, 17], &message[..]].concat());
    let json = br#"{"small":[-1,-2,-3,4],"large":[-5,6],"more":[[null,7,"x"],[null,0,null]]}"#;
    seeds.push([&[2, 17], &json[..]].concat());
    seeds.push(b"\x02\x13[[1.5,-2e3],[0,1]]".to_vec());
    seeds.push(b"\x02\x01{\"Greet\":{\"name\":\"Alice\"}}".to_vec());
    seeds.push(b"\x02\x02[[],[[]]]".to_vec());
    seeds.push(b"\x00\x00\x03\x02\x00\x01\x00".to_vec());
    seeds.push(b"\x01\x02\x81\x81\x80".to_vec());
    seeds.push([&[0, 4][..], &varint(u64::MAX >> 1)].concat());
    seeds.push(b"\x01\x05\x9b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec());
    seeds
}

fn async_io() -> Vec<Vec<u8>> {
    let habits: [&[u8]; 6] = [
        &[0, 0, 0],
        &[0, 1, 0, 1, 0],
        &[0, 3, 10, 200, 60, 2, 210, 30],
        &[0, 2, 240, 90, 1, 235],
        &[210, 12, 0, 0, 0],
        &[240, 16, 0, 0, 0],
    ];
    let mut seeds = Vec::new();
    for (at, habit) in habits.iter().enumerate() {
        for seed in 0..3 {
            let (one, other) = (noise(60, seed + 1), noise(60, seed + 100 + at as u64));
            seeds.push([&[20, 0], *habit, habit, &[at as u8, 0, 60], &one, &other].concat());
        }
    }
    seeds
}
