//! Pure Rust primitives.

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};
use chacha20poly1305::ChaCha20Poly1305;
use ml_kem::{Decapsulate, DecapsulationKey768, EncapsulationKey768, KeyExport, Seed};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use super::{Aead, AeadKind, Backend, KemSecret, Nonce, Refused};

pub(super) struct Portable;

impl Backend for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn public_key(&self, secret: &[u8; 32]) -> Result<[u8; 32], Refused> {
        Ok(PublicKey::from(&StaticSecret::from(*secret)).to_bytes())
    }

    fn dh(&self, secret: &[u8; 32], public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*public));
        Ok(Zeroizing::new(shared.to_bytes()))
    }

    fn aead(&self, kind: AeadKind, key: &[u8; 32]) -> Result<Box<dyn Aead>, Refused> {
        Ok(match kind {
            AeadKind::ChaChaPoly => Box::new(Key(ChaCha20Poly1305::new(key.into()))),
            AeadKind::AesGcm => Box::new(Key(Aes256Gcm::new(key.into()))),
        })
    }

    fn kem_generate(&self) -> Result<Box<dyn KemSecret>, Refused> {
        let mut seed = Zeroizing::new([0; 64]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_refused| Refused)?;
        let public = from_seed(&seed).encapsulation_key().to_bytes().to_vec();
        Ok(Box::new(Seeded { seed, public }))
    }

    fn kem_encapsulate(
        &self,
        public: &[u8],
        out: &mut [u8],
    ) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut_slice()).map_err(|_refused| Refused)?;
        encapsulate_with(&random, public, out)
    }
}

pub(super) fn encapsulate_with(
    random: &[u8; 32],
    public: &[u8],
    out: &mut [u8],
) -> Result<Zeroizing<[u8; 32]>, Refused> {
    let encoded = public.try_into().map_err(|_refused| Refused)?;
    // spec: H-7 (the key check of FIPS 203 is part of decoding)
    let key = EncapsulationKey768::new(encoded).map_err(|_refused| Refused)?;
    let (ciphertext, mut shared) = key.encapsulate_deterministic(random.into());
    if out.len() != ciphertext.len() {
        return Err(Refused);
    }
    out.copy_from_slice(&ciphertext);
    let secret = Zeroizing::new(shared.0);
    shared.zeroize();
    Ok(secret)
}

fn from_seed(seed: &[u8; 64]) -> DecapsulationKey768 {
    let mut copy = Seed::from(*seed);
    let key = DecapsulationKey768::from_seed(copy);
    copy.zeroize();
    key
}

/// A fresh key pair as the seed it is made of: while it waits for the answer it takes a twentieth of the whole
/// key's memory (spec: L-10), and making the key once more costs less than a key agreement.
struct Seeded {
    seed: Zeroizing<[u8; 64]>,
    public: Vec<u8>,
}

impl KemSecret for Seeded {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        decapsulate(&from_seed(&self.seed), ciphertext)
    }
}

fn decapsulate(
    secret: &DecapsulationKey768,
    ciphertext: &[u8],
) -> Result<Zeroizing<[u8; 32]>, Refused> {
    let ciphertext = ciphertext.try_into().map_err(|_refused| Refused)?;
    let mut shared = secret.decapsulate(ciphertext);
    let secret = Zeroizing::new(shared.0);
    shared.zeroize();
    Ok(secret)
}

/// A whole key pair, for published vectors.
#[cfg(test)]
pub(super) struct Secret {
    secret: DecapsulationKey768,
    public: Vec<u8>,
}

#[cfg(test)]
impl Secret {
    pub(super) fn of(secret: DecapsulationKey768) -> Self {
        let public = secret.encapsulation_key().to_bytes().to_vec();
        Self { secret, public }
    }
}

#[cfg(test)]
impl KemSecret for Secret {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        decapsulate(&self.secret, ciphertext)
    }
}

struct Key<C>(C);

impl<C> Aead for Key<C>
where
    C: AeadInOut<NonceSize = aes_gcm::aead::consts::U12, TagSize = aes_gcm::aead::consts::U16>
        + Send
        + Sync,
{
    fn seal(&self, nonce: Nonce, ad: &[u8], buffer: &mut [u8]) -> Result<(), Refused> {
        let (text, room) = buffer.split_last_chunk_mut::<16>().ok_or(Refused)?;
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.0.into(), ad, text.into())
            .map_err(|_refused| Refused)?;
        room.copy_from_slice(&tag);
        Ok(())
    }

    fn seal_from(
        &self,
        nonce: Nonce,
        body: &[u8],
        kind: u8,
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (text, _) = out.split_last_chunk_mut::<16>().ok_or(Refused)?;
        let (last, head) = text.split_last_mut().ok_or(Refused)?;
        if head.len() != body.len() {
            return Err(Refused);
        }
        head.copy_from_slice(body);
        *last = kind;
        self.seal(nonce, &[], out)
    }

    fn open(&self, nonce: Nonce, ad: &[u8], record: &mut [u8]) -> Result<(), Refused> {
        let (text, tag) = record.split_last_chunk_mut::<16>().ok_or(Refused)?;
        self.0
            .decrypt_inout_detached(&nonce.0.into(), ad, text.into(), &(*tag).into())
            .map_err(|_refused| Refused)
    }

    fn open_into(&self, nonce: Nonce, record: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        let (sealed, tag) = record.split_last_chunk::<16>().ok_or(Refused)?;
        if sealed.len() != out.len() {
            return Err(Refused);
        }
        out.copy_from_slice(sealed);
        self.0
            .decrypt_inout_detached(&nonce.0.into(), &[], out.into(), &(*tag).into())
            .map_err(|_refused| Refused)
    }
}
