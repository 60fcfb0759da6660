//! One Noise handshake, exact in its sizes and final in its errors.

use core::fmt;

use snow::{Builder, HandshakeState, params::NoiseParams};
use zeroize::{Zeroize, Zeroizing};

use super::{
    cipher::{Opener, Sealer},
    key::{Psk, PublicKey, SecretKey},
    provider::{AeadKind, Provider},
    resolver::Resolver,
    suite::{Pattern, Suite, noise_name, snow_name},
};

/// The largest handshake message of any pattern and suite, with room for what snow checks.
const ROOM: usize = 1_536;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Initiator,
    Responder,
}

/// Places for a PSK in snow's state.
const PSK_PLACES: usize = 10;

/// What a handshake starts from.
pub(crate) struct Setup<'a> {
    pub(crate) role: Role,
    pub(crate) pattern: Pattern,
    pub(crate) suite: Suite,
    pub(crate) provider: Provider,
    pub(crate) secret: &'a SecretKey,
    pub(crate) remote: Option<&'a PublicKey>,
    pub(crate) psk: Option<&'a Psk>,
    pub(crate) prologue: &'a [u8],
}

/// The handshake failed; from outside every cause looks alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExchangeError;

/// The handshake state. Each step consumes it, so a failed one cannot be called again.
pub(crate) struct Exchange {
    state: Box<HandshakeState>,
    sizes: [usize; 3],
    done: usize,
    role: Role,
    provider: Provider,
    kind: AeadKind,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("role", &self.role)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    // spec: H-1
    pub(crate) fn new(setup: &Setup<'_>) -> Result<Self, ExchangeError> {
        let mut params: NoiseParams = snow_name(setup.pattern, setup.suite)
            .parse()
            .map_err(|_error| ExchangeError)?;
        // spec: W-6
        params.name = noise_name(setup.pattern, setup.suite);
        let resolver = Resolver {
            backend: setup.provider.backend(),
            // snow sets only the static key; ephemerals are generated.
            known: Some(*setup.secret.public_key().as_bytes()),
        };
        let mut builder = Builder::with_resolver(params, Box::new(resolver))
            .local_private_key(setup.secret.bytes())
            .and_then(|builder| builder.prologue(setup.prologue))
            .map_err(|_error| ExchangeError)?;
        if let Some(remote) = setup.remote {
            builder = builder
                .remote_public_key(remote.as_bytes())
                .map_err(|_error| ExchangeError)?;
        }
        if let Some(psk) = setup.psk {
            builder = builder
                .psk(0, psk.bytes())
                .map_err(|_error| ExchangeError)?;
        }
        let state = match setup.role {
            Role::Initiator => builder.build_initiator(),
            Role::Responder => builder.build_responder(),
        };
        Ok(Self {
            state: Box::new(state.map_err(|_error| ExchangeError)?),
            sizes: setup.pattern.message_sizes(setup.suite),
            done: 0,
            role: setup.role,
            provider: setup.provider,
            kind: AeadKind::of(setup.suite),
        })
    }

    fn size(&self) -> Result<usize, ExchangeError> {
        self.sizes.get(self.done).copied().ok_or(ExchangeError)
    }

    /// Appends our next message.
    pub(crate) fn write(mut self, out: &mut Vec<u8>) -> Result<Self, ExchangeError> {
        let size = self.size()?;
        let mut room = [0_u8; ROOM];
        let written = self
            .state
            .write_message(&[], &mut room)
            .map_err(|_error| ExchangeError)?;
        // spec: H-3; a primitive that failed inside snow shows as another size.
        if written != size {
            return Err(ExchangeError);
        }
        out.extend_from_slice(room.get(..size).ok_or(ExchangeError)?);
        self.done = self.done.saturating_add(1);
        Ok(self)
    }

    /// Reads the peer's next message: its size first, then its proof.
    pub(crate) fn read(mut self, message: &[u8]) -> Result<Self, ExchangeError> {
        // spec: H-3
        if message.len() != self.size()? {
            return Err(ExchangeError);
        }
        let mut room = [0_u8; 64];
        match self.state.read_message(message, &mut room) {
            Ok(0) => {}
            Ok(_) | Err(_) => return Err(ExchangeError),
        }
        self.done = self.done.saturating_add(1);
        Ok(self)
    }

    /// The peer's static key, once it is pinned or proven.
    pub(crate) fn remote(&self) -> Option<PublicKey> {
        let bytes = self.state.get_remote_static()?;
        Some(PublicKey::from_bytes(*bytes.first_chunk::<32>()?))
    }

    /// The transcript's hash and one cipher for each direction.
    // spec: H-11
    pub(crate) fn finish(mut self) -> Result<(Sealer, Opener, [u8; 32]), ExchangeError> {
        // Before its end a handshake would give two strangers equal keys.
        if !self.state.is_handshake_finished() {
            return Err(ExchangeError);
        }
        let hash = *self
            .state
            .get_handshake_hash()
            .first_chunk::<32>()
            .ok_or(ExchangeError)?;
        let mut split = self.state.dangerously_get_raw_split();
        let (first, second) = (Zeroizing::new(split.0), Zeroizing::new(split.1));
        split.zeroize();
        let (ours, theirs) = match self.role {
            Role::Initiator => (first, second),
            Role::Responder => (second, first),
        };
        let sealer =
            Sealer::new(self.provider, self.kind, &ours).map_err(|_refused| ExchangeError)?;
        let opener =
            Opener::new(self.provider, self.kind, &theirs).map_err(|_refused| ExchangeError)?;
        Ok((sealer, opener, hash))
    }
}

/// Overwrites what the handshake's steps left on the stack: a value made there keeps it in the places it does not use.
#[inline(never)]
fn clean_stack() {
    let mut below = [0_u8; 32 * 1024];
    core::hint::black_box(&mut below);
}

/// A state that has seen no secret.
fn blank(provider: Provider) -> Result<HandshakeState, snow::Error> {
    let resolver = Resolver {
        backend: provider.backend(),
        known: None,
    };
    let params = "Noise_NN_25519_ChaChaPoly_SHA256".parse()?;
    Builder::with_resolver(params, Box::new(resolver)).build_initiator()
}

impl Drop for Exchange {
    // spec: H-12
    fn drop(&mut self) {
        // snow wipes nothing. Its chaining key, from which the session's first keys follow, and its copy of the PSK
        // stand in its state: another state takes its place, made on a stack that holds no keys of this handshake.
        clean_stack();
        if let Ok(blank) = blank(self.provider) {
            *self.state = blank;
        }
        // A place without a PSK is not written when it is made.
        for place in 0..PSK_PLACES {
            let _overwritten = self.state.set_psk(place, &[0; 32]);
        }
        // What is about to be freed must not look as if it need not be written.
        core::hint::black_box(&mut self.state);
    }
}
