//! No error repeats what was in the message.

use std::net::{IpAddr, Ipv4Addr};

use serde::de::Error as _;

use super::*;

const SECRET: &str = "hunter2";

fn quiet<T: DeserializeOwned + Debug>(codec: &impl Codec, message: &[u8]) -> DecodeError {
    let error = codec.decode::<T>(message).unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains(SECRET), "{said}");
    assert!(!said.contains("424242"), "{said}");
    error
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(rename = "a")]
    _a: u8,
}

#[derive(Debug)]
struct Loud;

impl<'de> Deserialize<'de> for Loud {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(D::Error::custom(format!("I will not take {text}")))
    }
}

#[derive(Serialize)]
enum Other {
    #[expect(non_camel_case_types, reason = "the secret as a variant's name")]
    hunter2,
}

fn never_says(codec: &impl Codec) {
    quiet::<Loud>(codec, &encoded(codec, SECRET));
    quiet::<bool>(codec, &encoded(codec, SECRET));
    quiet::<(u8, Vec<Loud>)>(codec, &encoded(codec, &(1, [SECRET])));
    quiet::<char>(codec, &encoded(codec, SECRET));
    quiet::<u8>(codec, &encoded(codec, &424_242));
    quiet::<Ipv4Addr>(codec, &encoded(codec, SECRET));
    let mut followed = encoded(codec, &true);
    followed.extend_from_slice(SECRET.as_bytes());
    quiet::<bool>(codec, &followed);
}

#[test]
fn an_error_never_repeats_the_message() {
    never_says(&Postcard);
    never_says(&Cbor);
    never_says(&Json);
}

#[test]
fn an_error_never_repeats_names_from_the_message() {
    fn check(codec: &impl Codec) {
        let field = BTreeMap::from([(SECRET, 1)]);
        quiet::<Strict>(codec, &encoded(codec, &field));
        quiet::<Colour>(codec, &encoded(codec, &Other::hunter2));
        quiet::<Colour>(codec, &encoded(codec, SECRET));
        quiet::<f64>(codec, &encoded(codec, SECRET));
        quiet::<Vec<u8>>(codec, &encoded(codec, &424_242));
    }
    check(&Cbor);
    check(&Json);
}

#[test]
fn malformed_json_is_explained_without_a_quotation() {
    for text in [
        "hunter2",
        "\"hunter2",
        "\"hunter2\u{1}\"",
        "\"hunter2\\q\"",
        "{\"hunter2\" 1}",
        "[\"hunter2\" 1]",
        "{hunter2: 1}",
        "[424242e999999]",
        "{\"hunter2\":1,}",
    ] {
        quiet::<serde_json::Value>(&Json, text.as_bytes());
    }
}

#[test]
fn fields_of_our_own_type_are_named() {
    fn check(codec: &impl Codec) {
        let empty = encoded(codec, &BTreeMap::<&str, u8>::new());
        let missing = codec.decode::<Strict>(&empty).unwrap_err();
        assert_eq!(missing, DecodeError::MissingField { field: "a" });
        assert_eq!(missing.to_string(), "the message lacks the field `a`");
    }
    check(&Cbor);
    check(&Json);
    let twice = Json.decode::<Strict>(br#"{"a":1,"a":2}"#).unwrap_err();
    assert_eq!(twice, DecodeError::DuplicateField { field: "a" });
}

#[test]
fn an_error_says_where_and_what_kind() {
    let error = Json.decode::<u8>(b" \"hunter2\"").unwrap_err();
    let text = "the message does not fit the type at byte 10: a value of another type";
    assert_eq!(error.to_string(), text);
    let error = Cbor.decode::<IpAddr>(b"\x01").unwrap_err();
    let text = "the message does not fit the type at byte 1: a value of another type";
    assert_eq!(error.to_string(), text);
    let error = Json.decode::<IpAddr>(b"\"hunter2\"").unwrap_err();
    let text = "the message does not fit the type at byte 9: a value that the type refuses";
    assert_eq!(error.to_string(), text);
    let error = Postcard.decode::<(u8, bool)>(b"\x01\x07").unwrap_err();
    let text = "the message is malformed at byte 2: a boolean that is neither 0 nor 1";
    assert_eq!(error.to_string(), text);
    let error = Cbor.decode::<Vec<u8>>(b"\x82\x01\x1c").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the message is malformed at byte 3: not CBOR"
    );
}
