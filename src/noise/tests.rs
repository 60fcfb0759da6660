use super::exchange::ExchangeError;
use super::*;

pub(super) fn providers() -> Vec<Provider> {
    let mut all = vec![Provider::portable()];
    if Provider::default() != Provider::portable() {
        all.push(Provider::default());
    }
    all
}

fn run(
    pattern: Pattern,
    suite: Suite,
    left: Provider,
    right: Provider,
    psks: [&Psk; 2],
) -> Result<(), ExchangeError> {
    let (alice, bob) = (
        SecretKey::generate().unwrap(),
        SecretKey::generate().unwrap(),
    );
    let key = bob.public_key();
    let setup = |role, provider, secret, psk| Setup {
        role,
        pattern,
        suite,
        provider,
        secret,
        remote: (role == Role::Initiator && pattern.pins_responder()).then_some(&key),
        psk: pattern.uses_psk().then_some(psk),
        prologue: b"prologue",
    };
    let mut a = Exchange::new(&setup(Role::Initiator, left, &alice, psks[0]))?;
    let mut b = Exchange::new(&setup(Role::Responder, right, &bob, psks[1]))?;
    let sizes = pattern.message_sizes(suite);
    for (turn, size) in sizes.into_iter().enumerate() {
        let mut message = Vec::new();
        if turn % 2 == 0 {
            a = a.write(&mut message)?;
            b = b.read(&message)?;
        } else {
            b = b.write(&mut message)?;
            a = a.read(&message)?;
        }
        assert_eq!(message.len(), size);
    }
    assert_eq!(a.remote(), Some(bob.public_key()));
    assert_eq!(b.remote(), Some(alice.public_key()));
    let (mut seal_a, mut open_a, hash_a) = a.finish()?;
    let (mut seal_b, mut open_b, hash_b) = b.finish()?;
    assert_eq!(hash_a, hash_b);
    for round in 0..4_u8 {
        for (sealer, opener) in [(&mut seal_a, &mut open_b), (&mut seal_b, &mut open_a)] {
            let mut record = vec![round; 40];
            sealer.seal(&mut record).unwrap();
            opener.open(&mut record).unwrap();
            assert_eq!(record[..24], [round; 24]);
            let mut record = vec![0; 5 + 17];
            sealer.seal_from(b"hello", 7, &mut record).unwrap();
            let mut text = [0; 6];
            opener.open_into(&record, &mut text).unwrap();
            assert_eq!(&text, b"hello\x07");
            sealer.rekey().unwrap();
            opener.rekey().unwrap();
        }
    }
    Ok(())
}

#[test]
fn every_pattern_suite_and_pair_of_providers_agrees() {
    let psk = Psk::generate().unwrap();
    for pattern in Pattern::ALL {
        for suite in Suite::ALL {
            for left in providers() {
                for right in providers() {
                    run(pattern, suite, left, right, [&psk, &psk]).unwrap();
                }
            }
        }
    }
}

#[test] // threat: 24
fn another_psk_fails_before_message_two() {
    let psks = [Psk::generate().unwrap(), Psk::generate().unwrap()];
    let failed = run(
        Pattern::XxPsk0,
        Suite::AesGcm,
        Provider::default(),
        Provider::default(),
        [&psks[0], &psks[1]],
    );
    assert_eq!(failed, Err(ExchangeError));
}

#[test] // threat: 9
fn a_low_order_point_is_refused_by_both_providers() {
    let mut points = vec![[0_u8; 32], [0; 32], [0xff; 32], [0xff; 32], [0xff; 32]];
    points[1][0] = 1;
    points[2][0] = 0xec; // p - 1
    points[3][0] = 0xed; // p
    points[4][0] = 0xee; // p + 1
    for point in &mut points[2..] {
        point[31] = 0x7f;
    }
    for order8 in [
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ] {
        points.push(std::array::from_fn(|i| {
            u8::from_str_radix(&order8[2 * i..2 * i + 2], 16).unwrap()
        }));
    }
    for mut point in points {
        for top in [0, 0x80] {
            point[31] = (point[31] & 0x7f) | top;
            for provider in providers() {
                let bob = SecretKey::generate().unwrap();
                let setup = Setup {
                    role: Role::Responder,
                    pattern: Pattern::Xx,
                    suite: Suite::AesGcm,
                    provider,
                    secret: &bob,
                    remote: None,
                    psk: None,
                    prologue: b"",
                };
                let read = Exchange::new(&setup).unwrap().read(&point).unwrap();
                assert_eq!(read.write(&mut Vec::new()).map(|_| ()), Err(ExchangeError));
            }
        }
    }
}

#[test]
fn no_keys_come_out_of_an_unfinished_handshake() {
    let key = SecretKey::generate().unwrap();
    let setup = Setup {
        role: Role::Initiator,
        pattern: Pattern::Xx,
        suite: Suite::AesGcm,
        provider: Provider::default(),
        secret: &key,
        remote: None,
        psk: None,
        prologue: b"",
    };
    assert!(Exchange::new(&setup).unwrap().finish().is_err());
}

#[test] // threat: 38, 40
fn the_first_record_that_does_not_open_is_the_last() {
    for kind in [provider::AeadKind::AesGcm, provider::AeadKind::ChaChaPoly] {
        for provider in providers() {
            let mut sealer = Sealer::new(provider, kind, &[7; 32]).unwrap();
            let mut opener = Opener::new(provider, kind, &[7; 32]).unwrap();
            let mut records = [vec![1; 20], vec![2; 20]];
            for record in &mut records {
                sealer.seal(record).unwrap();
            }
            assert_eq!(opener.open(&mut records[1].clone()), Err(BadRecord));
            assert_eq!(opener.open(&mut records[0]), Err(BadRecord));
            assert_eq!(opener.records(), 0);
        }
    }
}

#[test] // threat: 117
fn a_mistyped_key_is_an_error_that_says_what_is_wrong() {
    let key = SecretKey::generate().unwrap();
    let text = key.public_key().to_string();
    let mut wrong = text.clone().into_bytes();
    let last = wrong.len() - 1;
    wrong[last] = if wrong[last] == b'q' { b'p' } else { b'q' };
    let wrong = String::from_utf8(wrong).unwrap();
    assert_eq!(wrong.parse::<PublicKey>(), Err(KeyTextError::Checksum));
    assert_eq!(
        text[..text.len() - 1].parse::<PublicKey>(),
        Err(KeyTextError::Checksum)
    );
    assert_eq!(
        "".parse::<PublicKey>(),
        Err(KeyTextError::NotAKey { expected: "duopk" })
    );
    assert_eq!(
        key.to_text().parse::<PublicKey>(),
        Err(KeyTextError::WrongKind {
            expected: "duopk",
            found: "duosk"
        })
    );
    assert_eq!(
        SecretKey::from_text(&key.to_text()).unwrap().public_key(),
        key.public_key()
    );
    let psk = Psk::generate().unwrap();
    assert_eq!(Psk::from_text(&psk.to_text()).unwrap().bytes(), psk.bytes());
    assert!(!format!("{key:?}{psk:?}").contains(&key.to_text()[6..]));
}

/// A source of randomness that has none.
struct Dry;

impl snow::types::Random for Dry {
    fn try_fill_bytes(&mut self, _out: &mut [u8]) -> Result<(), snow::Error> {
        Err(snow::Error::Rng)
    }
}

#[test]
fn without_randomness_there_is_no_ephemeral_key() {
    // spec: H-5
    use snow::{params::DHChoice, resolvers::CryptoResolver};
    for provider in providers() {
        let resolver = resolver::Resolver {
            backend: provider.backend(),
            known: None,
        };
        let mut key = resolver.resolve_dh(&DHChoice::Curve25519).unwrap();
        assert!(key.generate(&mut Dry).is_err(), "{provider:?}");
        assert!(key.generate(&mut *resolver.resolve_rng().unwrap()).is_ok());
    }
}
