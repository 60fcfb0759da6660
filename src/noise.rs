//! Keys, suites, the handshake on snow behind our resolver, and the record ciphers.

mod cipher;
mod exchange;
#[cfg(all(fuzzing, debug_assertions))]
pub(crate) mod fuzzing;
mod key;
mod key_text;
#[cfg(duologue_ledger)]
mod ledger;
#[cfg(not(duologue_ledger))]
mod ledger {
    //! Nothing is written down outside the tests that ask for it.

    #[derive(Clone, Copy)]
    pub(super) struct KeyId;

    impl KeyId {
        pub(super) fn of(_key: &[u8; 32]) -> Self {
            Self
        }

        pub(super) fn seals(self, _counter: u64) {}
    }
}
mod provider;
mod resolver;
mod suite;

#[cfg(test)]
mod hybrid;
#[cfg(feature = "serde")]
mod key_serde;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub(crate) use cipher::{BadRecord, Opener, Sealer, TAG};
pub(crate) use exchange::{Exchange, Role, Setup};
pub use key::{Psk, PublicKey, RandomError, SecretKey};
pub use key_text::KeyTextError;
pub use provider::Provider;
#[cfg(test)]
pub(crate) use provider::fixed::{Choices, Fixed, opener, sealer};
#[cfg(test)]
pub(crate) use suite::noise_name;
pub use suite::{Pattern, Suite};
