//! The hello, the status byte and the refusal list (spec: section 2.2).

use core::fmt;

use super::limits::REFUSAL_ENTRIES;

/// Bytes of the hello.
pub(crate) const HELLO: usize = 8;
const MAGIC: [u8; 3] = *b"duo";
const VERSION: u8 = 1;
/// The responder's first body is message 2.
pub(crate) const STATUS_ACCEPT: u8 = 0x00;
const STATUS_REFUSE: u8 = 0x01;

/// A version, suite and pattern, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Offer {
    /// The protocol's version.
    pub version: u8,
    /// The suite's number ([`Suite::from_id`](crate::Suite::from_id)).
    pub suite: u8,
    /// The pattern's number ([`Pattern::from_id`](crate::Pattern::from_id)).
    pub pattern: u8,
}

impl Offer {
    pub(crate) const fn new(suite: u8, pattern: u8) -> Self {
        Self {
            version: VERSION,
            suite,
            pattern,
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "version {} suite {} pattern {}",
            self.version, self.suite, self.pattern
        )
    }
}

/// The first bytes of an initiator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) offer: Offer,
}

/// Why a hello is not one that we can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HelloFault {
    /// Not this protocol at all: answered with nothing.
    NotOurs,
    /// Another version of it: answered with the refusal list.
    Foreign(Offer),
}

impl Hello {
    // spec: W-7
    pub(crate) const fn bytes(self) -> [u8; HELLO] {
        let [d, u, o] = MAGIC;
        let Offer {
            version,
            suite,
            pattern,
        } = self.offer;
        [d, u, o, version, suite, pattern, 0, 0]
    }

    // spec: W-8
    pub(crate) fn judge(bytes: [u8; HELLO]) -> Result<Self, HelloFault> {
        let [d, u, o, version, suite, pattern, zero, null] = bytes;
        if [d, u, o] != MAGIC {
            return Err(HelloFault::NotOurs);
        }
        let offer = Offer {
            version,
            suite,
            pattern,
        };
        if version != VERSION || zero != 0 || null != 0 {
            return Err(HelloFault::Foreign(offer));
        }
        Ok(Self { offer })
    }
}

/// What a responder would take: unauthenticated, advice for the error text only (spec: W-11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(Vec<Offer>);

impl Refusal {
    pub(crate) fn new(offers: impl IntoIterator<Item = Offer>) -> Self {
        Self(offers.into_iter().take(REFUSAL_ENTRIES).collect())
    }

    pub(crate) fn into_offers(self) -> Vec<Offer> {
        self.0
    }

    /// Appends the whole body with its status byte.
    // spec: W-9
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.push(STATUS_REFUSE);
        for offer in &self.0 {
            out.extend_from_slice(&[offer.version, offer.suite, offer.pattern]);
        }
    }

    /// Whether a first body of this length can be a list.
    // spec: W-10
    pub(crate) fn fits(length: usize) -> bool {
        let most = REFUSAL_ENTRIES.saturating_mul(3).saturating_add(1);
        (4..=most).contains(&length) && length % 3 == 1
    }

    /// Reads a whole body.
    pub(crate) fn take(body: &[u8]) -> Option<Self> {
        let (&STATUS_REFUSE, list) = body.split_first()? else {
            return None;
        };
        if !Self::fits(body.len()) {
            return None;
        }
        let (triples, _rest) = list.as_chunks::<3>();
        Some(Self::new(triples.iter().map(
            |&[version, suite, pattern]| Offer {
                version,
                suite,
                pattern,
            },
        )))
    }
}
