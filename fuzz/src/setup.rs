//! Who takes part: keys, configurations of both kinds, all fixed, so that an input means one thing.

use std::sync::OnceLock;

use duologue::{Config, PeerPolicy, Provider, Psk, PublicKey, SecretKey, Suite};

use crate::{
    input::Input,
    raw_peer::{Options, Pattern as RawPattern, Suite as RawSuite, handshake::public_key},
};

/// Our secret, and the raw peer's.
pub(crate) const OURS: [u8; 32] = [0x31; 32];
pub(crate) const THEIRS: [u8; 32] = [0x42; 32];
pub(crate) const PSK: [u8; 32] = [0x53; 32];

/// Which handshake, and by which provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    pub(crate) suite: usize,
    pub(crate) pattern: usize,
    pub(crate) portable: bool,
}

impl Setup {
    /// One byte: two bits of suite, two of pattern, one of provider.
    pub(crate) fn of(byte: u8) -> Self {
        Self {
            suite: usize::from(byte & 3),
            pattern: usize::from(byte >> 2 & 3),
            portable: byte & 0x10 != 0,
        }
    }

    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        Self::of(input.byte())
    }

    pub(crate) fn suite(self) -> Suite {
        Suite::ALL[self.suite]
    }

    pub(crate) fn raw_pattern(self) -> RawPattern {
        RawPattern::ALL[self.pattern]
    }

    pub(crate) fn raw_suite(self) -> RawSuite {
        RawSuite::ALL[self.suite]
    }

    pub(crate) fn sizes(self) -> [usize; 3] {
        self.raw_pattern().sizes(self.raw_suite())
    }

    pub(crate) fn provider(self) -> Provider {
        if self.portable {
            Provider::portable()
        } else {
            Provider::default()
        }
    }

    /// Our side's configuration, for this handshake alone.
    pub(crate) fn config(self) -> Config {
        let config = ours()
            .clone()
            .suites([self.suite()])
            .provider(self.provider());
        if self.raw_pattern().has_psk() {
            config.psk(Psk::from_bytes(&mut PSK.clone()))
        } else {
            config
        }
    }

    /// The raw peer's key, where this pattern pins it.
    pub(crate) fn pinned(self) -> Option<PublicKey> {
        self.raw_pattern().is_pinned().then(their_key)
    }

    /// The raw peer's side, whose randomness is fixed.
    pub(crate) fn options(self) -> Options {
        let mut options = Options::new(self.raw_suite(), self.raw_pattern(), THEIRS);
        options.remote = Some(*our_key().as_bytes());
        options.psk = Some(PSK);
        options.ephemeral = Some([0x64; 32]);
        options.kem_seed = Some([0x75; 64]);
        options.kem_message = Some([0x86; 32]);
        options
    }
}

fn ours() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        Config::new(SecretKey::from_bytes(&mut OURS.clone()))
            .peers(PeerPolicy::pinned([their_key()]))
    })
}

pub(crate) fn our_key() -> PublicKey {
    static KEY: OnceLock<PublicKey> = OnceLock::new();
    *KEY.get_or_init(|| PublicKey::from_bytes(public_key(OURS)))
}

pub(crate) fn their_key() -> PublicKey {
    static KEY: OnceLock<PublicKey> = OnceLock::new();
    *KEY.get_or_init(|| PublicKey::from_bytes(public_key(THEIRS)))
}
