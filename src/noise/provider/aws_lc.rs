//! The primitives of AWS-LC.

use aws_lc_rs::{
    aead::{self, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey},
    agreement::{self, PrivateKey, UnparsedPublicKey, X25519},
    kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768},
};
use zeroize::Zeroizing;

use super::{Aead, AeadKind, Agree, Backend, KemSecret, Nonce, Refused};

pub(super) struct AwsLc;

impl Backend for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc"
    }

    fn public_key(&self, secret: &[u8; 32]) -> Result<[u8; 32], Refused> {
        Agreeing::of(secret)?.public_key()
    }

    fn dh(&self, secret: &[u8; 32], public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        Agreeing::of(secret)?.dh(public)
    }

    // AWS-LC derives the public key with each key it is given, which costs a third of an agreement.
    fn prepare(&self, secret: &[u8; 32]) -> Option<Box<dyn Agree>> {
        let ready = Agreeing::of(secret).ok()?;
        Some(Box::new(ready))
    }

    fn aead(&self, kind: AeadKind, key: &[u8; 32]) -> Result<Box<dyn Aead>, Refused> {
        let algorithm = match kind {
            AeadKind::ChaChaPoly => &CHACHA20_POLY1305,
            AeadKind::AesGcm => &AES_256_GCM,
        };
        let unbound = UnboundKey::new(algorithm, key).map_err(|_refused| Refused)?;
        Ok(Box::new(Key(LessSafeKey::new(unbound))))
    }

    fn kem_generate(&self) -> Result<Box<dyn KemSecret>, Refused> {
        let secret = DecapsulationKey::generate(&ML_KEM_768).map_err(|_refused| Refused)?;
        let public = secret.encapsulation_key().map_err(|_refused| Refused)?;
        let public = public
            .key_bytes()
            .map_err(|_refused| Refused)?
            .as_ref()
            .to_vec();
        Ok(Box::new(Secret { secret, public }))
    }

    fn kem_encapsulate(
        &self,
        public: &[u8],
        out: &mut [u8],
    ) -> Result<Zeroizing<[u8; 32]>, Refused> {
        // spec: H-7 (a key with coefficients out of range is refused here)
        let key = EncapsulationKey::new(&ML_KEM_768, public).map_err(|_refused| Refused)?;
        let (ciphertext, shared) = key.encapsulate().map_err(|_refused| Refused)?;
        if out.len() != ciphertext.as_ref().len() {
            return Err(Refused);
        }
        out.copy_from_slice(ciphertext.as_ref());
        shared32(shared.as_ref())
    }
}

struct Agreeing(PrivateKey);

impl Agreeing {
    fn of(secret: &[u8; 32]) -> Result<Self, Refused> {
        let key = PrivateKey::from_private_key(&X25519, secret);
        key.map(Self).map_err(|_refused| Refused)
    }
}

impl Agree for Agreeing {
    fn public_key(&self) -> Result<[u8; 32], Refused> {
        let public = self.0.compute_public_key().map_err(|_refused| Refused)?;
        public.as_ref().try_into().map_err(|_refused| Refused)
    }

    fn dh(&self, public: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let public = UnparsedPublicKey::new(&X25519, public);
        agreement::agree(&self.0, public, Refused, shared32)
    }
}

fn shared32(shared: &[u8]) -> Result<Zeroizing<[u8; 32]>, Refused> {
    let mut secret = Zeroizing::new([0; 32]);
    if shared.len() != secret.len() {
        return Err(Refused);
    }
    secret.copy_from_slice(shared);
    Ok(secret)
}

pub(super) struct Secret {
    pub(super) secret: DecapsulationKey,
    pub(super) public: Vec<u8>,
}

impl KemSecret for Secret {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Refused> {
        let shared = self
            .secret
            .decapsulate(Ciphertext::from(ciphertext))
            .map_err(|_refused| Refused)?;
        shared32(shared.as_ref())
    }
}

struct Key(LessSafeKey);

fn unique(nonce: Nonce) -> aead::Nonce {
    aead::Nonce::assume_unique_for_key(nonce.0)
}

impl Aead for Key {
    fn seal(&self, nonce: Nonce, ad: &[u8], buffer: &mut [u8]) -> Result<(), Refused> {
        let (text, room) = buffer.split_last_chunk_mut::<16>().ok_or(Refused)?;
        let tag = self
            .0
            .seal_in_place_separate_tag(unique(nonce), Aad::from(ad), text)
            .map_err(|_refused| Refused)?;
        room.copy_from_slice(tag.as_ref());
        Ok(())
    }

    fn seal_from(
        &self,
        nonce: Nonce,
        body: &[u8],
        kind: u8,
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (head, rest) = out.split_at_mut_checked(body.len()).ok_or(Refused)?;
        self.0
            .seal_out_of_place_scatter(unique(nonce), Aad::empty(), body, head, &[kind], rest)
            .map_err(|_refused| Refused)
    }

    fn open(&self, nonce: Nonce, ad: &[u8], record: &mut [u8]) -> Result<(), Refused> {
        self.0
            .open_in_place(unique(nonce), Aad::from(ad), record)
            .map(|_text| ())
            .map_err(|_refused| Refused)
    }

    fn open_into(&self, nonce: Nonce, record: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        let (sealed, tag) = record.split_last_chunk::<16>().ok_or(Refused)?;
        self.0
            .open_separate_gather(unique(nonce), Aad::empty(), sealed, tag, out)
            .map_err(|_refused| Refused)
    }
}
