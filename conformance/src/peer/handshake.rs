//! From the first byte to establishment (spec: sections 2.2, 3 and 5).

use super::{Agreed, Fault, Peer, Stage, code};
use crate::control::Cause;
use crate::raw_peer::handshake::public_key;
use crate::raw_peer::params::never_assigned;
use crate::raw_peer::wire::{parse_hello, refusal, take_body, with_length};
use crate::raw_peer::{Options, Pattern, RawError, RawFrame, RawHandshake, RawParams, RawRecord};
use crate::raw_peer::{Role, Suite};
use std::time::{Duration, Instant};

impl Peer {
    /// The initiator's first body leaves at once.
    pub(super) fn begin(&mut self) {
        if self.role == Role::Initiator {
            let (suite, pattern) = (self.settings.suites[0], self.settings.patterns[0]);
            let options = self.settings.options(suite, pattern);
            let mut handshake = RawHandshake::initiator(options);
            if let Ok(body) = handshake.write_body() {
                self.output.extend(with_length(&body));
            }
            self.handshake = Some(handshake);
        }
    }

    /// One step of the handshake, when enough has come for it.
    pub(super) fn step_handshake(&mut self, now: Instant) -> bool {
        let step = match (self.role, self.handshake.is_some()) {
            (Role::Initiator, _) => self.read_answer(now),
            (Role::Responder, false) => self.judge_hello(),
            (Role::Responder, true) => self.read_third(now),
        };
        match step {
            Ok(progressed) => progressed,
            Err(why) => {
                self.give_up(&why, now);
                false
            }
        }
    }

    /// Ten bytes are enough to judge (spec: W-8).
    fn judge_hello(&mut self) -> Result<bool, String> {
        let Some((head, _)) = self.input.split_first_chunk::<10>() else {
            return Ok(false);
        };
        let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
        let mut hello: [u8; 8] = head[2..].try_into().unwrap_or_default();
        if self.has("waits-for-body") && self.input.len() < length + 2 {
            return Ok(false);
        }
        if &hello[..3] != b"duo" && !self.has("answers-wrong-magic") {
            return Err("not a hello".into());
        }
        if self.has("reserved-ignored") {
            hello[6..].fill(0);
        }
        let suite = parse_hello(hello).and_then(|(suite, _)| Suite::of(suite));
        let pattern = parse_hello(hello).and_then(|(_, pattern)| Pattern::of(pattern));
        let taken = |(suite, pattern): &(Suite, Pattern)| {
            self.settings.suites.contains(suite) && self.settings.patterns.contains(pattern)
        };
        let Some((suite, pattern)) = suite.zip(pattern).filter(taken) else {
            self.refuse();
            return Err("hello not taken".into());
        };
        if length != 8 + pattern.sizes(suite)[0] {
            return Err("length of message 1".into());
        }
        let Some(body) = take_body(&mut self.input) else {
            return Ok(false);
        };
        self.answer_first(body, self.settings.options(suite, pattern))
    }

    fn answer_first(&mut self, mut body: Vec<u8>, options: Options) -> Result<bool, String> {
        if self.has("reserved-ignored") {
            body[6..8].fill(0);
        }
        let mut handshake = RawHandshake::responder(options);
        let read = handshake.read_body(&body);
        read.map_err(|error| format!("message 1: {error:?}"))?;
        let answer = handshake.write_body();
        let answer = answer.map_err(|error| format!("message 2: {error:?}"))?;
        self.output.extend(with_length(&answer));
        self.handshake = Some(handshake);
        Ok(true)
    }

    fn refuse(&mut self) {
        let mut triples = Vec::new();
        for suite in &self.settings.suites {
            for pattern in &self.settings.patterns {
                triples.push([1, suite.id(), pattern.id()]);
            }
        }
        let mut body = refusal(&triples);
        if self.has("ragged-refusal-list") {
            body.pop();
        }
        if !self.has("no-refusal-list") {
            self.output.extend(with_length(&body));
        }
    }

    /// The responder's first body: a length and a status byte are enough to judge (spec: W-10).
    fn read_answer(&mut self, now: Instant) -> Result<bool, String> {
        let Some(handshake) = &self.handshake else {
            return Err("no handshake".into());
        };
        let Some((head, _)) = self.input.split_first_chunk::<2>() else {
            return Ok(false);
        };
        let length = usize::from(u16::from_be_bytes(*head));
        let size = 1 + handshake.options.pattern.sizes(handshake.options.suite)[1];
        let legal = match self.input.get(2) {
            None => length != 0,
            Some(0) => length == size,
            Some(1) => length % 3 == 1 && (4..=97).contains(&length),
            Some(_) => self.has("takes-any-status"),
        };
        if !legal {
            return Err("the responder's first body".into());
        }
        let Some(mut body) = take_body(&mut self.input) else {
            return Ok(false);
        };
        if self.has("takes-any-status") {
            body[0] = 0;
        }
        if body[0] == 1 && self.has("retries-refused") {
            self.settings.config.app = crate::control::App::Manual;
            self.failure = Some("retry".into());
        }
        let mut handshake = self.handshake.take().ok_or("no handshake")?;
        let read = handshake.read_body(&body);
        read.map_err(|error| format!("message 2: {error:?}"))?;
        let remote = handshake.remote_static.unwrap_or_default();
        let judged = self.judge_key(remote);
        if !judged && !self.has("shows-key-to-stranger") {
            return Err("the responder's key is not accepted".into());
        }
        let third = handshake.write_body();
        let third = third.map_err(|error| format!("message 3: {error:?}"))?;
        self.output.extend(with_length(&third));
        if !judged {
            return Err("the responder's key is not accepted".into());
        }
        self.begin_session(handshake)?;
        self.send_params(self.settings.config.protocols.clone());
        self.stage = Stage::AwaitParams;
        self.opened = now;
        if self.has("sends-early") {
            self.send_queued();
        }
        Ok(true)
    }

    fn judge_key(&self, key: [u8; 32]) -> bool {
        let own = key == public_key(self.settings.secret) && !self.has("takes-own-key");
        let pinned = self.settings.remote.is_none_or(|pinned| pinned == key);
        let listed = |accept: &Vec<[u8; 32]>| accept.contains(&key);
        let refuses = self.role == Role::Initiator && !pinned;
        !own && !refuses && self.settings.accept.as_ref().is_none_or(listed)
    }

    fn begin_session(&mut self, handshake: RawHandshake) -> Result<(), String> {
        let session = handshake.into_session();
        self.session = Some(session.map_err(|error| format!("{error:?}"))?);
        Ok(())
    }

    /// Message 3, then the initiator's key, and only then anything else (spec: H-15).
    fn read_third(&mut self, now: Instant) -> Result<bool, String> {
        let Some((head, _)) = self.input.split_first_chunk::<2>() else {
            return Ok(false);
        };
        let exact = u16::from_be_bytes(*head) == 64;
        if !exact && !self.has("takes-payload") {
            return Err("length of message 3".into());
        }
        let Some(body) = take_body(&mut self.input) else {
            return Ok(false);
        };
        let mut handshake = self.handshake.take().ok_or("no handshake")?;
        match handshake.read_body(&body) {
            Ok(()) => {}
            Err(error) => {
                if self.has("answers-tampered") && error == RawError::Tag {
                    self.output.extend(with_length(&[0x15; 17]));
                }
                return Err(format!("message 3: {error:?}"));
            }
        }
        let remote = handshake.remote_static.unwrap_or_default();
        self.begin_session(handshake)?;
        self.stage = Stage::AwaitParams;
        self.opened = now;
        if !self.judge_key(remote) && !self.has("params-before-key") {
            self.refuse_key(now);
        }
        Ok(true)
    }

    fn refuse_key(&mut self, now: Instant) {
        self.failure = Some("the initiator's key is not accepted".into());
        if self.has("refused-silently") {
            return self.give_up("refused", now);
        }
        let reason = match self.has("refused-with-reason") {
            true => "who are you?",
            false => "",
        };
        self.abort(code::REFUSED, reason, now);
    }

    /// Record 0 of the peer (spec: H-14, H-15).
    pub(super) fn read_first_record(
        &mut self,
        record: RawRecord,
        now: Instant,
    ) -> Result<(), Fault> {
        let wrong = || Err(Fault::violation("record 0 is not PARAMS alone"));
        let RawRecord::Batch(frames) = record else {
            return wrong();
        };
        let params = match frames.as_slice() {
            [RawFrame::Params(params)] | [RawFrame::Params(params), RawFrame::Padding(_)] => params,
            [RawFrame::Params(params), ..] if self.has("extra-in-record-zero") => params,
            [RawFrame::Abort(code, reason)]
            | [RawFrame::Abort(code, reason), RawFrame::Padding(_)]
                if self.role == Role::Initiator =>
            {
                let reason = String::from_utf8_lossy(reason).into_owned();
                self.failure = Some(format!("the peer aborted with code {code}"));
                self.conclude(Cause::PeerAborted, *code, reason);
                self.close(now);
                return Ok(());
            }
            _ => return wrong(),
        };
        let params = self.parse_params(params)?;
        let remote = self.session.as_ref().map(|session| session.remote_static);
        if self.has("params-before-key") && !self.judge_key(remote.unwrap_or_default()) {
            self.refuse_key(now);
            return Ok(());
        }
        let protocol = self.agree(params.protocols.as_deref())?;
        let ours = self.settings.config.idle_ms.unwrap_or(0);
        let idle = [ours, params.idle_timeout.unwrap_or(0)];
        let idle = idle.into_iter().filter(|idle| *idle > 0).min();
        self.agreed = Agreed {
            protocol: protocol.clone(),
            max_message: params.max_message.unwrap_or(1 << 24),
            idle: idle.map(Duration::from_millis),
        };
        if self.role == Role::Responder {
            self.send_params(protocol.map(|name| vec![name]));
        }
        self.stage = Stage::Open;
        self.established = true;
        self.credited = now;
        self.opened = now;
        self.send_queued();
        Ok(())
    }

    fn parse_params(&self, bytes: &[u8]) -> Result<RawParams, Fault> {
        let params = match RawParams::parse(bytes) {
            Err(rule) if rule.ends_with("twice") && self.has("param-twice") => RawParams::default(),
            Err(rule) if rule.ends_with("range") && self.has("param-range") => RawParams::default(),
            other => other.map_err(Fault::violation)?,
        };
        let unknown = |(id, _): &(u64, Vec<u8>)| !(0x40..=0x5f).contains(id);
        if self.has("unknown-param") && params.others.iter().any(unknown) {
            return Err(Fault::violation("unknown parameter"));
        }
        Ok(params)
    }

    /// The application protocol (spec: H-22).
    fn agree(&self, theirs: Option<&[String]>) -> Result<Option<String>, Fault> {
        let none = Fault {
            code: code::NO_COMMON_PROTOCOL,
            rule: "no common protocol".into(),
        };
        let ours = self.settings.config.protocols.as_deref();
        if self.has("one-sided-list") && ours.is_none() != theirs.is_none() {
            return Ok(None);
        }
        match (self.role, ours, theirs) {
            (_, None, None) => Ok(None),
            (_, None, Some(_)) | (_, Some(_), None) => Err(none),
            (Role::Responder, Some(ours), Some(theirs)) => {
                let mut common = theirs.iter().filter(|name| ours.contains(name));
                let picked = match self.has("picks-last") {
                    true => common.next_back(),
                    false => common.next(),
                };
                picked.cloned().map(Some).ok_or(none)
            }
            (Role::Initiator, Some(ours), Some([name])) if ours.contains(name) => {
                Ok(Some(name.clone()))
            }
            (Role::Initiator, Some(_), Some(_)) => Err(none),
        }
    }

    fn send_params(&mut self, protocols: Option<Vec<String>>) {
        let Some(session) = &self.session else {
            return;
        };
        let mut params = self.settings.params();
        params.protocols = protocols;
        if !self.has("no-never-assigned") {
            params.others.push(never_assigned(&session.hash));
        }
        self.say(&[RawFrame::Params(params.encode_bare())]);
    }
}
