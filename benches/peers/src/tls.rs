//! rustls over AWS-LC: TLS 1.3, mutual authentication with raw Ed25519 keys or certificates, no tickets.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, NamedGroup,
    RootCertStore, ServerConfig, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
    },
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
        UnixTime,
    },
    server::{
        AlwaysResolvesServerRawPublicKeys, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};

/// Both sides' configurations.
#[derive(Debug, Clone)]
pub struct Tls {
    pub client: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

pub fn name() -> ServerName<'static> {
    ServerName::try_from("peer").expect("name")
}

/// TLS's own numbers of what is offered; `None` is rustls's default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    pub suite: Option<CipherSuite>,
    pub group: Option<NamedGroup>,
}

fn provider(choice: Choice) -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(suite) = choice.suite {
        provider
            .cipher_suites
            .retain(|known| known.suite() == suite);
    }
    if let Some(group) = choice.group {
        provider.kx_groups.retain(|known| known.name() == group);
    }
    Arc::new(provider)
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).expect("key")
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

impl Tls {
    pub fn raw_keys(choice: Choice) -> Self {
        let provider = provider(choice);
        let [client_key, server_key] = [key(), key()].map(|key| {
            let key = provider
                .key_provider
                .load_private_key(private(&key))
                .expect("key");
            let public = key.public_key().expect("public key").to_vec();
            Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], key))
        });
        let known = |key: &CertifiedKey| {
            Arc::new(Known {
                key: key.cert[0].clone(),
                algorithms: provider.signature_verification_algorithms,
            })
        };
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("version")
            .dangerous()
            .with_custom_certificate_verifier(known(&server_key))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&client_key),
            )));
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("version")
            .with_client_cert_verifier(known(&client_key))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(server_key)));
        Self::of(client, server)
    }

    pub fn certificates(choice: Choice) -> Self {
        let provider = provider(choice);
        let [client_key, server_key] = [key(), key()];
        let [client_cert, server_cert] = [&client_key, &server_key].map(|key| {
            let params = CertificateParams::new(vec!["peer".into()]).expect("parameters");
            params.self_signed(key).expect("certificate").der().clone()
        });
        let roots = |cert: &CertificateDer<'static>| {
            let mut roots = RootCertStore::empty();
            roots.add(cert.clone()).expect("root");
            Arc::new(roots)
        };
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .expect("version")
            .with_root_certificates(roots(&server_cert))
            .with_client_auth_cert(vec![client_cert.clone()], private(&client_key))
            .expect("client");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots(&client_cert), Arc::clone(&provider))
                .build()
                .expect("verifier");
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("version")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![server_cert], private(&server_key))
            .expect("server");
        Self::of(client, server)
    }

    fn of(mut client: ClientConfig, mut server: ServerConfig) -> Self {
        client.resumption = rustls::client::Resumption::disabled();
        server.send_tls13_tickets = 0;
        Self {
            client: Arc::new(client),
            server: Arc::new(server),
        }
    }
}

/// Accepts one raw key.
#[derive(Debug)]
struct Known {
    key: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Known {
    fn signed(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(cert.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }

    fn is(&self, cert: &CertificateDer<'_>) -> Result<(), Error> {
        if *cert == self.key {
            Ok(())
        } else {
            Err(Error::General("another key".into()))
        }
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        _more: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.is(cert).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Known {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        cert: &CertificateDer<'_>,
        _more: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.is(cert).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
