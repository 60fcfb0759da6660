//! Suites and patterns by number, their Noise names and message sizes (spec: section 2.1).

use core::fmt;

/// Which primitives a session uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Suite {
    /// X25519, ChaCha20-Poly1305, SHA-256.
    ChaChaPoly,
    /// X25519, AES-256-GCM, SHA-256.
    AesGcm,
    /// X25519 with ML-KEM-768, ChaCha20-Poly1305, SHA-256.
    HybridChaChaPoly,
    /// X25519 with ML-KEM-768, AES-256-GCM, SHA-256.
    HybridAesGcm,
}

impl Suite {
    /// All suites, by number.
    pub const ALL: [Self; 4] = [
        Self::ChaChaPoly,
        Self::AesGcm,
        Self::HybridChaChaPoly,
        Self::HybridAesGcm,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::ChaChaPoly => 1,
            Self::AesGcm => 2,
            Self::HybridChaChaPoly => 3,
            Self::HybridAesGcm => 4,
        }
    }

    /// The suite of a number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.id() == id)
    }

    /// Whether ML-KEM-768 takes part in the key agreement.
    #[must_use]
    pub const fn is_hybrid(self) -> bool {
        matches!(self, Self::HybridChaChaPoly | Self::HybridAesGcm)
    }

    pub(super) const fn is_aes(self) -> bool {
        matches!(self, Self::AesGcm | Self::HybridAesGcm)
    }

    /// The default of an initiator: hybrid, with AES-GCM where the processor has AES.
    #[must_use]
    pub fn preferred() -> Self {
        if has_aes() {
            Self::HybridAesGcm
        } else {
            Self::HybridChaChaPoly
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChaChaPoly => "25519_ChaChaPoly_SHA256",
            Self::AesGcm => "25519_AESGCM_SHA256",
            Self::HybridChaChaPoly => "25519+MLKEM768_ChaChaPoly_SHA256",
            Self::HybridAesGcm => "25519+MLKEM768_AESGCM_SHA256",
        })
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// Which Noise handshake opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Pattern {
    /// Both keys are judged when they are proven.
    Xx,
    /// The initiator has pinned the responder's key.
    Xk,
    /// As XX, among holders of one pre-shared key.
    XxPsk0,
    /// As XK, among holders of one pre-shared key.
    XkPsk0,
}

impl Pattern {
    /// All patterns, by number.
    pub const ALL: [Self; 4] = [Self::Xx, Self::Xk, Self::XxPsk0, Self::XkPsk0];

    /// The number on the wire.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Xx => 0,
            Self::Xk => 1,
            Self::XxPsk0 => 16,
            Self::XkPsk0 => 17,
        }
    }

    /// The pattern of a number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|pattern| pattern.id() == id)
    }

    /// Whether the initiator must know the responder's key beforehand.
    #[must_use]
    pub const fn pins_responder(self) -> bool {
        matches!(self, Self::Xk | Self::XkPsk0)
    }

    /// Whether both sides must hold the pre-shared key.
    #[must_use]
    pub const fn uses_psk(self) -> bool {
        matches!(self, Self::XxPsk0 | Self::XkPsk0)
    }

    pub(crate) const fn of(pins_responder: bool, uses_psk: bool) -> Self {
        match (pins_responder, uses_psk) {
            (false, false) => Self::Xx,
            (true, false) => Self::Xk,
            (false, true) => Self::XxPsk0,
            (true, true) => Self::XkPsk0,
        }
    }

    /// The sizes of the three handshake messages with a suite (spec: H-3).
    #[must_use]
    pub(crate) const fn message_sizes(self, suite: Suite) -> [usize; 3] {
        match (self, suite.is_hybrid()) {
            (Self::Xx, false) => [32, 96, 64],
            (Self::Xk | Self::XkPsk0, false) => [48, 48, 64],
            (Self::XxPsk0, false) => [48, 96, 64],
            (Self::Xx, true) => [1216, 1200, 64],
            (Self::Xk | Self::XkPsk0, true) => [1248, 1152, 64],
            (Self::XxPsk0, true) => [1248, 1200, 64],
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xx => "XX",
            Self::Xk => "XK",
            Self::XxPsk0 => "XXpsk0",
            Self::XkPsk0 => "XKpsk0",
        })
    }
}

/// The Noise protocol name, hashed as it stands.
// spec: W-6
pub(crate) fn noise_name(pattern: Pattern, suite: Suite) -> String {
    name_with(pattern, suite, &suite.to_string())
}

/// The name that snow can parse: it knows one KEM only, whose place ours takes.
pub(super) fn snow_name(pattern: Pattern, suite: Suite) -> String {
    name_with(
        pattern,
        suite,
        &suite.to_string().replace("MLKEM768", "Kyber1024"),
    )
}

fn name_with(pattern: Pattern, suite: Suite, suite_text: &str) -> String {
    let base = if pattern.pins_responder() { "XK" } else { "XX" };
    let modifiers = match (suite.is_hybrid(), pattern.uses_psk()) {
        (false, false) => "",
        (false, true) => "psk0",
        (true, false) => "hfs",
        (true, true) => "hfs+psk0",
    };
    format!("Noise_{base}{modifiers}_{suite_text}")
}
