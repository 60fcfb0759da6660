//! A session's settings, checked once.

use super::bugs::{BUGS, Bug};
use crate::control::{App, Config};
use crate::raw_peer::{Options, Pattern, RawParams, Suite};
use std::time::Duration;

/// What one session of the built-in peer goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) secret: [u8; 32],
    pub(crate) suites: Vec<Suite>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) remote: Option<[u8; 32]>,
    pub(crate) accept: Option<Vec<[u8; 32]>>,
    pub(crate) psk: Option<[u8; 32]>,
    pub(crate) context: Vec<u8>,
    pub(crate) max_message: u64,
    pub(crate) handshake: Duration,
    pub(crate) end: Duration,
    pub(crate) stall: Duration,
    pub(crate) echo: bool,
    bug: Option<Bug>,
}

impl Settings {
    /// Reads the settings of the control protocol; an error names the field.
    pub fn new(config: Config, bug: Option<Bug>) -> Result<Self, String> {
        let secret = key("secret", &config.secret)?;
        let all = |ids: &[u8]| ids.is_empty();
        let suites = match all(&config.suites) {
            true => Suite::ALL.to_vec(),
            false => known("suites", &config.suites, Suite::of)?,
        };
        let mut patterns = match all(&config.patterns) {
            true => Pattern::ALL.to_vec(),
            false => known("patterns", &config.patterns, Pattern::of)?,
        };
        if config.psk.is_none() {
            patterns.retain(|pattern| !pattern.has_psk());
        }
        let accept = config.accept.as_ref().map(|keys| {
            let keys = keys.iter().map(|text| key("accept", text));
            keys.collect::<Result<Vec<_>, _>>()
        });
        let milliseconds =
            |value: Option<u64>, default| Duration::from_millis(value.unwrap_or(default));
        Ok(Self {
            secret,
            suites,
            patterns,
            remote: optional_key("remote", config.remote.as_deref())?,
            accept: accept.transpose()?,
            psk: optional_key("psk", config.psk.as_deref())?,
            context: hex::decode(&config.context).map_err(|error| format!("context: {error}"))?,
            max_message: config.max_message.unwrap_or(1 << 24),
            handshake: milliseconds(config.handshake_ms, 10_000),
            end: milliseconds(config.end_ms, 10_000),
            stall: milliseconds(config.stall_ms, 30_000),
            echo: config.app == App::Echo,
            config,
            bug,
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        debug_assert!(BUGS.iter().any(|bug| bug.name == name), "no bug {name}");
        self.bug.is_some_and(|bug| bug.name == name)
    }

    /// The raw engine's options for a handshake of this suite and pattern.
    pub(crate) fn options(&self, suite: Suite, pattern: Pattern) -> Options {
        let mut options = Options::new(suite, pattern, self.secret);
        options.remote = self.remote;
        options.psk = self.psk;
        options.context.clone_from(&self.context);
        options.lies.takes_own_key = true; // judged with the key, not inside the handshake
        options.lies.takes_zero_dh = self.has("accept-zero-dh");
        options.lies.takes_kem_key = self.has("no-kem-check");
        options.lies.takes_payload = self.has("takes-payload");
        options.lies.ignores_sizes = self.has("takes-payload");
        if self.has("context-ignored") {
            options.context.clear();
        }
        if self.has("static-ephemeral") {
            options.ephemeral = Some([0x42; 32]);
        }
        options
    }

    /// What PARAMS says of us, but for the protocols.
    pub(crate) fn params(&self) -> RawParams {
        RawParams {
            protocols: None,
            max_message: self.config.max_message,
            idle_timeout: self.config.idle_ms,
            others: Vec::new(),
        }
    }
}

fn key(field: &str, text: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(text).map_err(|error| format!("{field}: {error}"))?;
    let length = bytes.len();
    let wrong = |_| format!("{field}: {length} bytes, not 32");
    bytes.try_into().map_err(wrong)
}

fn optional_key(field: &str, text: Option<&str>) -> Result<Option<[u8; 32]>, String> {
    text.map(|text| key(field, text)).transpose()
}

fn known<T>(field: &str, ids: &[u8], of: fn(u8) -> Option<T>) -> Result<Vec<T>, String> {
    let one = |id: &u8| of(*id).ok_or_else(|| format!("{field}: unknown id {id}"));
    ids.iter().map(one).collect()
}
