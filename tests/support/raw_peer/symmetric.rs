//! The symmetric half of Noise: hash, key derivation, cipher (Noise revision 34, section 5).

use aes_gcm::Aes256Gcm;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::AeadInOut;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Which cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aead {
    /// ChaCha20-Poly1305.
    ChaChaPoly,
    /// AES-256-GCM.
    AesGcm,
}

impl Aead {
    /// The 96-bit nonce of a counter (spec: T-3).
    pub fn nonce(self, counter: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&match self {
            Self::ChaChaPoly => counter.to_le_bytes(),
            Self::AesGcm => counter.to_be_bytes(),
        });
        nonce
    }
}

/// A key and the counter of the next use; both are free to be set to anything.
#[derive(Clone, Debug)]
pub struct RawCipher {
    /// The cipher.
    pub aead: Aead,
    /// The key.
    pub key: [u8; 32],
    /// The counter that the next call uses.
    pub counter: u64,
}

impl RawCipher {
    /// A cipher that starts at counter 0.
    pub const fn new(aead: Aead, key: [u8; 32]) -> Self {
        Self {
            aead,
            key,
            counter: 0,
        }
    }

    /// `ENCRYPT(key, counter, ad, plaintext)`; touches no counter.
    pub fn encrypt_at(&self, counter: u64, ad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce = self.aead.nonce(counter).into();
        let mut sealed = plaintext.to_vec();
        let buffer = sealed.as_mut_slice().into();
        let tag = match self.aead {
            Aead::ChaChaPoly => {
                ChaCha20Poly1305::new(&self.key.into()).encrypt_inout_detached(&nonce, ad, buffer)
            }
            Aead::AesGcm => {
                Aes256Gcm::new(&self.key.into()).encrypt_inout_detached(&nonce, ad, buffer)
            }
        };
        sealed.extend(tag.expect("every size here is within the cipher's bounds"));
        sealed
    }

    /// `DECRYPT(key, counter, ad, ciphertext)`; touches no counter.
    pub fn decrypt_at(&self, counter: u64, ad: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
        let nonce = self.aead.nonce(counter).into();
        let (sealed, tag) = ciphertext.split_last_chunk::<16>()?;
        let tag = (*tag).into();
        let mut opened = sealed.to_vec();
        let buffer = opened.as_mut_slice().into();
        match self.aead {
            Aead::ChaChaPoly => ChaCha20Poly1305::new(&self.key.into())
                .decrypt_inout_detached(&nonce, ad, buffer, &tag),
            Aead::AesGcm => {
                Aes256Gcm::new(&self.key.into()).decrypt_inout_detached(&nonce, ad, buffer, &tag)
            }
        }
        .ok()?;
        Some(opened)
    }

    /// Encrypts with the next counter.
    pub fn encrypt(&mut self, ad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let ciphertext = self.encrypt_at(self.counter, ad, plaintext);
        self.counter = self.counter.wrapping_add(1);
        ciphertext
    }

    /// Decrypts with the next counter, which moves on success only.
    pub fn decrypt(&mut self, ad: &[u8], ciphertext: &[u8]) -> Option<Vec<u8>> {
        let plaintext = self.decrypt_at(self.counter, ad, ciphertext)?;
        self.counter = self.counter.wrapping_add(1);
        Some(plaintext)
    }

    /// Replaces the key by its successor; the counter goes on (spec: T-10).
    pub fn rekey(&mut self) {
        let block = self.encrypt_at(u64::MAX, &[], &[0; 32]);
        self.key.copy_from_slice(&block[..32]);
    }
}

/// Noise's `SymmetricState` over SHA-256.
#[derive(Clone, Debug)]
pub struct Symmetric {
    /// The chaining key.
    pub chaining_key: [u8; 32],
    /// The handshake hash so far.
    pub hash: [u8; 32],
    /// The cipher, once a key is set.
    pub cipher: Option<RawCipher>,
    aead: Aead,
}

impl Symmetric {
    /// `InitializeSymmetric(name)`.
    pub fn new(name: &str, aead: Aead) -> Self {
        let mut hash = [0; 32];
        match hash.get_mut(..name.len()) {
            Some(start) => start.copy_from_slice(name.as_bytes()),
            None => hash = Sha256::digest(name.as_bytes()).into(),
        }
        Self {
            chaining_key: hash,
            hash,
            cipher: None,
            aead,
        }
    }

    /// `MixHash(bytes)`.
    pub fn mix_hash(&mut self, bytes: &[u8]) {
        self.hash = Sha256::new()
            .chain_update(self.hash)
            .chain_update(bytes)
            .finalize()
            .into();
    }

    /// `MixKey(material)`.
    pub fn mix_key(&mut self, material: &[u8]) {
        let [chaining_key, key, _] = hkdf(&self.chaining_key, material);
        self.chaining_key = chaining_key;
        self.cipher = Some(RawCipher::new(self.aead, key));
    }

    /// `MixKeyAndHash(material)`.
    pub fn mix_key_and_hash(&mut self, material: &[u8]) {
        let [chaining_key, hash, key] = hkdf(&self.chaining_key, material);
        self.chaining_key = chaining_key;
        self.mix_hash(&hash);
        self.cipher = Some(RawCipher::new(self.aead, key));
    }

    /// `EncryptAndHash(plaintext)`.
    pub fn encrypt_and_hash(&mut self, plaintext: &[u8]) -> Vec<u8> {
        let hash = self.hash;
        let ciphertext = match &mut self.cipher {
            Some(cipher) => cipher.encrypt(&hash, plaintext),
            None => plaintext.to_vec(),
        };
        self.mix_hash(&ciphertext);
        ciphertext
    }

    /// `DecryptAndHash(ciphertext)`.
    pub fn decrypt_and_hash(&mut self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let hash = self.hash;
        let plaintext = match &mut self.cipher {
            Some(cipher) => cipher.decrypt(&hash, ciphertext)?,
            None => ciphertext.to_vec(),
        };
        self.mix_hash(ciphertext);
        Some(plaintext)
    }

    /// `Split()`: the initiator's and the responder's record cipher (spec: H-11).
    pub fn split(&self) -> (RawCipher, RawCipher) {
        let [first, second, _] = hkdf(&self.chaining_key, &[]);
        (
            RawCipher::new(self.aead, first),
            RawCipher::new(self.aead, second),
        )
    }

    /// How many bytes `EncryptAndHash` adds now.
    pub const fn tag(&self) -> usize {
        if self.cipher.is_some() { 16 } else { 0 }
    }
}

fn hmac(key: &[u8; 32], parts: [&[u8]; 2]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Noise's `HKDF` with three outputs; the first two are those of the two-output form.
fn hkdf(chaining_key: &[u8; 32], material: &[u8]) -> [[u8; 32]; 3] {
    let temporary = hmac(chaining_key, [material, &[]]);
    let first = hmac(&temporary, [&[], &[1]]);
    let second = hmac(&temporary, [&first, &[2]]);
    let third = hmac(&temporary, [&second, &[3]]);
    [first, second, third]
}
