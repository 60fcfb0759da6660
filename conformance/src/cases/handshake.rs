//! The Noise handshake and who is accepted (spec: sections 3 and 5).

use super::{end, message, send};
use crate::case::{Case, Fail, Run, must};
use crate::conversation::{Conversation, Heard, Setup, TARGET_SECRET};
use crate::raw_peer::handshake::public_key;
use crate::raw_peer::wire::hello;
use crate::raw_peer::{Lies, Pattern, RawFrame, RawParams, RawRecord, Role, Suite};
use std::time::Duration;

/// Points of small order on Curve25519 and its twist, as they may be written.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn point(text: &str) -> [u8; 32] {
    let mut point = [0; 32];
    // The constants above are well-formed; a wrong one would show as a point of full order.
    let _written = hex::decode_to_slice(text, &mut point);
    point
}

fn xx(role: Role) -> Setup {
    Setup::role(role).with(Suite::ChaChaPoly, Pattern::Xx)
}

/// The target must end the handshake at the kit's message `step`, which lies.
fn ends_at(
    c: &mut Conversation<'_>,
    setup: &Setup,
    step: usize,
    lie: impl FnOnce(&mut Lies),
) -> Run {
    c.open(setup)?;
    c.begin(lie);
    for turn in 0..step {
        match turn % 2 == usize::from(c.role == Role::Responder) {
            true => c.read_handshake()?,
            false => c.write_handshake()?,
        }
    }
    c.write_handshake()?;
    c.closes_silently()
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = combinations(&[Suite::ChaChaPoly, Suite::AesGcm]);
    cases.extend(transcripts());
    cases.extend(keys());
    cases.extend(acceptance());
    cases.extend(record_zero());
    cases
}

/// Every suite of these with every pattern, the target in either role.
pub(super) fn combinations(suites: &[Suite]) -> Vec<Case> {
    let mut cases = Vec::new();
    for suite in suites.iter().copied() {
        for pattern in Pattern::ALL {
            for (role, word) in [
                (Role::Responder, "responder"),
                (Role::Initiator, "initiator"),
            ] {
                let name = pattern.protocol_name(suite);
                let id = format!("H-1/{word}-{}", name.trim_start_matches("Noise_"));
                let says = "the handshake succeeds and messages flow both ways";
                cases.push(must(id, says, move |c| {
                    combination(c, role, suite, pattern)
                }));
            }
        }
    }
    cases
}

fn combination(c: &mut Conversation<'_>, role: Role, suite: Suite, pattern: Pattern) -> Run {
    let setup = Setup::role(role).with(suite, pattern);
    if !c.has_shim() {
        let fixed = (c.fixed.suite, c.fixed.pattern) == (suite, pattern);
        if role == Role::Initiator && !fixed {
            return Err(Fail::Skip(
                "the target dials with another suite or pattern".into(),
            ));
        }
        c.open(&setup)?;
        if role == Role::Responder {
            c.bytes(&[&[0, 1], hello(suite.id(), pattern.id()).as_slice()].concat());
            if c.expect_refusal().is_ok() {
                return Err(Fail::Skip("the target refuses this combination".into()));
            }
        }
    }
    c.echo_with(&setup)
}

fn transcripts() -> Vec<Case> {
    vec![
        must(
            "H-2/hello-in-prologue",
            "the hello as sent is hashed",
            |c| {
                let setup = Setup::responder().with(Suite::ChaChaPoly, Pattern::Xk);
                ends_at(c, &setup, 0, |lies| {
                    let other = [b"duologue/1".as_slice(), &hello(2, 1), &[0, 0]].concat();
                    lies.prologue = Some(other);
                })
            },
        ),
        must("H-2/context", "both sides hash the same context", |c| {
            c.echo_with(&Setup::responder().set(|config| config.context = "c0ffee".into()))
        }),
        must(
            "H-2/context-differs",
            "another context ends the handshake",
            |c| {
                let setup = Setup::initiator().set(|config| config.context = "c0ffee".into());
                ends_at(c, &setup, 1, |lies| {
                    lies.prologue =
                        Some([b"duologue/1".as_slice(), &hello(1, 0), &[0, 0]].concat());
                })
            },
        ),
        must("H-3/payload-in-message-1", "payloads are empty", |c| {
            ends_at(c, &xx(Role::Responder), 0, |lies| {
                lies.payloads[0] = vec![1]
            })
        }),
        must("H-3/payload-in-message-2", "payloads are empty", |c| {
            ends_at(c, &xx(Role::Initiator), 1, |lies| {
                lies.payloads[1] = vec![1]
            })
        }),
        must("H-3/payload-in-message-3", "payloads are empty", |c| {
            ends_at(c, &xx(Role::Responder), 2, |lies| {
                lies.payloads[2] = vec![1]
            })
        }),
        must(
            "H-9/tampered-message-2",
            "a message 2 that fails is answered by nothing",
            |c| tampered(c, Role::Initiator),
        ),
        must(
            "H-9/tampered-message-3",
            "a message 3 that fails is answered by nothing",
            |c| tampered(c, Role::Responder),
        ),
        must(
            "H-10/another-psk",
            "another pre-shared key is answered by nothing",
            |c| {
                c.open(
                    &Setup::responder()
                        .with(Suite::ChaChaPoly, Pattern::XxPsk0)
                        .manual(),
                )?;
                let mut options = c.options();
                options.psk = Some([0x34; 32]);
                c.begin_with(options);
                c.write_handshake()?;
                c.closes_silently()
            },
        ),
    ]
}

fn tampered(c: &mut Conversation<'_>, role: Role) -> Run {
    c.open(&xx(role))?;
    c.begin(|_| {});
    if role == Role::Responder {
        c.write_handshake()?;
    }
    c.read_handshake()?;
    let mut body = c.next_own_body()?;
    if let Some(last) = body.last_mut() {
        *last ^= 1;
    }
    c.body(&body);
    c.closes_silently()
}

fn keys() -> Vec<Case> {
    vec![
        must(
            "H-4/zero-ephemeral-in-message-1",
            "a DH result of zeros ends the handshake",
            |c| {
                ends_at(c, &xx(Role::Responder), 0, |lies| {
                    lies.ephemeral_public = Some([0; 32])
                })
            },
        ),
        must(
            "H-4/zero-ephemeral-in-message-2",
            "a DH result of zeros ends the handshake",
            |c| {
                ends_at(c, &xx(Role::Initiator), 1, |lies| {
                    lies.ephemeral_public = Some([0; 32])
                })
            },
        ),
        must(
            "H-4/zero-static-in-message-2",
            "a DH result of zeros ends the handshake",
            |c| {
                ends_at(c, &xx(Role::Initiator), 1, |lies| {
                    lies.static_public = Some([0; 32])
                })
            },
        ),
        must(
            "H-4/zero-static-in-message-3",
            "a DH result of zeros ends the handshake",
            |c| {
                ends_at(c, &xx(Role::Responder), 2, |lies| {
                    lies.static_public = Some([0; 32])
                })
            },
        ),
        must(
            "H-4/points-of-small-order",
            "every point of small order is noticed",
            |c| {
                for text in LOW_ORDER {
                    let point = Some(point(text));
                    ends_at(c, &xx(Role::Responder), 0, |lies| {
                        lies.ephemeral_public = point
                    })?;
                }
                Ok(())
            },
        ),
        must(
            "H-5/ephemeral-keys-are-fresh",
            "each handshake has an ephemeral key of its own",
            |c| {
                let mut seen = Vec::new();
                for _ in 0..3 {
                    c.open(&Setup::any())?;
                    c.begin(|_| {});
                    if c.role == Role::Responder {
                        c.write_handshake()?;
                    }
                    c.read_handshake()?;
                    let key = c
                        .handshake
                        .as_ref()
                        .and_then(|shake| shake.remote_ephemeral);
                    if seen.contains(&key) {
                        return Err(Fail::Behaviour("an ephemeral key came twice".into()));
                    }
                    seen.push(key);
                }
                Ok(())
            },
        ),
        must(
            "H-8/own-key-from-initiator",
            "a peer with our own key is refused",
            |c| {
                c.open(&Setup::responder().manual())?;
                let mut options = c.options();
                options.secret = TARGET_SECRET;
                options.lies.takes_own_key = true;
                c.begin_with(options);
                c.shake()?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.expect_any_end()
            },
        ),
        must(
            "H-8/own-key-from-responder",
            "a peer with our own key gets no message 3",
            |c| {
                c.open(&Setup::initiator().manual())?;
                let mut options = c.options();
                options.secret = TARGET_SECRET;
                options.lies.takes_own_key = true;
                c.begin_with(options);
                c.read_handshake()?;
                c.write_handshake()?;
                c.closes_silently()
            },
        ),
        must(
            "H-13/responder-key-refused",
            "a refused responder gets no message 3",
            |c| {
                let other = hex::encode(public_key([0x77; 32]));
                let setup = Setup::initiator().set(|config| config.accept = Some(vec![other]));
                ends_at(c, &setup, 1, |_| {})
            },
        ),
        must(
            "H-13/another-key-than-pinned",
            "message 1 goes to the pinned key alone",
            |c| {
                let other = hex::encode(public_key([0x77; 32]));
                let setup = Setup::initiator().with(Suite::ChaChaPoly, Pattern::Xk);
                c.open(&setup.set(|config| config.remote = Some(other)))?;
                c.begin(|_| {});
                match c.read_handshake() {
                    Err(Fail::Behaviour(_)) => Ok(()),
                    Err(other) => Err(other),
                    Ok(()) => Err(Fail::Behaviour("message 1 opens for another key".into())),
                }
            },
        ),
    ]
}

fn refusing() -> Setup {
    let other = hex::encode(public_key([0x77; 32]));
    Setup::responder().set(|config| config.accept = Some(vec![other]))
}

fn acceptance() -> Vec<Case> {
    vec![
        must(
            "H-16/refused-key",
            "a refused key learns the code and nothing else",
            |c| {
                c.meet(&refusing())?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.expect(&Heard::Frame(RawFrame::Abort(1, Vec::new())))?;
                c.closes()
            },
        ),
        must(
            "H-16/key-is-judged-before-params",
            "the key is judged before PARAMS is read",
            |c| {
                c.meet(&refusing())?;
                c.say(&[RawFrame::Params(vec![2, 1, 0])])?;
                c.expect(&Heard::Frame(RawFrame::Abort(1, Vec::new())))?;
                c.closes()
            },
        ),
        must(
            "H-17/nothing-before-establishment",
            "no message leaves before PARAMS was read",
            |c| {
                c.open(&Setup::initiator().manual())?;
                c.begin(|_| {});
                send(c, b"early")?;
                c.shake()?;
                c.read_params()?;
                c.expect_quiet(Duration::from_millis(300))?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.expect_message(b"early")
            },
        ),
        must(
            "H-15/record-0-of-responder",
            "record 0 is PARAMS and padding alone",
            |c| {
                c.establish(&Setup::responder())?;
                c.expect_quiet(Duration::from_millis(100))
            },
        ),
        must(
            "H-14/record-0-of-initiator",
            "record 0 is PARAMS and padding alone",
            |c| {
                c.meet(&Setup::initiator())?;
                c.read_params()?;
                c.expect_quiet(Duration::from_millis(100))
            },
        ),
        must(
            "H-14/abort-before-answer",
            "the initiator may abort before the answer",
            |c| {
                c.meet(&Setup::responder())?;
                let params = c.own_params();
                c.send_params(&params)?;
                c.say(&[RawFrame::Abort(300, Vec::new())])?;
                c.read_params()?;
                c.closes()
            },
        ),
        must(
            "H-15/responder-aborts",
            "ABORT in place of PARAMS ends the handshake",
            |c| {
                c.meet(&Setup::initiator().manual())?;
                c.read_params()?;
                c.say(&[RawFrame::Abort(1, Vec::new())])?;
                c.is_established(false)?;
                c.closes()
            },
        ),
    ]
}

/// A record 0 that the target must not take.
fn bad_record_zero(id: &'static str, says: &'static str, record: RawRecord) -> Case {
    must(id, says, move |c| {
        c.meet(&Setup::any())?;
        if c.role == Role::Initiator {
            c.read_params()?;
        }
        c.put(&record)?;
        c.expect_any_end()
    })
}

/// PARAMS of the kit and padding up to a plaintext of this size.
fn padded(c: &Conversation<'_>, size: usize) -> RawRecord {
    let hash = c
        .session
        .as_ref()
        .map(|session| session.hash)
        .unwrap_or_default();
    let params = RawFrame::Params(c.own_params().encode(&hash));
    let used = params.encode().len() + 2;
    RawRecord::Batch(vec![params, RawFrame::Padding(size - used)])
}

fn record_zero() -> Vec<Case> {
    let params = || RawFrame::Params(RawParams::default().encode(&[0; 32]));
    let batch = |frames: Vec<RawFrame>| RawRecord::Batch(frames);
    vec![
        bad_record_zero(
            "H-14/message-in-record-0",
            "record 0 holds nothing beside PARAMS",
            batch(vec![params(), message(b"early")]),
        ),
        bad_record_zero(
            "H-14/params-not-first",
            "record 0 holds nothing beside PARAMS",
            batch(vec![RawFrame::Ping([0; 8]), params()]),
        ),
        bad_record_zero(
            "H-14/params-twice",
            "record 0 holds one PARAMS",
            batch(vec![params(), params()]),
        ),
        bad_record_zero(
            "H-14/message-as-record-0",
            "record 0 is a batch",
            RawRecord::Message(b"early".to_vec()),
        ),
        bad_record_zero(
            "H-14/end-as-record-0",
            "record 0 is PARAMS",
            batch(vec![end(0)]),
        ),
        must(
            "H-14/padding-in-record-0",
            "padding behind PARAMS is taken",
            |c| longest_record_zero(c, 600),
        ),
        must(
            "H-18/record-0-of-4096",
            "a plaintext of 4,096 bytes is taken",
            |c| longest_record_zero(c, 4_096),
        ),
        must(
            "H-18/record-0-of-4097",
            "a plaintext of 4,097 bytes ends the handshake",
            |c| {
                c.meet(&Setup::any())?;
                if c.role == Role::Initiator {
                    c.read_params()?;
                }
                let record = padded(c, 4_097);
                c.put(&record)?;
                c.expect_any_end()
            },
        ),
        must(
            "H-18/record-0-too-long",
            "its length alone ends the handshake",
            |c| {
                c.meet(&Setup::any())?;
                if c.role == Role::Initiator {
                    c.read_params()?;
                }
                c.bytes(&4_113_u16.to_be_bytes());
                c.expect_any_end()
            },
        ),
    ]
}

fn longest_record_zero(c: &mut Conversation<'_>, size: usize) -> Run {
    c.meet(&Setup::any())?;
    if c.role == Role::Initiator {
        c.read_params()?;
    }
    let record = padded(c, size);
    c.put(&record)?;
    if c.role == Role::Responder {
        c.read_params()?;
    }
    c.expect_alive()
}
