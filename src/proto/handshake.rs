//! From nothing to an established channel (spec: sections 3 and 5).

use std::time::Instant;

mod record0;

use self::record0::{Keys, Record0, put_body, read_record0, take_exact, take_record};
use super::{
    config::Config,
    handshake_error::{HandshakeError, names},
    policy::{Candidate, Origin},
    receive::ReceivePath,
    send::SendPath,
};
use crate::{
    noise::{Exchange, Pattern, PublicKey, Role, Setup, Suite},
    wire::{
        Code, HEADER, HELLO, Hello, HelloFault, Offer, Params, Refusal, STATUS_ACCEPT, Violation,
    },
};

pub(super) const MESSAGE_2: &str = "the responder's first answer";

/// An established session, as two paths that need not know of each other.
#[derive(Debug)]
#[non_exhaustive]
pub struct Channel {
    /// Our direction.
    pub send: SendPath,
    /// The peer's direction.
    pub receive: ReceivePath,
    /// Whom we talk to.
    pub peer: Peer,
}

/// The peer of an established session, and what both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its proven static key.
    pub key: PublicKey,
    /// Where it comes from.
    pub origin: Origin,
    /// The application protocol that both agreed on; `None` if neither names one.
    pub protocol: Option<String>,
    /// The suite that the session runs.
    pub suite: Suite,
    /// The pattern that opened it.
    pub pattern: Pattern,
    /// The handshake's hash: a channel binding, the same on both sides, not secret (spec: H-11).
    pub handshake_hash: [u8; 32],
    /// The largest message that it receives, in bytes.
    pub max_message: u64,
}

/// A handshake under way. Each step consumes it, so a failed one cannot be asked again.
#[derive(Debug)]
pub struct Handshake {
    common: Common,
    state: State,
}

#[derive(Debug)]
struct Common {
    config: Config,
    origin: Origin,
    role: Role,
    suite: Suite,
    pattern: Pattern,
}

#[derive(Debug)]
enum State {
    AwaitHello,
    AwaitMessage2(Exchange),
    AwaitMessage3(Exchange),
    /// The responder has accepted the key and waits for PARAMS.
    AwaitInitiatorParams(Keys),
    /// The initiator has sent its PARAMS.
    AwaitResponderParams(Keys),
}

/// What a handshake needs next.
#[derive(Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a session and taken apart at once"
)]
pub enum Step {
    /// More bytes of the peer.
    NeedInput(Handshake),
    /// A verdict on the peer's key.
    Judge(Judging),
    /// Nothing: the session is established.
    Established(Channel),
}

/// A handshake that waits for the verdict on its candidate.
#[derive(Debug)]
pub struct Judging {
    common: Common,
    exchange: Exchange,
    candidate: Candidate,
}

type Result<T, E = HandshakeError> = core::result::Result<T, E>;

impl Handshake {
    /// Starts as the initiator, and appends its first message to `output`.
    ///
    /// With `remote` the responder's key is pinned (XK); without, it is judged once it is proven (XX).
    ///
    /// # Errors
    ///
    /// A configuration that cannot be used, our own key as the peer's, or a random source that fails.
    pub fn initiator(
        config: &Config,
        remote: Option<&PublicKey>,
        output: &mut Vec<u8>,
    ) -> Result<Self> {
        config.check()?;
        let suite = *config
            .accepted_suites()
            .first()
            .ok_or(HandshakeError::Internal)?;
        let common = Common {
            config: config.clone(),
            origin: Origin::Unknown,
            role: Role::Initiator,
            suite,
            pattern: Pattern::of(remote.is_some(), config.shared_key().is_some()),
        };
        if let Some(remote) = remote {
            common.judge_own(remote)?;
        }
        let hello = common.hello().bytes();
        let exchange = common.exchange(remote, &hello)?;
        let mut body = Vec::from(hello);
        let exchange = exchange.write(&mut body).map_err(internal)?;
        put_body(&body, output);
        Ok(Self {
            common,
            state: State::AwaitMessage2(exchange),
        })
    }

    /// Starts as the responder to a peer that comes from `origin`.
    ///
    /// # Errors
    ///
    /// A configuration that cannot be used.
    pub fn responder(config: &Config, origin: Origin) -> Result<Self> {
        config.check()?;
        Ok(Self {
            common: Common {
                config: config.clone(),
                origin,
                role: Role::Responder,
                suite: Suite::preferred(),
                pattern: Pattern::Xx,
            },
            state: State::AwaitHello,
        })
    }

    pub(crate) fn origin(&self) -> Origin {
        self.common.origin
    }

    /// What this handshake waits for, in words.
    #[must_use]
    pub fn waiting_for(&self) -> &'static str {
        match &self.state {
            State::AwaitHello => "the initiator's first message",
            State::AwaitMessage2(_) => MESSAGE_2,
            State::AwaitMessage3(_) => "the initiator's proof",
            State::AwaitInitiatorParams(_) => "the initiator's parameters",
            State::AwaitResponderParams(_) => "the responder's acceptance",
        }
    }

    /// Goes as far as `input` allows, taking what it used off the front and appending what must be sent to `output`.
    ///
    /// # Errors
    ///
    /// Why the handshake failed. What `output` then holds must still be sent before the transport is closed;
    /// most often that is nothing.
    // spec: H-9, W-5, W-12
    pub fn step(mut self, input: &mut &[u8], output: &mut Vec<u8>, now: Instant) -> Result<Step> {
        loop {
            let before = input.len();
            match self.advance(input, output, now)? {
                Step::NeedInput(next) if input.len() == before => return Ok(Step::NeedInput(next)),
                Step::NeedInput(next) => self = next,
                done @ (Step::Judge(_) | Step::Established(_)) => return Ok(done),
            }
        }
    }

    fn advance(self, input: &mut &[u8], output: &mut Vec<u8>, now: Instant) -> Result<Step> {
        let Self { common, state } = self;
        match state {
            State::AwaitHello => common.read_hello(input, output),
            State::AwaitMessage2(exchange) => common.read_message2(exchange, input, output),
            State::AwaitMessage3(exchange) => {
                let sizes = common.pattern.message_sizes(common.suite);
                let Some(body) = take_exact(input, sizes[2])? else {
                    return Ok(common.wait(State::AwaitMessage3(exchange)));
                };
                let exchange = exchange.read(body).map_err(failed)?;
                common.judge(exchange)
            }
            State::AwaitInitiatorParams(mut keys) => match take_record(&mut keys.opener, input) {
                Ok(None) => Ok(common.wait(State::AwaitInitiatorParams(keys))),
                Ok(Some(body)) => common.answer_params(keys, &body, output, now),
                Err(error) => Err(keys.fail(error, output)),
            },
            State::AwaitResponderParams(mut keys) => match take_record(&mut keys.opener, input) {
                Ok(None) => Ok(common.wait(State::AwaitResponderParams(keys))),
                Ok(Some(body)) => common.read_answer(keys, &body, output, now),
                Err(error) => Err(keys.fail(error, output)),
            },
        }
    }
}

impl Common {
    fn wait(self, state: State) -> Step {
        Step::NeedInput(Handshake {
            common: self,
            state,
        })
    }

    fn hello(&self) -> Hello {
        Hello {
            offer: Offer::new(self.suite.id(), self.pattern.id()),
        }
    }

    fn exchange(&self, remote: Option<&PublicKey>, hello: &[u8]) -> Result<Exchange> {
        Exchange::new(&Setup {
            role: self.role,
            pattern: self.pattern,
            suite: self.suite,
            provider: self.config.used_provider(),
            secret: self.config.secret(),
            remote,
            psk: self
                .config
                .shared_key()
                .filter(|_psk| self.pattern.uses_psk()),
            prologue: &self.config.prologue(hello),
        })
        .map_err(internal)
    }

    // spec: H-8
    fn judge_own(&self, remote: &PublicKey) -> Result<()> {
        let own = *remote == self.config.secret().public_key();
        if own && !self.config.allows_own_key() {
            return Err(HandshakeError::OwnKey);
        }
        Ok(())
    }

    // spec: W-8
    fn read_hello(mut self, input: &mut &[u8], output: &mut Vec<u8>) -> Result<Step> {
        let Some((head, rest)) = input.split_first_chunk::<HEADER>() else {
            return Ok(self.wait(State::AwaitHello));
        };
        let Some(hello) = rest.first_chunk::<HELLO>() else {
            return Ok(self.wait(State::AwaitHello));
        };
        let offer = match Hello::judge(*hello) {
            Ok(hello) => hello.offer,
            Err(HelloFault::NotOurs) => return Err(HandshakeError::NotDuologue),
            Err(HelloFault::Foreign(offered)) => return Err(self.refuse(offered, output)),
        };
        let takes = self.config.takes();
        let pair = Suite::from_id(offer.suite).zip(Pattern::from_id(offer.pattern));
        let Some((suite, pattern)) = pair.filter(|_pair| takes.contains(&offer)) else {
            return Err(self.refuse(offer, output));
        };
        (self.suite, self.pattern) = (suite, pattern);
        let sizes = pattern.message_sizes(suite);
        let length = HELLO.saturating_add(sizes[0]);
        if usize::from(u16::from_be_bytes(*head)) != length {
            return Err(HandshakeError::WrongSize);
        }
        let hello = *hello;
        let Some(body) = take_exact(input, length)? else {
            return Ok(self.wait(State::AwaitHello));
        };
        let message = body.get(HELLO..).unwrap_or_default();
        let exchange = self.exchange(None, &hello)?.read(message).map_err(failed)?;
        let mut answer = vec![STATUS_ACCEPT];
        let exchange = exchange.write(&mut answer).map_err(failed)?;
        put_body(&answer, output);
        Ok(self.wait(State::AwaitMessage3(exchange)))
    }

    fn refuse(self, offered: Offer, output: &mut Vec<u8>) -> HandshakeError {
        let refusal = Refusal::new(self.config.takes());
        let mut body = Vec::new();
        refusal.put(&mut body);
        put_body(&body, output);
        HandshakeError::NotTaken {
            offered,
            takes: refusal.into_offers(),
        }
    }

    // spec: W-10
    fn read_message2(
        self,
        exchange: Exchange,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Step> {
        let Some((head, rest)) = input.split_first_chunk::<HEADER>() else {
            return Ok(self.wait(State::AwaitMessage2(exchange)));
        };
        let length = usize::from(u16::from_be_bytes(*head));
        let sizes = self.pattern.message_sizes(self.suite);
        let accepted = sizes[1].saturating_add(1) == length;
        if !accepted && !Refusal::fits(length) {
            return Err(HandshakeError::NotDuologue);
        }
        let refused = match rest.first() {
            None => return Ok(self.wait(State::AwaitMessage2(exchange))),
            Some(status) => *status != STATUS_ACCEPT,
        };
        if refused && !Refusal::fits(length) || !refused && !accepted {
            return Err(HandshakeError::NotDuologue);
        }
        let Some(body) = take_exact(input, length)? else {
            return Ok(self.wait(State::AwaitMessage2(exchange)));
        };
        if refused {
            let refusal = Refusal::take(body).ok_or(HandshakeError::NotDuologue)?;
            return Err(HandshakeError::Unsupported {
                offered: self.hello().offer,
                takes: refusal.into_offers(),
            });
        }
        let message = body.get(1..).unwrap_or_default();
        let exchange = exchange.read(message).map_err(failed)?;
        if self.pattern.pins_responder() {
            return self.prove(exchange, output);
        }
        self.judge(exchange)
    }

    fn judge(self, exchange: Exchange) -> Result<Step> {
        let key = exchange.remote().ok_or(HandshakeError::Failed)?;
        let candidate = Candidate::new(key, self.origin);
        Ok(Step::Judge(Judging {
            common: self,
            exchange,
            candidate,
        }))
    }

    /// The initiator's last message and its PARAMS.
    // spec: H-14
    fn prove(self, exchange: Exchange, output: &mut Vec<u8>) -> Result<Step> {
        let mut message = Vec::new();
        let exchange = exchange.write(&mut message).map_err(internal)?;
        put_body(&message, output);
        let mut keys = Keys::of(exchange)?;
        let offered = self.config.protocols().map(<[String]>::to_vec);
        keys.put_params(&self.config.params(offered), output)?;
        Ok(self.wait(State::AwaitResponderParams(keys)))
    }

    /// The responder picks the protocol and accepts.
    // spec: H-15, H-22
    fn answer_params(
        self,
        mut keys: Keys,
        body: &[u8],
        output: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Step> {
        let theirs = match read_record0(body, "H-14") {
            Ok(Record0::Params(params)) => params,
            Ok(Record0::Abort(code, reason)) => {
                return Err(HandshakeError::Aborted { code, reason });
            }
            Err(violation) => {
                return Err(keys.fail(HandshakeError::Violation(violation), output));
            }
        };
        let offered = theirs.protocols.as_deref();
        let picked = match (self.config.protocols(), offered) {
            (None, None) => None,
            (Some(ours), Some(offered)) if offered.iter().any(|name| ours.contains(name)) => {
                offered.iter().find(|name| ours.contains(name)).cloned()
            }
            (ours, offered) => {
                let ours = ours.unwrap_or_default().to_vec();
                let reason = format!("the responder takes {}", names(&ours));
                keys.put_abort(Code::NO_COMMON_PROTOCOL, &reason, output);
                return Err(HandshakeError::NoCommonProtocol {
                    ours,
                    theirs: format!("offers {}", names(offered.unwrap_or_default())),
                });
            }
        };
        let answer = picked.clone().map(|name| vec![name]);
        keys.put_params(&self.config.params(answer), output)?;
        Ok(self.establish(keys, &theirs, picked, now))
    }

    /// The initiator learns that it is accepted, or why not.
    fn read_answer(
        self,
        mut keys: Keys,
        body: &[u8],
        output: &mut Vec<u8>,
        now: Instant,
    ) -> Result<Step> {
        let theirs = match read_record0(body, "H-15") {
            Ok(Record0::Params(params)) => params,
            Ok(Record0::Abort(code, reason)) => return Err(self.refused(code, reason)),
            Err(violation) => {
                return Err(keys.fail(HandshakeError::Violation(violation), output));
            }
        };
        // spec: H-22
        let picked = match (self.config.protocols(), theirs.protocols.as_deref()) {
            (None, None) => None,
            (Some(offered), Some([picked])) if offered.contains(picked) => Some(picked.clone()),
            (_ours, _theirs) => {
                let violation = Violation::new("H-22", "answer to another list of protocols");
                return Err(keys.fail(HandshakeError::Violation(violation), output));
            }
        };
        Ok(self.establish(keys, &theirs, picked, now))
    }

    fn refused(self, code: Code, reason: String) -> HandshakeError {
        match code {
            Code::REFUSED => HandshakeError::Refused {
                ours: self.config.secret().public_key(),
            },
            Code::NO_COMMON_PROTOCOL => HandshakeError::NoCommonProtocol {
                ours: self.config.protocols().unwrap_or_default().to_vec(),
                theirs: format!("says {reason:?}"),
            },
            _ => HandshakeError::Aborted { code, reason },
        }
    }

    fn establish(
        self,
        keys: Keys,
        theirs: &Params,
        protocol: Option<String>,
        now: Instant,
    ) -> Step {
        let peer = Peer {
            key: keys.remote,
            origin: self.origin,
            protocol,
            suite: self.suite,
            pattern: self.pattern,
            handshake_hash: keys.hash,
            max_message: theirs.max_message,
        };
        Step::Established(Channel {
            send: SendPath::new(keys.sealer, &self.config, theirs, now),
            receive: ReceivePath::new(keys.opener, &self.config, theirs, now),
            peer,
        })
    }
}

impl Judging {
    /// Who waits for the verdict.
    #[must_use]
    pub const fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Accepts the candidate and goes on; the next step may have to be asked for at once.
    ///
    /// # Errors
    ///
    /// The candidate has our own key, or our own side fails.
    pub fn accept(self, output: &mut Vec<u8>) -> Result<Handshake> {
        if let Err(error) = self.common.judge_own(&self.candidate.key) {
            self.turn_away(output)?;
            return Err(error);
        }
        let step = match self.common.role {
            Role::Initiator => self.common.prove(self.exchange, output)?,
            Role::Responder => {
                let keys = Keys::of(self.exchange)?;
                self.common.wait(State::AwaitInitiatorParams(keys))
            }
        };
        match step {
            Step::NeedInput(handshake) => Ok(handshake),
            Step::Judge(_) | Step::Established(_) => Err(HandshakeError::Internal),
        }
    }

    /// Turns the candidate away: a responder says so, an initiator says nothing (spec: H-13, H-16).
    pub fn refuse(self, output: &mut Vec<u8>) -> HandshakeError {
        let key = self.candidate.key;
        match self.turn_away(output) {
            Ok(()) => HandshakeError::NotAccepted { key },
            Err(error) => error,
        }
    }

    fn turn_away(self, output: &mut Vec<u8>) -> Result<()> {
        if self.common.role == Role::Responder {
            Keys::of(self.exchange)?.put_abort(Code::REFUSED, "", output);
        }
        Ok(())
    }
}

fn failed<E>(_error: E) -> HandshakeError {
    HandshakeError::Failed
}

fn internal<E>(_error: E) -> HandshakeError {
    HandshakeError::Internal
}
