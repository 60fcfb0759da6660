//! How a case wants the target, and the way from there to an established session.

use super::Conversation;
use crate::case::{Fail, Run};
use crate::control::{App, Command, Config};
use crate::link::Link;
use crate::raw_peer::handshake::public_key;
use crate::raw_peer::{Lies, Options, Pattern, RawFrame, RawHandshake, RawParams, Role, Suite};
use crate::target::Fixed;
use std::time::Duration;

/// The kit's static secret where a shim is told whom to expect.
pub const KIT_SECRET: [u8; 32] = [0x11; 32];
/// The secret that a shim is given.
pub const TARGET_SECRET: [u8; 32] = [0x22; 32];
/// The pre-shared key that a shim is given.
pub const PSK: [u8; 32] = [0x33; 32];

/// How a case wants the target.
#[derive(Clone, Debug)]
pub struct Setup {
    role: Option<Role>,
    suite: Option<Suite>,
    pattern: Option<Pattern>,
    config: Config,
}

impl Setup {
    /// In either role; the application echoes.
    pub fn any() -> Self {
        Self {
            role: None,
            suite: None,
            pattern: None,
            config: Config::default(),
        }
    }

    /// The target answers.
    pub fn responder() -> Self {
        Self {
            role: Some(Role::Responder),
            ..Self::any()
        }
    }

    /// The target dials.
    pub fn initiator() -> Self {
        Self {
            role: Some(Role::Initiator),
            ..Self::any()
        }
    }

    /// The target in this role.
    pub fn role(role: Role) -> Self {
        Self {
            role: Some(role),
            ..Self::any()
        }
    }

    /// With this suite and pattern.
    pub fn with(mut self, suite: Suite, pattern: Pattern) -> Self {
        self.suite = Some(suite);
        self.pattern = Some(pattern);
        self
    }

    /// With settings that only a shim can be given.
    pub fn set(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// With an application that does what the kit says, and nothing else.
    pub fn manual(self) -> Self {
        self.set(|config| config.app = App::Manual)
    }

    fn suite_and_pattern(&self, fixed: &Fixed) -> (Suite, Pattern) {
        (
            self.suite.unwrap_or(fixed.suite),
            self.pattern.unwrap_or(fixed.pattern),
        )
    }

    pub(super) fn options(&self, fixed: &Fixed, has_shim: bool) -> Options {
        let (suite, pattern) = self.suite_and_pattern(fixed);
        let secret = if has_shim { KIT_SECRET } else { fixed.secret };
        let mut options = Options::new(suite, pattern, secret);
        options.remote = match has_shim {
            true => Some(public_key(TARGET_SECRET)),
            false => fixed.key,
        };
        options.psk = if has_shim { Some(PSK) } else { fixed.psk };
        options.context = hex::decode(&self.config.context).unwrap_or_default();
        options
    }

    fn shim_config(&self, role: Role, fixed: &Fixed) -> Config {
        let (suite, pattern) = self.suite_and_pattern(fixed);
        let mut config = self.config.clone();
        if config.secret.is_empty() {
            config.secret = hex::encode(TARGET_SECRET);
        }
        if pattern.has_psk() {
            config.psk = Some(hex::encode(PSK));
        }
        if role == Role::Initiator {
            config.suites = vec![suite.id()];
            config.patterns = vec![pattern.id()];
            if pattern.is_pinned() && config.remote.is_none() {
                config.remote = Some(hex::encode(public_key(KIT_SECRET)));
            }
        }
        config
    }

    fn applies(&self, conversation: &Conversation<'_>) -> Run {
        let skip = |why: &str| Err(Fail::Skip(why.into()));
        let only = conversation.target.only_role();
        let (_, pattern) = self.suite_and_pattern(conversation.fixed);
        match (self.role, only) {
            (Some(Role::Initiator), Some(Role::Responder)) => return skip("needs an initiator"),
            (Some(Role::Responder), Some(Role::Initiator)) => return skip("needs a responder"),
            _ => {}
        }
        if conversation.target.is_shim() {
            return Ok(());
        }
        if self.config != Config::default() {
            return skip("needs a shim");
        }
        if pattern.has_psk() && conversation.fixed.psk.is_none() {
            return skip("needs the pre-shared key");
        }
        let fixed = (conversation.fixed.suite, conversation.fixed.pattern);
        if only == Some(Role::Initiator) && self.suite_and_pattern(conversation.fixed) != fixed {
            return skip("the target dials with another suite or pattern");
        }
        let responder = only == Some(Role::Responder);
        if pattern.is_pinned() && responder && conversation.fixed.key.is_none() {
            return skip("needs the target's public key");
        }
        Ok(())
    }
}

impl Conversation<'_> {
    /// Opens a connection to a target set up so; no byte has gone.
    pub fn open(&mut self, setup: &Setup) -> Run {
        setup.applies(self)?;
        let responder = self.target.only_role().unwrap_or(Role::Responder);
        self.role = setup.role.unwrap_or(responder);
        self.setup = setup.clone();
        let config = setup.shim_config(self.role, self.fixed);
        self.session = None;
        self.watch = super::Watch::default();
        self.input.clear();
        self.heard.clear();
        self.over = None;
        self.link = None;
        match self.role {
            Role::Responder => self.dial(config),
            Role::Initiator => self.be_dialled(config),
        }
    }

    fn dial(&mut self, config: Config) -> Run {
        let address = match self.target {
            crate::target::Target::Connect(address) => address.clone(),
            _ => {
                let answer = self.ask(&Command::Listen { config })?;
                let address = answer.address.unwrap_or_default();
                address.parse().map_err(Fail::Behaviour)?
            }
        };
        let link = Link::dial(&address, Duration::from_secs(5));
        let failed = |error| Fail::Behaviour(format!("dialling {address}: {error}"));
        self.link = Some(link.map_err(failed)?);
        Ok(())
    }

    fn be_dialled(&mut self, config: Config) -> Run {
        self.target.clear_gate();
        let kit = |error: std::io::Error| Fail::Kit(error.to_string());
        if self.has_shim() {
            let gate = self
                .target
                .gate()
                .ok_or_else(|| Fail::Kit("no gate".into()))?;
            let address = gate.address().map_err(kit)?.to_string();
            self.ask(&Command::Connect { address, config })?;
        } else {
            let failed = |error| Fail::Behaviour(format!("the program: {error}"));
            self.target.start_program().map_err(failed)?;
        }
        if !self.dials_within(self.patience.max(Duration::from_secs(5)))? {
            return Err(Fail::Behaviour("the target does not dial".into()));
        }
        Ok(())
    }

    /// Whether the target dials (again) within the time; the connection replaces the one before.
    pub fn dials_within(&mut self, within: Duration) -> Run<bool> {
        let until = self.until(within);
        let gate = self
            .target
            .gate()
            .ok_or_else(|| Fail::Kit("no gate".into()))?;
        let accepted = gate.accept(until);
        let accepted = accepted.map_err(|error| Fail::Kit(error.to_string()))?;
        let came = accepted.is_some();
        self.link = accepted.or(self.link.take());
        Ok(came)
    }

    /// Begins the handshake with lies.
    pub fn begin(&mut self, lie: impl FnOnce(&mut Lies)) {
        let mut options = self.options();
        lie(&mut options.lies);
        self.begin_with(options);
    }

    /// Begins the handshake with these options.
    pub fn begin_with(&mut self, options: Options) {
        self.handshake = Some(match self.role {
            Role::Responder => RawHandshake::initiator(options),
            Role::Initiator => RawHandshake::responder(options),
        });
    }

    fn handshake(&mut self) -> Run<&mut RawHandshake> {
        let missing = || Fail::Kit("the case has no handshake".into());
        self.handshake.as_mut().ok_or_else(missing)
    }

    /// The kit's next handshake body, not sent yet.
    pub fn next_own_body(&mut self) -> Run<Vec<u8>> {
        let body = self.handshake()?.write_body();
        body.map_err(|error| Fail::Kit(format!("own handshake message: {error:?}")))
    }

    /// Sends the kit's next handshake message.
    pub fn write_handshake(&mut self) -> Run {
        let body = self.next_own_body()?;
        self.body(&body);
        Ok(())
    }

    /// Reads the target's next handshake message.
    pub fn read_handshake(&mut self) -> Run {
        let body = match self.next_body(self.patience) {
            Ok(body) => body,
            Err(heard) => {
                let why = format!("no handshake message, but {heard:?}");
                return Err(Fail::Behaviour(why));
            }
        };
        self.note("<-", format!("handshake message of {} bytes", body.len()));
        let read = self.handshake()?.read_body(&body);
        read.map_err(|error| Fail::Behaviour(format!("the handshake message: {error:?}")))
    }

    /// The three messages, as they come in turn.
    pub fn shake(&mut self) -> Run {
        while !self.handshake()?.is_finished() {
            match self.handshake()?.writes_next() {
                true => self.write_handshake()?,
                false => self.read_handshake()?,
            }
        }
        self.take_session()
    }

    /// Makes the session out of a finished handshake.
    pub fn take_session(&mut self) -> Run {
        let missing = || Fail::Kit("the case has no handshake".into());
        let handshake = self.handshake.take().ok_or_else(missing)?;
        let session = handshake.into_session();
        self.session = Some(session.map_err(|error| Fail::Kit(format!("{error:?}")))?);
        Ok(())
    }

    /// Connects and shakes hands honestly.
    pub fn meet(&mut self, setup: &Setup) -> Run {
        self.open(setup)?;
        self.begin(|_| {});
        self.shake()
    }

    /// The kit's ordinary parameters.
    pub fn own_params(&self) -> RawParams {
        let protocols = match self.has_shim() {
            true => self.setup.config.protocols.clone(),
            false => self.fixed.protocols.clone(),
        };
        RawParams {
            protocols,
            ..RawParams::default()
        }
    }

    /// Sends record 0.
    pub fn send_params(&mut self, params: &RawParams) -> Run {
        let hash = self.live()?.hash;
        self.say(&[RawFrame::Params(params.encode(&hash))])
    }

    /// Reads record 0.
    pub fn read_params(&mut self) -> Run {
        let heard = self.hear(self.patience);
        let super::Heard::Frame(RawFrame::Params(params)) = &heard else {
            return Err(Fail::Behaviour(format!("not PARAMS, but {heard:?}")));
        };
        let params = RawParams::parse(params);
        self.params = params.map_err(|rule| Fail::Behaviour(format!("PARAMS: {rule}")))?;
        match self.heard.is_empty() {
            true => Ok(()),
            false => Err(Fail::Behaviour("more than PARAMS in record 0".into())),
        }
    }

    /// From the session to establishment with these parameters.
    pub fn agree(&mut self, params: &RawParams) -> Run {
        match self.role {
            Role::Responder => {
                self.send_params(params)?;
                self.read_params()?;
            }
            Role::Initiator => {
                self.read_params()?;
                self.send_params(params)?;
            }
        }
        if self.has_shim() {
            self.is_established(true)?;
        }
        Ok(())
    }

    /// Asks the shim whether the session is established.
    pub fn is_established(&mut self, wanted: bool) -> Run {
        let within_ms = 5_000;
        let answer = self.ask(&Command::Established { within_ms })?;
        if answer.established != Some(wanted) {
            let why = format!("established: {:?}, not {wanted}", answer.established);
            return Err(Fail::Behaviour(why));
        }
        let hash = self
            .session
            .as_ref()
            .map(|session| hex::encode(session.hash));
        if wanted && answer.hash.is_some() && answer.hash != hash {
            return Err(Fail::Behaviour("another handshake hash".into()));
        }
        Ok(())
    }

    /// An established session of a target set up so.
    pub fn establish(&mut self, setup: &Setup) -> Run {
        self.meet(setup)?;
        let params = self.own_params();
        self.agree(&params)
    }

    /// An established session, the application echoing.
    pub fn echo(&mut self) -> Run {
        self.establish(&Setup::any())
    }

    /// An established session, the application under command.
    pub fn manual(&mut self) -> Run {
        self.establish(&Setup::any().manual())
    }
}

/// Things said in unusual ways.
impl Conversation<'_> {
    /// An established session set up so, and one echo.
    pub fn echo_with(&mut self, setup: &Setup) -> Run {
        self.establish(setup)?;
        self.say(&[RawFrame::Message(b"echo".to_vec())])?;
        self.expect_message(b"echo")
    }

    /// Record 0 of the kit, sealed and not sent.
    pub fn sealed_params(&mut self) -> Run<Vec<u8>> {
        let params = self.own_params();
        let session = self.live()?;
        let params = params.encode(&session.hash);
        Ok(session.seal_frames(&[RawFrame::Params(params)]))
    }

    /// The three messages, the kit's own byte by byte.
    pub fn slow_shake(&mut self) -> Run {
        while !self.handshake()?.is_finished() {
            match self.handshake()?.writes_next() {
                true => {
                    let body = self.next_own_body()?;
                    self.slowly(&crate::raw_peer::wire::with_length(&body));
                }
                false => self.read_handshake()?,
            }
        }
        self.take_session()
    }

    /// A record, byte by byte.
    pub fn put_slowly(&mut self, record: &crate::raw_peer::RawRecord) -> Run {
        let sealed = self.live()?.seal(record);
        self.watch.said(record);
        self.slowly(&sealed);
        Ok(())
    }

    fn slowly(&mut self, bytes: &[u8]) {
        self.note("->", format!("{} bytes, one by one", bytes.len()));
        for byte in bytes {
            self.write(&[*byte]);
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}
