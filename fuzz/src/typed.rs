//! Hostile messages for every codec and many types (threat: 110 to 114).
//!
//! Input: codec, type, then the message. Asserted:
//! - decoding in postcard never holds more than 32 times a valid message and 4 KiB. For any other message, and
//!   where vectors grow because no length is claimed, the factor is 112: a false claim of a whole message
//!   (24 bytes an element here), and behind it vectors that double (72 while they do) of vectors with room
//!   for four (96) in each two bytes. In JSON there is also room for four elements a level;
//! - what is decoded and encoded again decodes to the same; in postcard, but for the spelling of numbers,
//!   to the same bytes or fewer;
//! - an error does not hold what was in the message;
//! - a byte behind the value is refused, whatever it is.

use std::collections::BTreeMap;

use duologue::codec::{Cbor, Codec, Json, MAX_DEPTH, Postcard};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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

/// What decoding may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Strict,
    Loose,
    Levels,
}

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (codec, kind) = (input.choice(3), input.choice(9));
    let message = input.rest();
    match codec {
        0 => each(&Postcard, kind, message, Bound::Strict),
        1 => each(&Cbor, kind, message, Bound::Loose),
        _ => each(&Json, kind, message, Bound::Levels),
    }
}

fn each<C: Codec>(codec: &C, kind: usize, message: &[u8], bound: Bound) {
    match kind {
        0 => one::<Tree, C>(codec, message, bound),
        1 => one::<Request, C>(codec, message, bound),
        2 => one::<Nest, C>(codec, message, bound),
        3 => one::<Vec<()>, C>(codec, message, bound),
        4 => one::<Vec<String>, C>(codec, message, bound),
        5 => one::<Vec<Vec<u8>>, C>(codec, message, bound),
        6 => one::<(u64, i16, Option<bool>, String), C>(codec, message, bound),
        7 => one::<String, C>(codec, message, bound),
        // A map's nodes are larger than 32 bytes for a two-byte entry; what it costs is not asserted.
        _ => again::<BTreeMap<u8, u8>, C>(codec, message, codec.decode(message)),
    }
}

fn one<T, C>(codec: &C, message: &[u8], bound: Bound)
where
    T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug,
    C: Codec,
{
    let mut decoded = None;
    let cost = allocation_counter::measure(|| decoded = Some(codec.decode::<T>(message)));
    let levels = match bound {
        Bound::Levels => MAX_DEPTH * 4 * size_of::<T>(),
        Bound::Strict | Bound::Loose => 0,
    };
    let strict = bound == Bound::Strict;
    let decoded = decoded.unwrap();
    let factor = if strict && decoded.is_ok() { 32 } else { 112 };
    let bound = factor * message.len() + 4_096 + levels;
    assert!(
        cost.bytes_max <= bound as u64,
        "{} bytes for {}",
        cost.bytes_max,
        message.len()
    );
    again(codec, message, decoded);
}

fn again<T, C>(codec: &C, message: &[u8], decoded: Result<T, duologue::codec::DecodeError>)
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
    assert_eq!(codec.decode::<T>(&out).as_ref(), Ok(&value), "round trip");
    let mut longer = message.to_vec();
    longer.push(b'7');
    // In JSON a digit may go on with a number; then it is another value.
    if let Ok(other) = codec.decode::<T>(&longer) {
        assert_ne!(other, value, "a byte behind the value was ignored");
    }
}
