use core::fmt;

/// Why a direction or a session ended, as a number that both sides know (spec: T-21).
///
/// Numbers below 256 belong to the protocol; an application's own start at 256.
///
/// ```
/// use duologue::Code;
///
/// const OUT_OF_TEA: Code = Code::application(7);
/// assert_eq!(OUT_OF_TEA.number(), 263);
/// assert_eq!(Code::GOING_AWAY.to_string(), "going_away");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Code(u32);

impl Code {
    /// An ordinary end.
    pub const NONE: Self = Self(0);
    /// The peer's key is not accepted.
    pub const REFUSED: Self = Self(1);
    /// The two sides agree on no application protocol.
    pub const NO_COMMON_PROTOCOL: Self = Self(2);
    /// The peer broke a rule of the protocol.
    pub const VIOLATION: Self = Self(3);
    /// A message above the receiver's limit.
    pub const TOO_LARGE: Self = Self(4);
    /// A time limit passed.
    pub const TIMEOUT: Self = Self(5);
    /// The session has reached its greatest age.
    pub const EXPIRED: Self = Self(6);
    /// The process is shutting down.
    pub const GOING_AWAY: Self = Self(7);
    /// The application let go of its sending half without ending it.
    pub const DROPPED: Self = Self(8);
    /// The sender of the code failed.
    pub const INTERNAL: Self = Self(9);

    /// The application's code of this number: 256 and up on the wire.
    ///
    /// Numbers above `u32::MAX - 256` are all the same code.
    #[must_use]
    pub const fn application(number: u32) -> Self {
        Self(number.saturating_add(256))
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    pub(super) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "none",
            1 => "refused",
            2 => "no_common_protocol",
            3 => "violation",
            4 => "too_large",
            5 => "timeout",
            6 => "expired",
            7 => "going_away",
            8 => "dropped",
            9 => "internal",
            10..=255 => return write!(f, "code {}", self.0),
            _ => return write!(f, "application code {}", self.0.saturating_sub(256)),
        };
        f.write_str(name)
    }
}
