//! Record ciphers from keys that a fuzz target knows.

use super::{
    cipher::{BadRecord, Opener, Sealer},
    provider::{AeadKind, Provider},
    suite::Suite,
};

/// Seals with the first key, opens with the second.
pub(crate) fn ciphers(
    provider: Provider,
    suite: Suite,
    keys: &[[u8; 32]; 2],
) -> Result<(Sealer, Opener), BadRecord> {
    let kind = AeadKind::of(suite);
    let [ours, theirs] = keys;
    let sealer = Sealer::new(provider, kind, ours).map_err(|_refused| BadRecord)?;
    let opener = Opener::new(provider, kind, theirs).map_err(|_refused| BadRecord)?;
    Ok((sealer, opener))
}
