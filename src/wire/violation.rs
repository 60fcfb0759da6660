use core::fmt;

use super::Code;

/// A rule of the protocol that the peer broke, after it had proven who it is.
///
/// It names the clause of `spec/protocol.md`, so that the author of the other implementation can look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    clause: &'static str,
    what: &'static str,
    code: Code,
}

impl Violation {
    pub(crate) const fn new(clause: &'static str, what: &'static str) -> Self {
        Self {
            clause,
            what,
            code: Code::VIOLATION,
        }
    }

    /// A message above the limit has a code of its own (spec: T-8).
    pub(crate) const fn too_large() -> Self {
        Self {
            clause: "T-8",
            what: "message above the announced max_message",
            code: Code::TOO_LARGE,
        }
    }

    /// The clause that was broken, such as `T-13`.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        self.clause
    }

    /// The code that the ABORT to the peer carries.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (clause {})", self.what, self.clause)
    }
}
