mod hostile;
mod secrecy;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::marker::PhantomData;

use serde::de::Visitor;
use serde::ser::{Error as _, SerializeMap, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::*;

pub(super) fn encoded<T: Serialize + ?Sized>(codec: &impl Codec, value: &T) -> Vec<u8> {
    let mut message = Vec::new();
    codec.encode(value, &mut message).unwrap();
    message
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Colour {
    Red,
    Green,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Shape {
    Nothing,
    Circle(f64),
    Line(i32, i32),
    Box { width: u64, height: u64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Metres(f32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rich {
    numbers: (i8, i16, i32, i64, i128, u8, u16, u32, u64, u128),
    floats: [f64; 4],
    truth: bool,
    letter: char,
    text: String,
    bytes: Vec<u8>,
    none: Option<u8>,
    some: Option<Metres>,
    nothing: ((), Unit, PhantomData<u8>),
    shapes: Vec<Shape>,
    colours: BTreeMap<Colour, Vec<String>>,
    boxed: Option<Box<Self>>,
}

pub(super) fn plain() -> Rich {
    Rich {
        numbers: (
            i8::MIN,
            i16::MIN,
            i32::MIN,
            i64::MIN,
            i128::from(i64::MIN) - 1,
            u8::MAX,
            u16::MAX,
            u32::MAX,
            u64::MAX,
            u128::MAX,
        ),
        floats: [0.1, -0.0, f64::MIN_POSITIVE, f64::MAX],
        truth: true,
        letter: 'ß',
        text: "good \"morning\"\n\u{1F426}".to_owned(),
        bytes: (0..=255).collect(),
        none: None,
        some: Some(Metres(1.5)),
        nothing: ((), Unit, PhantomData),
        shapes: vec![
            Shape::Nothing,
            Shape::Circle(2.5),
            Shape::Line(-1, 1),
            Shape::Box {
                width: 3,
                height: 4,
            },
        ],
        colours: BTreeMap::from([
            (Colour::Red, vec!["cherry".to_owned(), String::new()]),
            (Colour::Green, Vec::new()),
        ]),
        boxed: None,
    }
}

pub(super) fn rich() -> Rich {
    Rich {
        text: "x".repeat(300),
        boxed: Some(Box::new(plain())),
        ..plain()
    }
}

fn comes_back<T>(codec: &impl Codec, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let message = encoded(codec, value);
    assert_eq!(codec.decode::<T>(&message).as_ref(), Ok(value));
}

fn everywhere<T>(value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    comes_back(&Postcard, value);
    comes_back(&Cbor, value);
    comes_back(&Json, value);
}

#[test]
fn a_rich_value_comes_back_from_each_codec() {
    everywhere(&rich());
}

#[test]
fn a_value_without_bytes_comes_back() {
    everywhere(&());
    everywhere(&Unit);
    assert_eq!(encoded(&Postcard, &()), b"");
    assert_eq!(Postcard.decode::<()>(b""), Ok(()));
}

#[test]
fn encoding_appends_to_what_is_there() {
    fn check(codec: &impl Codec) {
        let mut out = b"before".to_vec();
        codec.encode("after", &mut out).unwrap();
        assert_eq!(
            out.strip_prefix(b"before").unwrap(),
            encoded(codec, "after")
        );
    }
    check(&Postcard);
    check(&Cbor);
    check(&Json);
}

#[test]
fn an_honest_message_is_never_too_many_elements() {
    #[derive(Debug, PartialEq, Clone, Copy, Serialize, Deserialize)]
    struct Pixel {
        red: u8,
        green: (u8,),
        blue: Option<u8>,
        kind: PhantomData<Unit>,
        unit: (),
    }
    let pixel = Pixel {
        red: 1,
        green: (2,),
        blue: None,
        kind: PhantomData,
        unit: (),
    };
    everywhere(&vec![pixel; 20_000]);
    everywhere(&vec![Shape::Nothing; 20_000]);
    everywhere(&vec![7_u8; 100_000]);
    everywhere(&vec![Vec::<u8>::new(); 20_000]);
    everywhere(&(0..20_000_u32).map(|n| (n, ())).collect::<BTreeMap<_, _>>());
}

#[test]
fn nan_and_infinity_come_back_where_the_format_has_them() {
    fn check(codec: &impl Codec) {
        let message = encoded(codec, &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        let [nan, high, low] = codec.decode::<[f64; 3]>(&message).unwrap();
        assert!(nan.is_nan());
        assert_eq!((high, low), (f64::INFINITY, f64::NEG_INFINITY));
        let nan = codec.decode::<f32>(&encoded(codec, &f32::NAN)).unwrap();
        assert!(nan.is_nan());
    }
    check(&Postcard);
    check(&Cbor);
}

#[test]
fn nan_in_json_is_null_and_no_number() {
    let message = encoded(&Json, &f64::NAN);
    assert_eq!(message, b"null");
    assert!(matches!(
        Json.decode::<f64>(&message),
        Err(DecodeError::Mismatch { .. })
    ));
    assert_eq!(Json.decode::<Option<f64>>(&message), Ok(None));
}

#[test]
fn a_failed_encoding_leaves_the_buffer_as_it_was() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut tuple = serializer.serialize_tuple(2)?;
            tuple.serialize_element("a long beginning that has already been written")?;
            Err(S::Error::custom("a secret"))
        }
    }
    fn check(codec: &impl Codec) {
        let mut out = b"before".to_vec();
        assert_eq!(codec.encode(&Refuses, &mut out), Err(EncodeError::Refused));
        assert_eq!(out, b"before");
    }
    check(&Postcard);
    check(&Cbor);
    check(&Json);
}

#[test]
fn what_a_format_cannot_hold_is_said_when_encoding() {
    struct Unsized;
    impl Serialize for Unsized {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_map(None)?.end()
        }
    }
    let mut out = b"before".to_vec();
    let unsized_map = Postcard.encode(&Unsized, &mut out);
    assert!(matches!(unsized_map, Err(EncodeError::Unsupported { .. })));
    let key = BTreeMap::from([(("two", "parts"), 1)]);
    let odd_key = Json.encode(&key, &mut out);
    assert!(matches!(odd_key, Err(EncodeError::Unsupported { .. })));
    assert_eq!(out, b"before");
    assert_eq!(Cbor.encode(&Unsized, &mut out), Ok(()));
}

#[test]
fn names_let_a_type_grow_in_cbor_and_json_only() {
    #[derive(Serialize)]
    struct New {
        old: u8,
        new: Vec<(u8, String)>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        old: u8,
        #[serde(default)]
        other: Option<u8>,
    }
    let new = New {
        old: 7,
        new: vec![(1, "one".to_owned())],
    };
    let old = Old {
        old: 7,
        other: None,
    };
    assert_eq!(Cbor.decode::<Old>(&encoded(&Cbor, &new)).as_ref(), Ok(&old));
    assert_eq!(Json.decode::<Old>(&encoded(&Json, &new)).as_ref(), Ok(&old));
    assert!(Postcard.decode::<Old>(&encoded(&Postcard, &new)).is_err());
}

#[test]
fn types_that_read_ahead_work_where_the_format_describes_itself() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Point { x: u8, y: u8 },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Text(String),
        Tagged(Tagged),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        name: String,
        #[serde(flatten)]
        rest: BTreeMap<String, Vec<Untagged>>,
    }
    let point = || Untagged::Tagged(Tagged::Point { x: 1, y: 2 });
    let values = vec![Untagged::Number(-1), Untagged::Text("t".into()), point()];
    let flat = Flat {
        name: "n".to_owned(),
        rest: BTreeMap::from([("more".to_owned(), values)]),
    };
    comes_back(&Cbor, &flat);
    comes_back(&Json, &flat);
    assert!(matches!(
        Postcard.decode::<Untagged>(b"\x01"),
        Err(DecodeError::Mismatch { .. })
    ));
}

#[test]
fn a_long_text_reaches_a_type_that_asks_for_a_lent_one() {
    #[derive(Debug, PartialEq)]
    struct Short(usize);
    struct Reader;
    impl Visitor<'_> for Reader {
        type Value = Short;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("text")
        }
        fn visit_str<E>(self, text: &str) -> Result<Short, E> {
            Ok(Short(text.len()))
        }
    }
    impl<'de> Deserialize<'de> for Short {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(Reader)
        }
    }
    for len in [0, 1, 4095, 4096, 4097, 100_000] {
        let text = "ä".repeat(len);
        let want = Ok(Short(text.len()));
        assert_eq!(Postcard.decode(&encoded(&Postcard, &text)), want);
        assert_eq!(Cbor.decode(&encoded(&Cbor, &text)), want);
        assert_eq!(Json.decode(&encoded(&Json, &text)), want);
    }
}

#[test]
fn cbor_of_unknown_length_from_other_encoders_is_read() {
    // [_ 1, 2] as a tuple and as a vector; {_ "old": 1} as a struct; (_ "a", "b") as text
    assert_eq!(Cbor.decode::<(u8, u8)>(b"\x9f\x01\x02\xff"), Ok((1, 2)));
    assert_eq!(Cbor.decode::<Vec<u8>>(b"\x9f\x01\x02\xff"), Ok(vec![1, 2]));
    assert_eq!(
        Cbor.decode::<BTreeMap<String, u8>>(b"\xbf\x63old\x01\xff"),
        Ok(BTreeMap::from([("old".to_owned(), 1)]))
    );
    assert_eq!(
        Cbor.decode::<String>(b"\x7f\x61a\x61b\xff"),
        Ok("ab".to_owned())
    );
}
