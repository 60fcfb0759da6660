//! Records after the handshake: two ciphers and no opinions (spec: section 4).

use super::handshake::Role;
use super::symmetric::RawCipher;
use super::wire::{RawFrame, RawRecord, take_body, with_length};

/// What became of a record that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The plaintext.
    Plaintext(Vec<u8>),
    /// A body that does not open under the next counter; the counter stays.
    Broken(Vec<u8>),
}

/// Both directions of a session; keys and counters are free to be set to anything.
#[derive(Clone, Debug)]
pub struct RawSession {
    /// Which side this is.
    pub role: Role,
    /// Seals what we send.
    pub send: RawCipher,
    /// Opens what we receive.
    pub receive: RawCipher,
    /// The handshake hash.
    pub hash: [u8; 32],
    /// The peer's static key.
    pub remote_static: [u8; 32],
}

impl RawSession {
    /// A record of any plaintext, length included; the counter moves.
    pub fn seal_plaintext(&mut self, plaintext: &[u8]) -> Vec<u8> {
        with_length(&self.send.encrypt(&[], plaintext))
    }

    /// A record of known kind.
    pub fn seal(&mut self, record: &RawRecord) -> Vec<u8> {
        self.seal_plaintext(&record.encode())
    }

    /// A BATCH of these frames.
    pub fn seal_frames(&mut self, frames: &[RawFrame]) -> Vec<u8> {
        self.seal(&RawRecord::Batch(frames.to_vec()))
    }

    /// Takes the next record off the input once it is whole.
    pub fn open(&mut self, input: &mut Vec<u8>) -> Option<Opened> {
        let body = take_body(input)?;
        Some(match self.receive.decrypt(&[], &body) {
            Some(plaintext) => Opened::Plaintext(plaintext),
            None => Opened::Broken(body),
        })
    }

    /// Replaces our sealing key, as REKEY announces.
    pub fn rekey_send(&mut self) {
        self.send.rekey();
    }

    /// Replaces our opening key, as the peer's REKEY announces.
    pub fn rekey_receive(&mut self) {
        self.receive.rekey();
    }
}
