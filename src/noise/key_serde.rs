//! Serde for public keys: text where a person reads it, 32 bytes elsewhere.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::key::PublicKey;

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.as_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom)
        } else {
            Ok(Self::from_bytes(<[u8; 32]>::deserialize(deserializer)?))
        }
    }
}
