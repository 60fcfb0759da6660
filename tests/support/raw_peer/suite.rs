//! Suites, patterns, names, tokens and sizes (spec: W-6, H-1, H-3).

use super::symmetric::Aead;

/// A suite of the specification; `Suite::ALL` is in the order of the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Suite 1.
    ChaChaPoly,
    /// Suite 2.
    AesGcm,
    /// Suite 3.
    HybridChaChaPoly,
    /// Suite 4.
    HybridAesGcm,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 4] = [
        Self::ChaChaPoly,
        Self::AesGcm,
        Self::HybridChaChaPoly,
        Self::HybridAesGcm,
    ];

    /// The byte in the hello.
    pub const fn id(self) -> u8 {
        match self {
            Self::ChaChaPoly => 1,
            Self::AesGcm => 2,
            Self::HybridChaChaPoly => 3,
            Self::HybridAesGcm => 4,
        }
    }

    /// The suite of a byte in the hello.
    pub fn of(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id() == id)
    }

    /// Whether ML-KEM-768 takes part.
    pub const fn is_hybrid(self) -> bool {
        matches!(self, Self::HybridChaChaPoly | Self::HybridAesGcm)
    }

    /// The cipher of handshake and records.
    pub const fn aead(self) -> Aead {
        match self {
            Self::ChaChaPoly | Self::HybridChaChaPoly => Aead::ChaChaPoly,
            Self::AesGcm | Self::HybridAesGcm => Aead::AesGcm,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::ChaChaPoly => "25519_ChaChaPoly_SHA256",
            Self::AesGcm => "25519_AESGCM_SHA256",
            Self::HybridChaChaPoly => "25519+MLKEM768_ChaChaPoly_SHA256",
            Self::HybridAesGcm => "25519+MLKEM768_AESGCM_SHA256",
        }
    }
}

/// A pattern of the specification; `Pattern::ALL` is in the order of the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Pattern 0.
    Xx,
    /// Pattern 1.
    Xk,
    /// Pattern 16.
    XxPsk0,
    /// Pattern 17.
    XkPsk0,
}

/// One step of a Noise message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The ephemeral public key.
    E,
    /// The static public key.
    S,
    /// DH of both ephemeral keys.
    Ee,
    /// DH of the initiator's ephemeral and the responder's static key.
    Es,
    /// DH of the initiator's static and the responder's ephemeral key.
    Se,
    /// The pre-shared key.
    Psk,
    /// The encapsulation key.
    E1,
    /// The encapsulation to it.
    Ekem1,
}

impl Pattern {
    /// Every pattern.
    pub const ALL: [Self; 4] = [Self::Xx, Self::Xk, Self::XxPsk0, Self::XkPsk0];

    /// The byte in the hello.
    pub const fn id(self) -> u8 {
        match self {
            Self::Xx => 0,
            Self::Xk => 1,
            Self::XxPsk0 => 16,
            Self::XkPsk0 => 17,
        }
    }

    /// The pattern of a byte in the hello.
    pub fn of(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.id() == id)
    }

    /// Whether the initiator knows the responder's key beforehand.
    pub const fn is_pinned(self) -> bool {
        matches!(self, Self::Xk | Self::XkPsk0)
    }

    /// Whether a pre-shared key takes part.
    pub const fn has_psk(self) -> bool {
        matches!(self, Self::XxPsk0 | Self::XkPsk0)
    }

    /// The Noise protocol name of this pattern with a suite (spec: W-6).
    pub fn protocol_name(self, suite: Suite) -> String {
        let base = if self.is_pinned() { "XK" } else { "XX" };
        let modifier = match (suite.is_hybrid(), self.has_psk()) {
            (false, false) => "",
            (false, true) => "psk0",
            (true, false) => "hfs",
            (true, true) => "hfs+psk0",
        };
        format!("Noise_{base}{modifier}_{}", suite.name())
    }

    /// The tokens of the three messages (spec: H-1).
    pub fn messages(self, suite: Suite) -> [Vec<Token>; 3] {
        use Token::{E, E1, Ee, Ekem1, Es, Psk, S, Se};
        let mut first = vec![E];
        let mut second = vec![E, Ee];
        if self.has_psk() {
            first.insert(0, Psk);
        }
        if self.is_pinned() {
            first.push(Es);
        }
        if suite.is_hybrid() {
            first.push(E1);
            second.push(Ekem1);
        }
        if !self.is_pinned() {
            second.extend([S, Es]);
        }
        [first, second, vec![S, Se]]
    }

    /// The size of each Noise message with an empty payload (spec: H-3), as the tokens give it.
    pub fn sizes(self, suite: Suite) -> [usize; 3] {
        sizes(&self.messages(suite))
    }
}

/// The sizes of messages of such tokens, payloads empty.
pub fn sizes(messages: &[Vec<Token>; 3]) -> [usize; 3] {
    let has_psk = messages.iter().flatten().any(|token| *token == Token::Psk);
    let mut keyed = false;
    messages.each_ref().map(|tokens| {
        let mut size = 0;
        for token in tokens {
            let tag = if keyed { 16 } else { 0 };
            match token {
                Token::E => size += 32,
                Token::S => size += 32 + tag,
                Token::E1 => size += 1184 + tag,
                Token::Ekem1 => size += 1088 + tag,
                Token::Ee | Token::Es | Token::Se | Token::Psk => {}
            }
            keyed |= match token {
                Token::E => has_psk,
                Token::S | Token::E1 => false,
                Token::Ee | Token::Es | Token::Se | Token::Psk | Token::Ekem1 => true,
            };
        }
        size + if keyed { 16 } else { 0 }
    })
}
