//! Keys as text and as serde values (threat: 113; spec: H-10).
//!
//! Input: which reader, then its bytes. Asserted:
//! - a text that is taken is the text of that key, but for a spelling in capitals; so no two keys share one;
//! - no text is two kinds of key; what is refused as another kind is taken as that kind, or is mistyped;
//! - an error holds nothing of the text but its length; reading costs a constant;
//! - JSON and postcard forms of a public key round-trip, and refuse what is not one.

use duologue::{
    KeyTextError, Psk, PublicKey, SecretKey,
    codec::{Codec, Json, Postcard},
};

use crate::input::Input;

pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.choice(3) {
        0 => {
            if let Ok(text) = str::from_utf8(input.rest()) {
                drop(read(text));
            }
        }
        1 => mistyped(&mut input),
        _ => values(input.rest()),
    }
}

/// As each kind of key: what it says in the text form.
fn read(text: &str) -> [Result<String, KeyTextError>; 3] {
    let mut read = None;
    let cost = allocation_counter::measure(|| {
        read = Some([
            text.parse::<PublicKey>().map(|key| key.to_string()),
            SecretKey::from_text(text).map(|key| key.to_text().to_string()),
            Psk::from_text(text).map(|key| key.to_text().to_string()),
        ]);
    });
    assert!(cost.bytes_total <= 4_096, "{} bytes", cost.bytes_total);
    let read = read.unwrap();
    for result in &read {
        match result {
            Ok(again) => assert_eq!(*again, text.to_ascii_lowercase(), "two texts of one key"),
            Err(error) => judge(error, text),
        }
    }
    assert!(read.iter().filter(|result| result.is_ok()).count() <= 1);
    read
}

fn judge(error: &KeyTextError, text: &str) {
    let known = |name: &str| ["duopk", "duosk", "duopsk"].contains(&name);
    // All that an error can show: names of ours, and a length.
    match error {
        KeyTextError::WrongKind { expected, found } => {
            assert!(known(expected) && known(found) && expected != found);
            assert!(text.to_ascii_lowercase().starts_with(found));
        }
        KeyTextError::NotAKey { expected } => assert!(known(expected)),
        KeyTextError::Checksum => {}
        KeyTextError::Length { found } => assert!(*found != 32 && *found < text.len()),
        other => panic!("{other:?}"),
    }
}

/// A right text with at most four changes: never another key.
fn mistyped(input: &mut Input<'_>) {
    let kind = input.choice(3);
    let mut bytes = [0; 32];
    for byte in &mut bytes {
        *byte = input.byte();
    }
    let text = match kind {
        0 => PublicKey::from_bytes(bytes).to_string(),
        1 => SecretKey::from_bytes(&mut bytes).to_text().to_string(),
        _ => Psk::from_bytes(&mut bytes).to_text().to_string(),
    };
    assert_eq!(read(&text)[kind].as_ref(), Ok(&text));
    let mut typed = text.clone().into_bytes();
    // Changes of up to four characters are always found (BIP 350); so is any one lost or doubled.
    for _change in 0..1 + input.choice(4) {
        let at = input.choice(typed.len());
        typed[at] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l1b"[input.choice(34)];
    }
    let typed = String::from_utf8(typed).unwrap();
    if typed != text {
        assert!(read(&typed)[kind].is_err(), "{typed} for {text}");
    }
    let at = input.choice(text.len());
    let mut other = text.clone();
    if input.flag() {
        other.remove(at);
    } else {
        other.insert(at, text.as_bytes()[at].into());
    }
    // The code has one known weakness: a `q` in front of a last `p`. The length then gives it away.
    assert!(read(&other)[kind].is_err(), "{other} for {text}");
}

fn values(bytes: &[u8]) {
    if let Ok(key) = Json.decode::<PublicKey>(bytes) {
        assert_eq!(round::<Json>(&Json, key), key);
    }
    match Postcard.decode::<PublicKey>(bytes) {
        Ok(key) => {
            assert_eq!(key.as_bytes(), bytes);
            assert_eq!(round(&Postcard, key), key);
        }
        Err(_) => assert_ne!(bytes.len(), 32),
    }
}

fn round<C: Codec>(codec: &C, key: PublicKey) -> PublicKey {
    let mut out = Vec::new();
    codec.encode(&key, &mut out).unwrap();
    codec.decode(&out).unwrap()
}
