//! What a peer that has authenticated may still send (threat: 110, 111, 112, 113, 114).

use std::cell::RefCell;
use std::collections::HashMap;
use std::thread;

use serde::de::{IgnoredAny, SeqAccess};

use super::*;

/// Runs on a stack on which an unbounded recursion ends at once.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(run).unwrap().join().unwrap();
}

fn error<T: DeserializeOwned>(codec: &impl Codec, message: &[u8]) -> DecodeError {
    codec.decode::<T>(message).map(|_| "a value").unwrap_err()
}

const TOO_DEEP: DecodeError = DecodeError::TooDeep { max: MAX_DEPTH };
const DEEP: usize = 10_000;

/// One level for each nesting.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Nest(Vec<Self>);

#[derive(Debug, Serialize, Deserialize)]
enum List {
    End,
    Boxed(Box<Self>),
    Pair(u8, Box<Self>),
    Named { next: Box<Self> },
    Some(Option<Box<Self>>),
    Map(BTreeMap<u8, Self>),
    Many(Vec<Self>),
}

#[derive(Debug, Deserialize)]
struct Linked {
    #[serde(rename = "n")]
    _next: Option<Box<Self>>,
}

#[derive(Debug, Deserialize)]
struct Wrapped(#[expect(dead_code, reason = "only read")] Option<Box<Self>>);

#[derive(Debug, Deserialize)]
struct Two(
    #[expect(dead_code, reason = "only read")] Option<Box<Self>>,
    #[expect(dead_code, reason = "only read")] u8,
);

/// Types that no value can have: they read for ever without using a byte.
#[derive(Debug, Deserialize)]
struct Endless(#[expect(dead_code, reason = "only read")] Box<Self>);

#[derive(Debug, Deserialize)]
struct EndlessFields {
    #[serde(rename = "n")]
    _next: Box<Self>,
}

#[derive(Debug, Deserialize)]
struct EndlessPair(#[expect(dead_code, reason = "only read")] (Box<Self>, u8));

fn nest(levels: usize) -> Nest {
    (1..levels).fold(Nest(Vec::new()), |inner, _| Nest(vec![inner]))
}

#[test]
fn depth_ends_at_the_limit_exactly() {
    fn check(codec: &impl Codec) {
        for levels in [1, MAX_DEPTH - 1, MAX_DEPTH] {
            let value = nest(levels);
            assert_eq!(codec.decode::<Nest>(&encoded(codec, &value)), Ok(value));
        }
        for levels in [MAX_DEPTH + 1, MAX_DEPTH + 2, 3 * MAX_DEPTH] {
            let message = encoded(codec, &nest(levels));
            assert_eq!(error::<Nest>(codec, &message), TOO_DEEP);
        }
    }
    on_a_small_stack(|| {
        check(&Postcard);
        check(&Cbor);
        check(&Json);
    });
}

/// Nests each way of an enum as deep as the limit is, and deeper.
fn every_variant_is_bounded(codec: &(impl Codec + Sync)) {
    let ways: [fn(List) -> List; 6] = [
        |next| List::Boxed(Box::new(next)),
        |next| List::Pair(1, Box::new(next)),
        |next| List::Named {
            next: Box::new(next),
        },
        |next| List::Some(Some(Box::new(next))),
        |next| List::Map(BTreeMap::from([(1, next)])),
        |next| List::Many(vec![next]),
    ];
    for way in ways {
        let shallow = (0..MAX_DEPTH / 8).fold(List::End, |inner, _| way(inner));
        assert!(codec.decode::<List>(&encoded(codec, &shallow)).is_ok());
        let deep = (0..MAX_DEPTH).fold(List::End, |inner, _| way(inner));
        assert_eq!(error::<List>(codec, &encoded(codec, &deep)), TOO_DEEP);
    }
}

#[test]
fn every_way_to_nest_an_enum_is_bounded() {
    on_a_small_stack(|| {
        every_variant_is_bounded(&Postcard);
        every_variant_is_bounded(&Cbor);
        every_variant_is_bounded(&Json);
    });
}

#[test]
fn ten_thousand_levels_of_postcard_are_refused() {
    on_a_small_stack(|| {
        let ones = vec![1; DEEP];
        assert_eq!(error::<Nest>(&Postcard, &ones), TOO_DEEP);
        assert_eq!(error::<Linked>(&Postcard, &ones), TOO_DEEP);
        assert_eq!(error::<Wrapped>(&Postcard, &ones), TOO_DEEP);
        assert_eq!(error::<Two>(&Postcard, &ones), TOO_DEEP);
        for variant in 1..=6_u8 {
            // Repeats the variant's head: its number, then what stands before the next one.
            let head: &[u8] = match variant {
                1 | 3 => &[variant],
                2 | 4 => &[variant, 1],
                5 => &[variant, 1, 0],
                _ => &[variant, 1],
            };
            assert_eq!(error::<List>(&Postcard, &head.repeat(DEEP)), TOO_DEEP);
        }
    });
}

#[test]
fn ten_thousand_levels_of_cbor_are_refused() {
    on_a_small_stack(|| {
        for head in [&b"\x81"[..], b"\x9f", b"\xa1\x00", b"\xc1", b"\xbf\x61n"] {
            let message = head.repeat(DEEP);
            assert_eq!(error::<IgnoredAny>(&Cbor, &message), TOO_DEEP);
            let unknown = [b"\xa1\x61x", &message[..]].concat();
            assert_eq!(error::<Linked>(&Cbor, &unknown), TOO_DEEP);
        }
        for head in [&b"\x81"[..], b"\x9f", b"\xbf\x61n"] {
            let message = head.repeat(DEEP);
            assert_eq!(error::<serde_json::Value>(&Cbor, &message), TOO_DEEP);
        }
        assert_eq!(error::<Nest>(&Cbor, &b"\x81".repeat(DEEP)), TOO_DEEP);
        assert_eq!(error::<Linked>(&Cbor, &b"\xa1\x61n".repeat(DEEP)), TOO_DEEP);
        assert_eq!(error::<Two>(&Cbor, &b"\x82".repeat(DEEP)), TOO_DEEP);
        let list = b"\xa1\x65Boxed".repeat(DEEP);
        assert_eq!(error::<List>(&Cbor, &list), TOO_DEEP);
        // Tags before a number are passed by, without recursion.
        let tagged = [&b"\xc1".repeat(DEEP)[..], b"\x07"].concat();
        assert_eq!(Cbor.decode::<u8>(&tagged), Ok(7));
    });
}

#[test]
fn ten_thousand_levels_of_json_are_refused() {
    on_a_small_stack(|| {
        for head in ["[", "{\"n\":", "[{\"x\":"] {
            let message = head.repeat(DEEP);
            assert_eq!(error::<IgnoredAny>(&Json, message.as_bytes()), TOO_DEEP);
            assert_eq!(
                error::<serde_json::Value>(&Json, message.as_bytes()),
                TOO_DEEP
            );
            let unknown = format!("{{\"x\":{message}");
            assert_eq!(error::<Linked>(&Json, unknown.as_bytes()), TOO_DEEP);
        }
        assert_eq!(error::<Nest>(&Json, "[".repeat(DEEP).as_bytes()), TOO_DEEP);
        let linked = "{\"n\":".repeat(DEEP);
        assert_eq!(error::<Linked>(&Json, linked.as_bytes()), TOO_DEEP);
        let list = "{\"Boxed\":".repeat(DEEP);
        assert_eq!(error::<List>(&Json, list.as_bytes()), TOO_DEEP);
    });
}

#[test]
fn a_type_that_reads_no_bytes_for_ever_is_stopped() {
    on_a_small_stack(|| {
        assert_eq!(error::<Endless>(&Postcard, b""), TOO_DEEP);
        assert_eq!(error::<EndlessFields>(&Postcard, b""), TOO_DEEP);
        assert_eq!(error::<EndlessPair>(&Postcard, b""), TOO_DEEP);
        // Neither `Some` nor a newtype has a byte of its own here.
        assert_eq!(error::<Wrapped>(&Cbor, b"\x01"), TOO_DEEP);
        assert_eq!(error::<Wrapped>(&Json, b"1"), TOO_DEEP);
        assert_eq!(error::<Endless>(&Json, b"1"), TOO_DEEP);
    });
}

fn too_many(message: &[u8]) -> DecodeError {
    DecodeError::TooManyElements {
        max: message.len() + SPARE_ELEMENTS,
    }
}

/// A postcard message that claims so many elements and has none.
fn claim(elements: u64) -> Vec<u8> {
    encoded(&Postcard, &elements)
}

#[test]
fn units_end_at_the_limit_exactly() {
    let most = SPARE_ELEMENTS + 2;
    for count in [most - 1, most] {
        let message = claim(count as u64);
        assert_eq!(message.len(), 2);
        assert_eq!(Postcard.decode(&message), Ok(vec![(); count]));
    }
    let message = claim(most as u64 + 1);
    assert_eq!(error::<Vec<()>>(&Postcard, &message), too_many(&message));
}

/// Reads nothing, and so costs no byte in any format.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Untouched;

impl<'de> Deserialize<'de> for Untouched {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[test]
fn elements_without_bytes_are_not_for_free() {
    let message = claim(1 << 60);
    assert_eq!(error::<Vec<()>>(&Postcard, &message), too_many(&message));
    assert_eq!(error::<Vec<Unit>>(&Postcard, &message), too_many(&message));
    assert_eq!(
        error::<Vec<[(); 3]>>(&Postcard, &message),
        too_many(&message)
    );
    assert_eq!(
        error::<Vec<Untouched>>(&Postcard, &message),
        too_many(&message)
    );
    assert_eq!(
        error::<HashMap<(), ()>>(&Postcard, &message),
        too_many(&message)
    );
    assert_eq!(
        error::<HashMap<Untouched, ()>>(&Postcard, &message),
        too_many(&message)
    );
    let array = b"\x9b\x10\0\0\0\0\0\0\0";
    assert_eq!(error::<Vec<Untouched>>(&Cbor, array), too_many(array));
    let map = b"\xbb\x10\0\0\0\0\0\0\0";
    assert_eq!(
        error::<HashMap<Untouched, Untouched>>(&Cbor, map),
        too_many(map)
    );
}

#[test]
fn a_tuple_does_not_read_more_than_its_fields_for_free() {
    struct Greedy;
    impl<'de> Visitor<'de> for Greedy {
        type Value = Self;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a pair")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
            while seq.next_element::<Untouched>()?.is_some() {}
            Ok(self)
        }
    }
    impl<'de> Deserialize<'de> for Greedy {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_tuple(2, Self)
        }
    }
    let array = b"\x9b\x10\0\0\0\0\0\0\0";
    assert_eq!(error::<Greedy>(&Cbor, array), too_many(array));
    assert!(Cbor.decode::<Greedy>(b"\x82").is_ok());
}

thread_local! {
    static HINTS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Nested sequences that write down what they are told to reserve.
#[derive(Debug)]
struct Reserves([u64; 8]);

impl<'de> Visitor<'de> for Reserves {
    type Value = Self;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a sequence and not {:?}", self.0)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        let hint = seq.size_hint();
        assert_eq!(seq.size_hint(), hint);
        HINTS.with_borrow_mut(|hints| hints.extend(hint));
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }
}

impl<'de> Deserialize<'de> for Reserves {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self([0; 8]))
    }
}

fn reserved(codec: &impl Codec, message: &[u8]) -> (bool, Vec<usize>) {
    let valid = codec.decode::<Reserves>(message).is_ok();
    (valid, HINTS.take())
}

#[test]
fn an_honest_length_is_reserved_in_full() {
    let honest = (true, vec![2, 1, 0, 0]);
    assert_eq!(reserved(&Postcard, b"\x02\x01\x00\x00"), honest);
    assert_eq!(reserved(&Cbor, b"\x82\x81\x80\x80"), honest);
}

#[test]
fn claimed_lengths_together_reserve_no_more_than_the_memory() {
    let check = |(valid, hints): (bool, Vec<usize>), len: usize| {
        let bytes = hints.iter().sum::<usize>() * size_of::<Reserves>();
        assert!(!valid && bytes <= MEMORY_PER_BYTE * len + SPARE_MEMORY);
    };
    for times in [1, 3, 50, 1000] {
        let message = b"\x9b\x10\0\0\0\0\0\0\0".repeat(times);
        check(reserved(&Cbor, &message), message.len());
        let message = b"\x82\x9b\x10\0\0\0\0\0\0\0".repeat(times);
        check(reserved(&Cbor, &message), message.len());
        let message = claim(1 << 60).repeat(times);
        check(reserved(&Postcard, &message), message.len());
    }
}

#[test]
fn claimed_lengths_without_content_are_the_end_of_the_message() {
    for count in [10, 1 << 20, 1 << 32, 1 << 60, u64::MAX] {
        let message = claim(count);
        for found in [
            error::<Vec<u8>>(&Postcard, &message),
            error::<Vec<u64>>(&Postcard, &message),
            error::<Vec<String>>(&Postcard, &message),
            error::<String>(&Postcard, &message),
            error::<HashMap<u64, String>>(&Postcard, &message),
            error::<Nest>(&Postcard, &message),
        ] {
            assert_eq!(found, DecodeError::UnexpectedEnd);
        }
        for kind in [0x5b, 0x7b, 0x9b, 0xbb] {
            let message = [&[kind][..], &count.to_be_bytes()].concat();
            for found in [
                error::<IgnoredAny>(&Cbor, &message),
                error::<serde_json::Value>(&Cbor, &message),
            ] {
                assert_eq!(found, DecodeError::UnexpectedEnd);
            }
        }
    }
}

#[test]
fn bytes_after_the_value_are_counted_and_refused() {
    fn check(codec: &impl Codec) {
        for count in [1, 2, 1000] {
            let mut message = encoded(codec, &rich());
            message.resize(message.len() + count, 0);
            let found = error::<Rich>(codec, &message);
            assert_eq!(found, DecodeError::TrailingBytes { count });
        }
    }
    check(&Postcard);
    check(&Cbor);
    check(&Json);
}

#[test]
fn white_space_around_json_is_part_of_it_and_a_second_value_is_not() {
    assert_eq!(Json.decode(b" \t\r\n7 \t\r\n"), Ok(7_u8));
    assert_eq!(
        error::<u8>(&Json, b"7 7"),
        DecodeError::TrailingBytes { count: 1 }
    );
}

#[test]
fn elements_that_the_type_does_not_want_are_refused() {
    for found in [
        error::<((u8, u8), u8)>(&Cbor, b"\x82\x83\x01\x02\x03\x04"),
        error::<((u8, u8), u8)>(&Cbor, b"\x82\x9f\x01\x02\x03\xff\x04"),
        error::<((u8, u8), u8)>(&Json, b"[[1,2,3],4]"),
    ] {
        assert!(matches!(found, DecodeError::Mismatch { .. }), "{found}");
    }
}

#[test]
fn an_empty_message_is_no_value() {
    assert_eq!(error::<u8>(&Postcard, b""), DecodeError::UnexpectedEnd);
    assert_eq!(error::<u8>(&Cbor, b""), DecodeError::UnexpectedEnd);
    assert_eq!(error::<u8>(&Json, b""), DecodeError::UnexpectedEnd);
}

#[test]
fn no_beginning_of_a_message_is_a_message() {
    fn check(codec: &impl Codec) -> Vec<DecodeError> {
        let message = encoded(codec, &rich());
        let beginnings = (0..message.len()).map(|len| &message[..len]);
        beginnings
            .map(|beginning| error::<Rich>(codec, beginning))
            .filter(|error| *error != DecodeError::UnexpectedEnd)
            .collect()
    }
    assert_eq!(check(&Postcard), []);
    assert_eq!(check(&Cbor), []);
    // In JSON the beginning of a number may be malformed: `-`, `1.`, `1e`.
    let malformed = |error: &DecodeError| matches!(error, DecodeError::Malformed { .. });
    assert!(check(&Json).iter().all(malformed));
}

#[test]
fn a_changed_byte_is_another_value_or_an_error_and_no_panic() {
    const BYTES: [u8; 14] = [
        0, 1, 2, 0x1c, 0x3f, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xc2, 0xdf, 0xf6, 0xff,
    ];
    fn check(codec: &impl Codec) {
        let message = encoded(codec, &plain());
        for (at, byte) in (0..message.len()).flat_map(|at| BYTES.map(|byte| (at, byte))) {
            let mut changed = message.clone();
            changed[at] = byte;
            if let Ok(other) = codec.decode::<Rich>(&changed) {
                assert!(encoded(codec, &other).len() <= 2 * message.len());
            }
            if let Err(error) = codec.decode::<IgnoredAny>(&changed) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
    on_a_small_stack(|| {
        check(&Postcard);
        check(&Cbor);
        check(&Json);
    });
}

#[test]
fn an_unknown_variant_is_an_error_of_that_message() {
    for found in [
        error::<Colour>(&Postcard, b"\x07"),
        error::<Colour>(&Cbor, b"\x64Blue"),
        error::<Colour>(&Json, b"\"Blue\""),
    ] {
        assert!(matches!(found, DecodeError::Mismatch { .. }), "{found}");
    }
}
