//! Wycheproof for X25519, through the resolver's Diffie-Hellman as the handshake uses it.

use serde::Deserialize;
use snow::{Error, params::DHChoice, resolvers::CryptoResolver};

use super::{
    super::{Provider, resolver::Resolver, tests::providers},
    Hex, Verdict, wycheproof,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exchange {
    tc_id: u32,
    flags: Vec<String>,
    public: Hex,
    private: Hex,
    shared: Hex,
    result: Verdict,
}

fn agree(provider: Provider, test: &Exchange) -> Result<[u8; 32], Error> {
    let resolver = Resolver {
        backend: provider.backend(),
        known: None,
    };
    let mut dh = resolver.resolve_dh(&DHChoice::Curve25519).unwrap();
    let mut shared = [0; 32];
    dh.set(&test.private.0);
    dh.dh(&test.public.0, &mut shared).map(|()| shared)
}

#[test] // threat: 9
fn x25519_agrees_with_wycheproof_and_refuses_every_zero_secret() {
    let tests: Vec<Exchange> = wycheproof("x25519");
    for provider in providers() {
        let [mut agreed, mut refused] = [0, 0];
        for test in &tests {
            let (id, found) = (test.tc_id, agree(provider, test));
            assert_ne!(test.result, Verdict::Invalid, "{id}");
            // spec: H-4
            if test.flags.iter().any(|flag| flag == "ZeroSharedSecret") {
                assert_eq!(test.shared.0, [0; 32], "{id}");
                assert_eq!(found, Err(Error::Dh), "{provider:?}, test {id}");
                refused += 1;
            } else {
                assert_eq!(found, Ok(test.shared.array()), "{provider:?}, test {id}");
                agreed += 1;
            }
        }
        assert_eq!([agreed, refused], [487, 31]);
    }
}
