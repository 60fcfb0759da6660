//! The Noise handshake and who is accepted (spec: sections 3 and 5).

use crate::case::{Case, Fail, Run, must};
use crate::conversation::{Conversation, Heard, Setup, TARGET_SECRET};
use crate::raw_peer::handshake::public_key;
use crate::raw_peer::wire::hello;
use crate::raw_peer::{Lies, Pattern, RawFrame, Role, Suite};

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
                c.expect(&Heard::Frame(RawFrame::Abort(1, Vec::new())))?;
                c.closes()
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
