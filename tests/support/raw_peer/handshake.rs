//! The handshake, token by token, in either role, honest or not (spec: H-1 to H-12).

use super::session::RawSession;
use super::suite::{self, Pattern, Suite, Token};
use super::symmetric::Symmetric;
use super::wire;
use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem768};
use std::convert::Infallible;
use x25519_dalek::x25519;

/// The two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Speaks first.
    Initiator,
    /// Answers.
    Responder,
}

impl Role {
    /// The other role.
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

/// Why a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawError {
    /// The hello is not one that this peer takes.
    Hello,
    /// The responder's first byte is neither 0 nor 1, or its refusal list has a wrong size.
    Status,
    /// A well-formed refusal list.
    Refused(Vec<[u8; 3]>),
    /// A body of the wrong size.
    Size {
        /// What the pattern asks for.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// A DH result of 32 zero bytes.
    ZeroDh,
    /// The encapsulation key fails the check of FIPS 203 section 7.2.
    KemKey,
    /// Something did not decrypt.
    Tag,
    /// A payload that is not empty.
    Payload,
    /// The peer's static key is our own.
    OwnKey,
    /// A call out of turn, or a secret that the pattern needs and the options lack.
    OutOfTurn,
}

/// What an honest process never does. All off by default.
#[derive(Clone, Debug, Default)]
pub struct Lies {
    /// Sends this in place of the ephemeral public key.
    pub ephemeral_public: Option<[u8; 32]>,
    /// Sends this in place of the static public key.
    pub static_public: Option<[u8; 32]>,
    /// Sends this in place of the encapsulation key.
    pub kem_key: Option<Vec<u8>>,
    /// Sends this in place of the KEM ciphertext.
    pub kem_ciphertext: Option<Vec<u8>>,
    /// Payloads of the three messages.
    pub payloads: [Vec<u8>; 3],
    /// Hashes this prologue.
    pub prologue: Option<Vec<u8>>,
    /// Hashes this protocol name.
    pub protocol_name: Option<String>,
    /// Goes by these tokens.
    pub tokens: Option<[Vec<Token>; 3]>,
    /// Sends this hello, and hashes it.
    pub hello: Option<[u8; 8]>,
    /// Goes on after a DH result of zeros.
    pub takes_zero_dh: bool,
    /// Goes on after a payload.
    pub takes_payload: bool,
    /// Goes on after its own key came back.
    pub takes_own_key: bool,
    /// Goes on after an encapsulation key that fails the check, with a secret of zeros.
    pub takes_kem_key: bool,
    /// Reads bodies without looking at their size first.
    pub ignores_sizes: bool,
}

/// The choices of one side. Randomness is drawn where `None`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The suite; a responder follows the hello.
    pub suite: Suite,
    /// The pattern; a responder follows the hello.
    pub pattern: Pattern,
    /// The static secret.
    pub secret: [u8; 32],
    /// The responder's key, for an initiator that pins it.
    pub remote: Option<[u8; 32]>,
    /// The pre-shared key.
    pub psk: Option<[u8; 32]>,
    /// The application's context.
    pub context: Vec<u8>,
    /// The ephemeral secret.
    pub ephemeral: Option<[u8; 32]>,
    /// The seed `d | z` of the encapsulation key.
    pub kem_seed: Option<[u8; 64]>,
    /// The random message of the encapsulation.
    pub kem_message: Option<[u8; 32]>,
    /// Where to leave the path of virtue.
    pub lies: Lies,
}

impl Options {
    /// Honest choices.
    pub fn new(suite: Suite, pattern: Pattern, secret: [u8; 32]) -> Self {
        Self {
            suite,
            pattern,
            secret,
            remote: None,
            psk: None,
            context: Vec::new(),
            ephemeral: None,
            kem_seed: None,
            kem_message: None,
            lies: Lies::default(),
        }
    }
}

/// The public key of a secret.
pub fn public_key(secret: [u8; 32]) -> [u8; 32] {
    x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES)
}

/// Fresh bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// One side of a handshake; shows its secrets when printed, being made for tests. Feed it the bodies in turn.
#[derive(Debug)]
pub struct RawHandshake {
    /// Which side this is.
    pub role: Role,
    /// The choices, free to be changed between messages.
    pub options: Options,
    /// The hash, chaining key and cipher; set once the hello is known.
    pub symmetric: Option<Symmetric>,
    /// The hello that went or came.
    pub hello: [u8; 8],
    /// The peer's ephemeral key.
    pub remote_ephemeral: Option<[u8; 32]>,
    /// The peer's static key.
    pub remote_static: Option<[u8; 32]>,
    /// Every secret that was mixed in so far: DH results, the KEM's secret.
    pub mixed: Vec<Vec<u8>>,
    ephemeral: [u8; 32],
    decapsulation: Option<DecapsulationKey<MlKem768>>,
    remote_kem: Option<Vec<u8>>,
    step: usize,
}

impl RawHandshake {
    /// The side that speaks first.
    pub fn initiator(options: Options) -> Self {
        let hello = wire::hello(options.suite.id(), options.pattern.id());
        let mut this = Self::new(Role::Initiator, options);
        this.begin(this.options.lies.hello.unwrap_or(hello));
        this
    }

    /// The side that answers; it learns suite and pattern from the hello.
    pub fn responder(options: Options) -> Self {
        Self::new(Role::Responder, options)
    }

    fn new(role: Role, options: Options) -> Self {
        Self {
            role,
            ephemeral: options.ephemeral.unwrap_or_else(random),
            options,
            symmetric: None,
            hello: [0; 8],
            remote_ephemeral: None,
            remote_static: None,
            mixed: Vec::new(),
            decapsulation: None,
            remote_kem: None,
            step: 0,
        }
    }

    /// Whether all three messages are through.
    pub const fn is_finished(&self) -> bool {
        self.step == 3
    }

    /// Whether the next message is ours to write.
    pub const fn writes_next(&self) -> bool {
        self.step < 3 && matches!(self.role, Role::Initiator) == self.step.is_multiple_of(2)
    }

    /// Begins with a hello that did not come in a first body.
    pub fn begin(&mut self, hello: [u8; 8]) {
        let options = &self.options;
        self.hello = hello;
        let name = match &options.lies.protocol_name {
            Some(name) => name.clone(),
            None => options.pattern.protocol_name(options.suite),
        };
        let mut symmetric = Symmetric::new(&name, options.suite.aead());
        let prologue = match &options.lies.prologue {
            Some(prologue) => prologue.clone(),
            None => wire::prologue(hello, &options.context),
        };
        symmetric.mix_hash(&prologue);
        if options.pattern.is_pinned() {
            let pinned = match self.role {
                Role::Initiator => options.remote.unwrap_or_default(),
                Role::Responder => public_key(options.secret),
            };
            symmetric.mix_hash(&pinned);
            if matches!(self.role, Role::Initiator) {
                self.remote_static = Some(pinned);
            }
        }
        self.symmetric = Some(symmetric);
    }

    fn tokens(&self) -> [Vec<Token>; 3] {
        match &self.options.lies.tokens {
            Some(tokens) => tokens.clone(),
            None => self.options.pattern.messages(self.options.suite),
        }
    }

    /// The next body to send: hello or status byte included, the length not.
    pub fn write_body(&mut self) -> Result<Vec<u8>, RawError> {
        if !self.writes_next() {
            return Err(RawError::OutOfTurn);
        }
        let mut body = match self.step {
            0 => self.hello.to_vec(),
            1 => vec![0],
            _ => Vec::new(),
        };
        body.extend(self.write_message()?);
        Ok(body)
    }

    /// Takes the body that came.
    pub fn read_body(&mut self, body: &[u8]) -> Result<(), RawError> {
        if self.writes_next() || self.is_finished() {
            return Err(RawError::OutOfTurn);
        }
        let message = match self.step {
            0 => {
                let (hello, message) = body.split_first_chunk::<8>().ok_or(RawError::Hello)?;
                let (suite, pattern) = wire::parse_hello(*hello).ok_or(RawError::Hello)?;
                self.options.suite = Suite::of(suite).ok_or(RawError::Hello)?;
                self.options.pattern = Pattern::of(pattern).ok_or(RawError::Hello)?;
                self.begin(*hello);
                message
            }
            1 => match body.split_first().ok_or(RawError::Status)? {
                (0, message) => message,
                (1, list) => return Err(wire::parse_refusal(list)),
                _ => return Err(RawError::Status),
            },
            _ => body,
        };
        self.read_message(message)
    }

    /// The next Noise message alone.
    pub fn write_message(&mut self) -> Result<Vec<u8>, RawError> {
        let mut message = Vec::new();
        for token in self.tokens()[self.step].clone() {
            let part = match token {
                Token::E => self.write_ephemeral()?,
                Token::S => {
                    let public = public_key(self.options.secret);
                    let sent = self.options.lies.static_public.unwrap_or(public);
                    self.symmetric()?.encrypt_and_hash(&sent)
                }
                Token::E1 => self.write_kem_key()?,
                Token::Ekem1 => self.write_kem_ciphertext()?,
                Token::Ee | Token::Es | Token::Se | Token::Psk => {
                    self.mix(token)?;
                    Vec::new()
                }
            };
            message.extend(part);
        }
        let payload = self.options.lies.payloads[self.step].clone();
        message.extend(self.symmetric()?.encrypt_and_hash(&payload));
        self.step += 1;
        Ok(message)
    }

    /// Takes a Noise message; the size is checked before any key agreement (spec: H-3).
    pub fn read_message(&mut self, message: &[u8]) -> Result<(), RawError> {
        let expected = suite::sizes(&self.tokens())[self.step];
        if message.len() != expected && !self.options.lies.ignores_sizes {
            return Err(RawError::Size {
                expected,
                got: message.len(),
            });
        }
        let mut rest = message;
        for token in self.tokens()[self.step].clone() {
            match token {
                Token::E => self.read_ephemeral(&mut rest)?,
                Token::S => {
                    let key = self.read_sealed::<32>(&mut rest)?;
                    if key == public_key(self.options.secret) && !self.options.lies.takes_own_key {
                        return Err(RawError::OwnKey);
                    }
                    self.remote_static = Some(key);
                }
                Token::E1 => self.remote_kem = Some(self.read_sealed::<1184>(&mut rest)?.to_vec()),
                Token::Ekem1 => self.read_kem_ciphertext(&mut rest)?,
                Token::Ee | Token::Es | Token::Se | Token::Psk => self.mix(token)?,
            }
        }
        let payload = self.symmetric()?.decrypt_and_hash(rest);
        if !payload.ok_or(RawError::Tag)?.is_empty() && !self.options.lies.takes_payload {
            return Err(RawError::Payload);
        }
        self.step += 1;
        Ok(())
    }

    /// The session, once all three messages are through.
    pub fn into_session(self) -> Result<RawSession, RawError> {
        let symmetric = self.symmetric.filter(|_| self.step == 3);
        let symmetric = symmetric.ok_or(RawError::OutOfTurn)?;
        let (initiator, responder) = symmetric.split();
        let (send, receive) = match self.role {
            Role::Initiator => (initiator, responder),
            Role::Responder => (responder, initiator),
        };
        Ok(RawSession {
            role: self.role,
            send,
            receive,
            hash: symmetric.hash,
            remote_static: self.remote_static.unwrap_or_default(),
        })
    }

    fn symmetric(&mut self) -> Result<&mut Symmetric, RawError> {
        self.symmetric.as_mut().ok_or(RawError::OutOfTurn)
    }

    fn write_ephemeral(&mut self) -> Result<Vec<u8>, RawError> {
        let public = public_key(self.ephemeral);
        let sent = self.options.lies.ephemeral_public.unwrap_or(public);
        self.mix_ephemeral(sent)?;
        Ok(sent.to_vec())
    }

    fn read_ephemeral(&mut self, rest: &mut &[u8]) -> Result<(), RawError> {
        let (key, tail) = rest.split_first_chunk::<32>().ok_or(RawError::Tag)?;
        *rest = tail;
        self.remote_ephemeral = Some(*key);
        self.mix_ephemeral(*key)
    }

    fn mix_ephemeral(&mut self, key: [u8; 32]) -> Result<(), RawError> {
        let has_psk = self.tokens().iter().flatten().any(|t| *t == Token::Psk);
        let symmetric = self.symmetric()?;
        symmetric.mix_hash(&key);
        if has_psk {
            symmetric.mix_key(&key);
        }
        Ok(())
    }

    fn read_sealed<const N: usize>(&mut self, rest: &mut &[u8]) -> Result<[u8; N], RawError> {
        let symmetric = self.symmetric()?;
        let size = N + symmetric.tag();
        let (sealed, tail) = rest.split_at_checked(size).ok_or(RawError::Tag)?;
        *rest = tail;
        let plain = symmetric.decrypt_and_hash(sealed).ok_or(RawError::Tag)?;
        plain.try_into().map_err(|_plain: Vec<u8>| RawError::Tag)
    }

    fn write_kem_key(&mut self) -> Result<Vec<u8>, RawError> {
        let seed = self.options.kem_seed.unwrap_or_else(random);
        let secret = DecapsulationKey::<MlKem768>::from_seed(seed.into());
        let public = secret.encapsulation_key().to_bytes().to_vec();
        self.decapsulation = Some(secret);
        let sent = self.options.lies.kem_key.clone().unwrap_or(public);
        Ok(self.symmetric()?.encrypt_and_hash(&sent))
    }

    fn write_kem_ciphertext(&mut self) -> Result<Vec<u8>, RawError> {
        let key = self.remote_kem.clone().ok_or(RawError::OutOfTurn)?;
        let parsed = key.as_slice().try_into().ok();
        let parsed = parsed.and_then(|key| EncapsulationKey::<MlKem768>::new(key).ok());
        let (honest, shared) = match parsed {
            Some(key) => {
                let mut message = Fixed(self.options.kem_message.unwrap_or_else(random));
                let (ciphertext, shared) = key.encapsulate_with_rng(&mut message);
                (ciphertext.to_vec(), shared.to_vec())
            }
            None if self.options.lies.takes_kem_key => (vec![0; 1088], vec![0; 32]),
            None => return Err(RawError::KemKey),
        };
        let sent = self.options.lies.kem_ciphertext.clone().unwrap_or(honest);
        let symmetric = self.symmetric()?;
        let sealed = symmetric.encrypt_and_hash(&sent);
        symmetric.mix_key(&shared);
        self.mixed.push(shared);
        Ok(sealed)
    }

    fn read_kem_ciphertext(&mut self, rest: &mut &[u8]) -> Result<(), RawError> {
        let ciphertext = self.read_sealed::<1088>(rest)?;
        let secret = self.decapsulation.as_ref().ok_or(RawError::OutOfTurn)?;
        let shared = secret.decapsulate(&ciphertext.into());
        self.symmetric()?.mix_key(&shared);
        self.mixed.push(shared.to_vec());
        Ok(())
    }

    fn mix(&mut self, token: Token) -> Result<(), RawError> {
        let initiator = matches!(self.role, Role::Initiator);
        let (ours_is_static, theirs_is_static) = match (token, initiator) {
            (Token::Es, true) | (Token::Se, false) => (false, true),
            (Token::Es, false) | (Token::Se, true) => (true, false),
            (Token::Psk, _) => {
                let psk = self.options.psk.ok_or(RawError::OutOfTurn)?;
                self.symmetric()?.mix_key_and_hash(&psk);
                return Ok(());
            }
            _ => (false, false),
        };
        let (secret, lie) = if ours_is_static {
            (self.options.secret, self.options.lies.static_public)
        } else {
            (self.ephemeral, self.options.lies.ephemeral_public)
        };
        let theirs = if theirs_is_static {
            self.remote_static
        } else {
            self.remote_ephemeral
        };
        let mut shared = x25519(secret, theirs.ok_or(RawError::OutOfTurn)?);
        // A claimed key of low order gives the peer zeros; to follow it we must reckon with them too.
        if lie.is_some_and(|point| x25519([1; 32], point) == [0; 32]) {
            shared = [0; 32];
        } else if shared == [0; 32] && !self.options.lies.takes_zero_dh {
            return Err(RawError::ZeroDh);
        }
        self.symmetric()?.mix_key(&shared);
        self.mixed.push(shared.to_vec());
        Ok(())
    }
}

/// A source of randomness that gives what it was made of, over and over.
struct Fixed([u8; 32]);

impl rand_core::TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for (byte, fixed) in bytes.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *fixed;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Fixed {}
