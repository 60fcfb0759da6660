//! ML-KEM-768 beside X25519 (spec: H-6, H-7).

use crate::case::{Case, must};
use crate::conversation::Setup;
use crate::raw_peer::{Pattern, Role, Suite};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = super::handshake::combinations(&[Suite::HybridChaChaPoly, Suite::HybridAesGcm]);
    cases.extend([
        must(
            "H-7/encapsulation-key-out-of-range",
            "an encapsulation key that fails the check ends the handshake",
            |c| {
                c.open(&Setup::responder().with(Suite::HybridChaChaPoly, Pattern::Xx))?;
                c.begin(|lies| lies.kem_key = Some(vec![0xff; 1184]));
                c.write_handshake()?;
                c.closes_silently()
            },
        ),
        must(
            "H-7/one-coefficient-out-of-range",
            "one coefficient equal to q is enough",
            |c| {
                c.open(&Setup::responder().with(Suite::HybridChaChaPoly, Pattern::Xx))?;
                // The last coefficient of an otherwise zero key is 3329.
                let mut key = vec![0; 1184];
                key[1150] = 0x10;
                key[1151] = 0xd0;
                c.begin(|lies| lies.kem_key = Some(key));
                c.write_handshake()?;
                c.closes_silently()
            },
        ),
        must(
            "H-7/implicit-rejection",
            "a foreign ciphertext shows at the next tag, by silence",
            |c| {
                c.open(&Setup::role(Role::Initiator).with(Suite::HybridChaChaPoly, Pattern::Xx))?;
                c.begin(|lies| lies.kem_ciphertext = Some(vec![0x5a; 1088]));
                c.read_handshake()?;
                c.write_handshake()?;
                c.closes_silently()
            },
        ),
        must(
            "H-3/hybrid-message-1-size",
            "a hybrid message 1 has exactly one size",
            |c| {
                c.open(&Setup::responder().with(Suite::HybridAesGcm, Pattern::Xx))?;
                c.begin(|_| {});
                let mut body = c.next_own_body()?;
                body.pop();
                c.body(&body);
                c.closes_silently()
            },
        ),
    ]);
    cases
}
