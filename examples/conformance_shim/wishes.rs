//! How the kit wishes a session to be, and the configuration that makes it so.

use std::time::Duration;

use duologue::{
    Config, PeerPolicy, Psk, PublicKey, SecretKey, Session, Suite, dial,
    net::{DialError, dial_unpinned},
};
use serde::Deserialize;

use crate::{
    Primitives,
    words::{Failure, No, Role, failure, no, text},
};

/// How the kit wants a session; what is absent is at its default.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wishes {
    pub(crate) secret: String,
    pub(crate) suites: Vec<u8>,
    pub(crate) patterns: Vec<u8>,
    pub(crate) remote: Option<String>,
    pub(crate) accept: Option<Vec<String>>,
    pub(crate) psk: Option<String>,
    pub(crate) context: String,
    pub(crate) protocols: Option<Vec<String>>,
    pub(crate) max_message: Option<u64>,
    pub(crate) idle_ms: Option<u64>,
    pub(crate) handshake_ms: Option<u64>,
    pub(crate) end_ms: Option<u64>,
    pub(crate) stall_ms: Option<u64>,
    pub(crate) app: App,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum App {
    #[default]
    Echo,
    Manual,
}

pub(crate) struct Wanted {
    pub(crate) config: Config,
    remote: Option<PublicKey>,
}

fn bytes32(name: &str, text: &str) -> Result<[u8; 32], No> {
    let bytes = hex::decode(text).map_err(|error| no(format!("{name}: {error}")))?;
    bytes
        .try_into()
        .map_err(|_bytes| no(format!("{name} has not 32 bytes")))
}

impl Wanted {
    pub(crate) fn responder(wishes: &Wishes, primitives: Primitives) -> Result<Self, No> {
        // With a pre-shared key we take the patterns that use it, without one the others.
        let taken: &[u8] = if wishes.psk.is_some() {
            &[16, 17]
        } else {
            &[0, 1]
        };
        if !wishes.patterns.is_empty() && wishes.patterns != taken {
            return Err(No::Unsupported("a choice of patterns".into()));
        }
        let config = Self::config(wishes, primitives)?;
        Ok(Self {
            config,
            remote: None,
        })
    }

    pub(crate) fn initiator(wishes: &Wishes, primitives: Primitives) -> Result<Self, No> {
        let &[pattern] = wishes.patterns.as_slice() else {
            return Err(no("an initiator is given one pattern"));
        };
        let pinned = matches!(pattern, 1 | 17);
        if matches!(pattern, 16 | 17) != wishes.psk.is_some() {
            return Err(No::Unsupported("a pre-shared key that is not used".into()));
        }
        let config = Self::config(wishes, primitives)?;
        let remote = match (&wishes.remote, pinned) {
            (Some(key), true) => Some(PublicKey::from_bytes(bytes32("remote", key)?)),
            (None, true) => return Err(no("XK pins a key")),
            (_, false) => None,
        };
        Ok(Self { config, remote })
    }

    fn config(wishes: &Wishes, primitives: Primitives) -> Result<Config, No> {
        let mut secret = bytes32("secret", &wishes.secret)?;
        let mut config = Config::new(SecretKey::from_bytes(&mut secret))
            .provider(primitives.provider())
            .context(hex::decode(&wishes.context).map_err(no)?)
            .idle_timeout(
                wishes
                    .idle_ms
                    .filter(|ms| *ms > 0)
                    .map(Duration::from_millis),
            );
        if !wishes.suites.is_empty() {
            let known = |id: &u8| Suite::from_id(*id).ok_or_else(|| no(format!("no suite {id}")));
            let suites: Result<Vec<Suite>, No> = wishes.suites.iter().map(known).collect();
            config = config.suites(suites?);
        }
        config = config.peers(match &wishes.accept {
            None => PeerPolicy::dangerous_any(),
            Some(keys) => {
                let key = |text: &String| bytes32("accept", text).map(PublicKey::from_bytes);
                PeerPolicy::pinned(keys.iter().map(key).collect::<Result<Vec<_>, No>>()?)
            }
        });
        if let Some(psk) = &wishes.psk {
            config = config.psk(Psk::from_bytes(&mut bytes32("psk", psk)?));
        }
        for name in wishes.protocols.iter().flatten() {
            config = config.protocol(name);
        }
        if let Some(bytes) = wishes.max_message {
            config = config.max_message(bytes);
        }
        if let Some(ms) = wishes.handshake_ms {
            config = config.handshake_deadline(Duration::from_millis(ms));
        }
        if let Some(ms) = wishes.end_ms {
            config = config.end_deadline(Duration::from_millis(ms));
        }
        if let Some(ms) = wishes.stall_ms {
            config = config.write_stall_limit(Duration::from_millis(ms));
        }
        config.check().map_err(no)?;
        Ok(config)
    }

    pub(crate) async fn dial(&self, address: &str) -> Result<Session, Failure> {
        let dialled = match &self.remote {
            Some(remote) => dial(address, remote, &self.config).await,
            None => dial_unpinned(address, &self.config).await,
        };
        dialled.map_err(|error| match &error {
            DialError::Handshake { error, .. } => failure(error, Role::Initiator),
            other => text(other),
        })
    }
}
