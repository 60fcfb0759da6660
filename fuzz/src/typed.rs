//! Hostile messages for every codec and many types (threat: 110 to 114).
//!
//! Input: codec, type, then the message. Asserted:
//! - decoding never holds more than 32 times the message and 4 KiB, whether the message is a value or refused,
//!   for small and large elements, boxes, and the collections of the standard library;
//! - what is decoded and encoded again decodes to the same; in postcard, but for the spelling of numbers, to the
//!   same bytes or fewer. Where that is shorter, it may pay for too little memory;
//! - an error does not hold what was in the message;
//! - a byte behind the value is refused, whatever it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use duologue::codec::{Cbor, Codec, DecodeError, Json, MEMORY_PER_BYTE, Postcard, SPARE_MEMORY};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::input::Input;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Boxed(Box<Self>),
    Maybe(Option<Box<Self>>),
    Many(Vec<Self>),
    Pair(Box<Self>, Box<Self>),
    Named { left: Box<Self>, right: Box<Self> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Request {
    Quit,
    Greet { name: String },
    Count(u32),
    Store(#[serde(with = "serde_bytes_like")] Vec<u8>),
    All(Vec<i64>, Option<char>, [bool; 3]),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Numbers {
    small: (i8, i16, i32, u16),
    large: (i128, u128),
    more: Vec<(Unit, Newtype, Option<char>)>,
}

/// Bytes as bytes, and not as a sequence of numbers.
mod serde_bytes_like {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        bytes::Bytes::deserialize(from).map(|bytes| bytes.to_vec())
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Nest(Vec<Self>);

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (codec, kind) = (input.choice(3), input.choice(20));
    let message = input.rest();
    match codec {
        0 => each(&Postcard, kind, message),
        1 => each(&Cbor, kind, message),
        _ => each(&Json, kind, message),
    }
}

fn each<C: Codec>(codec: &C, kind: usize, message: &[u8]) {
    match kind {
        0 => one::<Tree, C>(codec, message),
        1 => one::<Request, C>(codec, message),
        2 => one::<Nest, C>(codec, message),
        3 => one::<Vec<()>, C>(codec, message),
        4 => one::<Vec<String>, C>(codec, message),
        5 => one::<Vec<Vec<u8>>, C>(codec, message),
        6 => one::<(u64, i16, Option<bool>, String), C>(codec, message),
        7 => one::<String, C>(codec, message),
        8 => one::<BTreeMap<u8, u8>, C>(codec, message),
        9 => one::<Vec<Option<[u64; 4]>>, C>(codec, message),
        10 => one::<(Vec<Option<[u64; 24]>>, Vec<[u16; 3]>), C>(codec, message),
        11 => one::<Vec<Option<Box<u64>>>, C>(codec, message),
        12 => one::<Vec<BTreeMap<u8, String>>, C>(codec, message),
        13 => one::<HashMap<String, u64>, C>(codec, message),
        14 => one::<Vec<BTreeSet<u16>>, C>(codec, message),
        15 => one::<VecDeque<HashSet<u32>>, C>(codec, message),
        16 => one::<Vec<HashMap<u8, Box<Request>>>, C>(codec, message),
        17 => one::<Numbers, C>(codec, message),
        // Not encoded again: in JSON their numbers come back with another last digit, or not at all.
        18 => drop(measured::<Value, C>(codec, message)),
        _ => drop(measured::<Vec<(f32, f64)>, C>(codec, message)),
    }
}

fn one<T, C>(codec: &C, message: &[u8])
where
    T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug,
    C: Codec,
{
    again(codec, message, measured::<T, C>(codec, message));
}

fn measured<T: DeserializeOwned, C: Codec>(codec: &C, message: &[u8]) -> Result<T, DecodeError> {
    let mut decoded = None;
    let cost = allocation_counter::measure(|| decoded = Some(codec.decode::<T>(message)));
    let bound = MEMORY_PER_BYTE * message.len() + SPARE_MEMORY;
    assert!(
        cost.bytes_max <= bound as u64,
        "{} bytes for {}",
        cost.bytes_max,
        message.len()
    );
    decoded.unwrap()
}

fn again<T, C>(codec: &C, message: &[u8], decoded: Result<T, DecodeError>)
where
    T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug,
    C: Codec,
{
    let value = match decoded {
        Ok(value) => value,
        Err(error) => {
            let said = error.to_string();
            // A fuzzer can learn our own words, but not together with what it made up itself.
            if let Ok(text) = str::from_utf8(message) {
                assert!(text.len() < 100 || !said.contains(text), "{said}");
            }
            return;
        }
    };
    let mut out = Vec::new();
    codec
        .encode(&value, &mut out)
        .expect("what was decoded can be encoded");
    match codec.decode::<T>(&out) {
        // A shorter message pays for less memory.
        Err(DecodeError::TooMuchMemory { .. }) if out.len() < message.len() => {}
        other => assert_eq!(other.as_ref(), Ok(&value), "round trip"),
    }
    let mut longer = message.to_vec();
    longer.push(b'7');
    // In JSON a digit may go on with a number; then it is another value.
    if let Ok(other) = codec.decode::<T>(&longer) {
        assert_ne!(other, value, "a byte behind the value was ignored");
    }
}
