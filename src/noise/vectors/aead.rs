//! Wycheproof for the two AEADs, through each of the four ways in which a record is sealed and opened.

use serde::Deserialize;

use super::{
    super::{
        Provider,
        provider::{Aead, AeadKind, Nonce},
        tests::providers,
    },
    Hex, Verdict, wycheproof,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    tc_id: u32,
    key: Hex,
    iv: Hex,
    aad: Hex,
    msg: Hex,
    ct: Hex,
    tag: Hex,
    result: Verdict,
}

/// How often each way was taken.
#[derive(Debug, PartialEq, Eq, Default)]
struct Ran {
    sealed: usize,
    sealed_from: usize,
    opened: usize,
    opened_into: usize,
    refused: usize,
    refused_into: usize,
}

impl Sealed {
    fn nonce(&self) -> Nonce {
        Nonce::of_bytes(self.iv.array())
    }

    fn record(&self) -> Vec<u8> {
        [self.ct.0.as_slice(), &self.tag.0].concat()
    }

    fn run(&self, provider: Provider, kind: AeadKind, ran: &mut Ran) {
        let aead = provider.backend().aead(kind, &self.key.array()).unwrap();
        match self.result {
            Verdict::Valid => {
                self.seals(&*aead, ran);
                self.opens(&*aead, ran);
            }
            Verdict::Invalid => self.is_refused(&*aead, ran),
            Verdict::Acceptable => panic!("test {} leaves the answer open", self.tc_id),
        }
    }

    fn seals(&self, aead: &dyn Aead, ran: &mut Ran) {
        let mut buffer = [self.msg.0.as_slice(), &[0xa5; 16]].concat();
        aead.seal(self.nonce(), &self.aad.0, &mut buffer).unwrap();
        assert_eq!(buffer, self.record(), "test {}", self.tc_id);
        ran.sealed += 1;
        // `seal_from` has no associated data, and at least the kind as plaintext.
        if let (true, Some((kind, body))) = (self.aad.0.is_empty(), self.msg.0.split_last()) {
            let mut out = vec![0xa5; self.msg.0.len() + 16];
            aead.seal_from(self.nonce(), body, *kind, &mut out).unwrap();
            assert_eq!(out, self.record(), "test {}", self.tc_id);
            ran.sealed_from += 1;
        }
    }

    fn opens(&self, aead: &dyn Aead, ran: &mut Ran) {
        let mut record = self.record();
        aead.open(self.nonce(), &self.aad.0, &mut record).unwrap();
        assert_eq!(
            record[..self.msg.0.len()],
            self.msg.0,
            "test {}",
            self.tc_id
        );
        ran.opened += 1;
        if self.aad.0.is_empty() {
            let mut out = vec![0xa5; self.msg.0.len()];
            aead.open_into(self.nonce(), &self.record(), &mut out)
                .unwrap();
            assert_eq!(out, self.msg.0, "test {}", self.tc_id);
            ran.opened_into += 1;
            self.refuses_another_tag(aead, ran);
        }
    }

    fn refuses_another_tag(&self, aead: &dyn Aead, ran: &mut Ran) {
        for bit in 0..128 {
            let mut record = self.record();
            record[self.ct.0.len() + bit / 8] ^= 1 << (bit % 8);
            let mut out = vec![0; self.ct.0.len()];
            let opened = aead.open_into(self.nonce(), &record, &mut out);
            assert!(opened.is_err(), "test {}, bit {bit}", self.tc_id);
            ran.refused_into += 1;
        }
    }

    fn is_refused(&self, aead: &dyn Aead, ran: &mut Ran) {
        let opened = aead.open(self.nonce(), &self.aad.0, &mut self.record());
        assert!(opened.is_err(), "test {}", self.tc_id);
        ran.refused += 1;
        if self.aad.0.is_empty() {
            let mut out = vec![0; self.ct.0.len()];
            let opened = aead.open_into(self.nonce(), &self.record(), &mut out);
            assert!(opened.is_err(), "test {}", self.tc_id);
            ran.refused_into += 1;
        }
    }
}

fn run(set: &str, kind: AeadKind, provider: Provider) -> Ran {
    let tests: Vec<Sealed> = wycheproof(set);
    let mut ran = Ran::default();
    for test in &tests {
        test.run(provider, kind, &mut ran);
    }
    ran
}

#[test]
fn chacha20_poly1305_agrees_with_wycheproof() {
    for provider in providers() {
        let all = Ran {
            sealed: 256,
            sealed_from: 44,
            opened: 256,
            opened_into: 45,
            refused: 60,
            refused_into: 45 * 128,
        };
        let ran = run("chacha20_poly1305", AeadKind::ChaChaPoly, provider);
        assert_eq!(ran, all, "{provider:?}");
    }
}

#[test]
fn aes_256_gcm_agrees_with_wycheproof() {
    for provider in providers() {
        let all = Ran {
            sealed: 39,
            sealed_from: 20,
            opened: 39,
            opened_into: 21,
            refused: 27,
            refused_into: 27 + 21 * 128,
        };
        let ran = run("aes_gcm", AeadKind::AesGcm, provider);
        assert_eq!(ran, all, "{provider:?}");
    }
}

#[test]
fn a_buffer_of_another_size_is_refused_and_never_a_panic() {
    for provider in providers() {
        for kind in [AeadKind::ChaChaPoly, AeadKind::AesGcm] {
            let aead = provider.backend().aead(kind, &[7; 32]).unwrap();
            let nonce = kind.nonce(0);
            let mut record = vec![0; 6 + 16];
            aead.seal_from(nonce, b"hello", 1, &mut record).unwrap();
            for room in (0..64).filter(|room| *room != record.len()) {
                let sealed = aead.seal_from(nonce, b"hello", 1, &mut vec![0; room]);
                assert!(sealed.is_err(), "{provider:?} {kind:?} {room}");
            }
            for room in (0..64).filter(|room| *room != record.len() - 16) {
                let opened = aead.open_into(nonce, &record, &mut vec![0; room]);
                assert!(opened.is_err(), "{provider:?} {kind:?} {room}");
            }
            for len in 0..16 {
                assert!(aead.seal(nonce, &[], &mut vec![0; len]).is_err());
                assert!(aead.open(nonce, &[], &mut vec![0; len]).is_err());
                assert!(aead.open_into(nonce, &vec![0; len], &mut []).is_err());
            }
        }
    }
}
