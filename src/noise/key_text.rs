//! Text form of keys: bech32m, with a prefix that says what the key is.

use core::{fmt, str::FromStr};

use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};
use zeroize::{Zeroize, Zeroizing};

use super::key::{Psk, PublicKey, SecretKey};

const PUBLIC: Hrp = Hrp::parse_unchecked("duopk");
const SECRET: Hrp = Hrp::parse_unchecked("duosk");
const SHARED: Hrp = Hrp::parse_unchecked("duopsk");

/// No key of ours is longer: prefix, separator, 52 symbols, 6 of checksum, rounded up.
const MAX_TEXT: usize = 96;

/// A text that is not the key it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// The text is a key of another kind.
    #[error("this is a key of kind {found}, expected {expected}")]
    WrongKind {
        /// The prefix it should have.
        expected: &'static str,
        /// The prefix it has, if it is one of ours.
        found: &'static str,
    },
    /// The text does not begin with one of our prefixes.
    #[error("the text does not begin with {expected}1")]
    NotAKey {
        /// The prefix it should have.
        expected: &'static str,
    },
    /// The checksum does not fit: a character is wrong, missing or too many.
    #[error("the checksum does not fit: a character is mistyped, missing or too many")]
    Checksum,
    /// The text holds another number of bytes than 32.
    #[error("the key holds {found} bytes instead of 32")]
    Length {
        /// How many bytes it holds.
        found: usize,
    },
}

fn decode(text: &str, name: &'static str) -> Result<Zeroizing<[u8; 32]>, KeyTextError> {
    let lower = Zeroizing::new(
        text.get(..text.len().min(8))
            .unwrap_or_default()
            .to_ascii_lowercase(),
    );
    let Some((prefix, _)) = lower.split_once('1') else {
        return Err(KeyTextError::NotAKey { expected: name });
    };
    if prefix != name {
        let found = ["duopk", "duosk", "duopsk"]
            .into_iter()
            .find(|known| *known == prefix);
        return Err(match found {
            Some(found) => KeyTextError::WrongKind {
                expected: name,
                found,
            },
            None => KeyTextError::NotAKey { expected: name },
        });
    }
    if text.len() > MAX_TEXT {
        return Err(KeyTextError::Checksum);
    }
    let Ok(checked) = CheckedHrpstring::new::<Bech32m>(text) else {
        return Err(KeyTextError::Checksum);
    };
    let mut key = Zeroizing::new([0_u8; 32]);
    let mut found = 0_usize;
    for (index, byte) in checked.byte_iter().enumerate() {
        if let Some(slot) = key.get_mut(index) {
            *slot = byte;
        }
        found = index.saturating_add(1);
    }
    if found == 32 {
        Ok(key)
    } else {
        Err(KeyTextError::Length { found })
    }
}

fn encode(prefix: Hrp, bytes: &[u8; 32]) -> Zeroizing<String> {
    // Room for the whole text from the start: growth would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
    match bech32::encode_to_fmt::<Bech32m, String>(&mut text, prefix, bytes) {
        Ok(()) => text,
        // 32 bytes fit the code and a String takes every write.
        Err(_) => Zeroizing::new(String::new()),
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(PUBLIC, self.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        Ok(Self::from_bytes(*decode(text, "duopk")?))
    }
}

impl SecretKey {
    /// The key as text (`duosk1...`), in a string that is wiped when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        encode(SECRET, self.bytes())
    }

    /// Reads the text form.
    ///
    /// The text itself stays with the caller, who should wipe it. Decoding does not hide its timing from other code of this process.
    ///
    /// # Errors
    /// [`KeyTextError`] says what is wrong with the text, never what is in it.
    pub fn from_text(text: &str) -> Result<Self, KeyTextError> {
        let mut bytes = decode(text, "duosk")?;
        let key = Self::from_bytes(&mut bytes);
        bytes.zeroize();
        Ok(key)
    }
}

impl Psk {
    /// The key as text (`duopsk1...`), in a string that is wiped when dropped.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        encode(SHARED, self.bytes())
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`KeyTextError`] says what is wrong with the text, never what is in it.
    pub fn from_text(text: &str) -> Result<Self, KeyTextError> {
        let mut bytes = decode(text, "duopsk")?;
        Ok(Self::from_bytes(&mut bytes))
    }
}
