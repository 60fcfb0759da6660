//! What snow asks for, answered by a provider, with keys that are wiped.

use sha2::{Digest, Sha256};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice, KemChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Kem, Random},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::provider::{Aead, AeadKind, Agree, Backend, KemSecret, Refused};

/// ML-KEM-768: sizes of the encapsulation key and of the ciphertext (FIPS 203, table 3; spec: H-6).
const KEM_PUBLIC: usize = 1184;
const KEM_CIPHERTEXT: usize = 1088;

pub(super) struct Resolver {
    pub(super) backend: &'static dyn Backend,
    /// The static key pair's public half, so that snow does not derive it anew.
    pub(super) known: Option<[u8; 32]>,
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SystemRandom))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        (*choice == DHChoice::Curve25519).then(|| -> Box<dyn Dh> {
            Box::new(X25519 {
                backend: self.backend,
                known: self.known,
                secret: Zeroizing::new([0; 32]),
                ready: None,
                public: [0; 32],
            })
        })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        (*choice == HashChoice::SHA256).then(|| -> Box<dyn Hash> { Box::new(Sha(Sha256::new())) })
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        let kind = match choice {
            CipherChoice::ChaChaPoly => AeadKind::ChaChaPoly,
            CipherChoice::AESGCM => AeadKind::AesGcm,
        };
        Some(Box::new(HandshakeCipher {
            backend: self.backend,
            kind,
            key: None,
        }))
    }

    fn resolve_kem(&self, _choice: &KemChoice) -> Option<Box<dyn Kem>> {
        Some(Box::new(MlKem {
            backend: self.backend,
            secret: None,
        }))
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(out).map_err(|_none| Error::Rng)
    }
}

struct X25519 {
    backend: &'static dyn Backend,
    known: Option<[u8; 32]>,
    secret: Zeroizing<[u8; 32]>,
    ready: Option<Box<dyn Agree>>,
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        if let Ok(secret) = <&[u8; 32]>::try_from(secret) {
            self.secret.copy_from_slice(secret);
            self.ready = self.backend.prepare(secret);
            // A key that the provider refuses leaves the all-zero public key, whose DH is refused.
            self.public = match self.known.take() {
                Some(known) => known,
                None => self.derive().unwrap_or_default(),
            };
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        // spec: H-5
        rng.try_fill_bytes(self.secret.as_mut_slice())?;
        self.ready = self.backend.prepare(&self.secret);
        self.public = self.derive().map_err(|_refused| Error::Dh)?;
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_slice()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let public = public.first_chunk::<32>().ok_or(Error::Dh)?;
        let shared = match &self.ready {
            Some(ready) => ready.dh(public),
            None => self.backend.dh(&self.secret, public),
        };
        let shared = shared.map_err(|_refused| Error::Dh)?;
        // spec: H-4 (all bytes are looked at, whatever the first are)
        if bool::from(shared.ct_eq(&[0; 32])) {
            return Err(Error::Dh);
        }
        out.first_chunk_mut::<32>()
            .ok_or(Error::Dh)?
            .copy_from_slice(shared.as_slice());
        Ok(())
    }
}

impl X25519 {
    fn derive(&self) -> Result<[u8; 32], Refused> {
        match &self.ready {
            Some(ready) => ready.public_key(),
            None => self.backend.public_key(&self.secret),
        }
    }
}

struct Sha(Sha256);

impl Hash for Sha {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn input(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn result(&mut self, out: &mut [u8]) {
        if let Some(out) = out.first_chunk_mut::<32>() {
            *out = self.0.finalize_reset().into();
        }
    }
}

struct HandshakeCipher {
    backend: &'static dyn Backend,
    kind: AeadKind,
    key: Option<Box<dyn Aead>>,
}

impl Cipher for HandshakeCipher {
    fn name(&self) -> &'static str {
        match self.kind {
            AeadKind::ChaChaPoly => "ChaChaPoly",
            AeadKind::AesGcm => "AESGCM",
        }
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = self.backend.aead(self.kind, key).ok();
    }

    fn encrypt(&self, nonce: u64, ad: &[u8], text: &[u8], out: &mut [u8]) -> usize {
        // snow cannot be told of a failure here; a length of nothing makes its message too short,
        // which `Exchange` refuses to send.
        let sealed = text.len().saturating_add(16);
        let Some(out) = out.get_mut(..sealed) else {
            return 0;
        };
        let Some(head) = out.get_mut(..text.len()) else {
            return 0;
        };
        head.copy_from_slice(text);
        let nonce = self.kind.nonce(nonce);
        match self.key.as_ref().map(|key| key.seal(nonce, ad, out)) {
            Some(Ok(())) => sealed,
            Some(Err(_)) | None => {
                out.fill(0);
                0
            }
        }
    }

    fn decrypt(
        &self,
        nonce: u64,
        ad: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let key = self.key.as_ref().ok_or(Error::Decrypt)?;
        let mut copy = Zeroizing::new(sealed.to_vec());
        key.open(self.kind.nonce(nonce), ad, &mut copy)
            .map_err(|_refused| Error::Decrypt)?;
        let text = copy
            .len()
            .checked_sub(16)
            .and_then(|len| copy.get(..len))
            .ok_or(Error::Decrypt)?;
        out.get_mut(..text.len())
            .ok_or(Error::Decrypt)?
            .copy_from_slice(text);
        Ok(text.len())
    }
}

struct MlKem {
    backend: &'static dyn Backend,
    secret: Option<Box<dyn KemSecret>>,
}

impl Kem for MlKem {
    fn name(&self) -> &'static str {
        "MLKEM768"
    }

    fn pub_len(&self) -> usize {
        KEM_PUBLIC
    }

    fn ciphertext_len(&self) -> usize {
        KEM_CIPHERTEXT
    }

    fn shared_secret_len(&self) -> usize {
        32
    }

    fn generate(&mut self, _rng: &mut dyn Random) {
        self.secret = self.backend.kem_generate().ok();
    }

    fn pubkey(&self) -> &[u8] {
        // snow cannot be told that there is no key: the short message is refused by `Exchange`.
        self.secret.as_ref().map_or(&[], |secret| secret.public())
    }

    fn encapsulate(
        &self,
        public: &[u8],
        shared: &mut [u8],
        out: &mut [u8],
    ) -> Result<(usize, usize), Error> {
        let secret = self
            .backend
            .kem_encapsulate(public, out)
            .map_err(|_refused| Error::Kem)?;
        shared
            .first_chunk_mut::<32>()
            .ok_or(Error::Kem)?
            .copy_from_slice(secret.as_slice());
        Ok((32, KEM_CIPHERTEXT))
    }

    fn decapsulate(&self, ciphertext: &[u8], shared: &mut [u8]) -> Result<usize, Error> {
        let key = self.secret.as_ref().ok_or(Error::Kem)?;
        let secret = key.decapsulate(ciphertext).map_err(|_refused| Error::Kem)?;
        shared
            .first_chunk_mut::<32>()
            .ok_or(Error::Kem)?
            .copy_from_slice(secret.as_slice());
        Ok(32)
    }
}
