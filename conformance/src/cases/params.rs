//! Parameters and what comes of them (spec: section 5.1).

use super::{breaks, send};
use crate::case::{Case, Fail, Run, must};
use crate::control::Command;
use crate::conversation::{Conversation, Setup};
use crate::raw_peer::params::{entry, never_assigned};
use crate::raw_peer::wire::{sized, varint};
use crate::raw_peer::{RawFrame, RawParams, Role};
use crate::shim::ShimError;

/// Sends these entries and the never-assigned one as record 0.
fn send_entries(c: &mut Conversation<'_>, entries: &[u8]) -> Run {
    c.meet(&Setup::any())?;
    if c.role == Role::Initiator {
        c.read_params()?;
    }
    let hash = c
        .session
        .as_ref()
        .map(|session| session.hash)
        .unwrap_or_default();
    let (id, value) = never_assigned(&hash);
    let params = [entries, &entry(id, &value)].concat();
    c.say(&[RawFrame::Params(params)])
}

fn bad(id: &'static str, says: &'static str, entries: Vec<u8>) -> Case {
    must(id, says, move |c| {
        send_entries(c, &entries)?;
        c.expect_violation()
    })
}

fn good(id: &'static str, says: &'static str, entries: Vec<u8>) -> Case {
    must(id, says, move |c| {
        send_entries(c, &entries)?;
        if c.role == Role::Responder {
            c.read_params()?;
        }
        c.expect_alive()
    })
}

fn name(length: usize) -> Vec<u8> {
    sized(&vec![b'n'; length])
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = ranges();
    cases.extend(protocols());
    cases.extend(limits());
    cases
}

fn ranges() -> Vec<Case> {
    let max = |value| entry(2, &varint(value));
    let idle = |value| entry(3, &varint(value));
    vec![
        bad(
            "H-20/id-twice",
            "an id that occurs twice is a violation",
            [max(9), max(9)].concat(),
        ),
        bad("H-20/unknown-id-twice", "so is an unknown one", {
            [entry(0x70, &[]), entry(0x70, &[])].concat()
        }),
        bad(
            "H-20/left-over",
            "bytes left over in a value are a violation",
            entry(2, &[9, 9]),
        ),
        bad(
            "H-20/empty-number",
            "a number without a byte is a violation",
            entry(2, &[]),
        ),
        bad("H-20/max-message-0", "max_message is 1 at least", max(0)),
        bad(
            "H-20/max-message-too-large",
            "max_message is 2^62 at most",
            max((1 << 62) + 1),
        ),
        good(
            "H-20/max-message-2-62",
            "max_message may be 2^62",
            max(1 << 62),
        ),
        bad(
            "H-20/idle-timeout-999",
            "idle_timeout is 0 or 1,000 at least",
            idle(999),
        ),
        bad(
            "H-20/idle-timeout-too-large",
            "idle_timeout is 2^32 at most",
            idle((1 << 32) + 1),
        ),
        good(
            "H-20/idle-timeout-2-32",
            "idle_timeout may be 2^32",
            idle(1 << 32),
        ),
        good("H-20/idle-timeout-0", "idle_timeout may be 0", idle(0)),
        bad(
            "H-20/name-of-0",
            "a protocol's name has a byte at least",
            entry(1, &name(0)),
        ),
        bad(
            "H-20/name-of-65",
            "a protocol's name has 64 bytes at most",
            entry(1, &name(65)),
        ),
        bad(
            "H-20/17-names",
            "there are 16 names at most",
            entry(1, &name(1).repeat(17)),
        ),
        bad(
            "H-20/name-not-utf-8",
            "a protocol's name is UTF-8",
            entry(1, &[1, 0xff]),
        ),
        bad(
            "H-20/name-cut-off",
            "a name does not reach beyond its value",
            entry(1, &[9, b'x']),
        ),
        must(
            "H-20/entry-cut-off",
            "a cut-off entry is a violation",
            |c| {
                c.meet(&Setup::any())?;
                if c.role == Role::Initiator {
                    c.read_params()?;
                }
                c.say(&[RawFrame::Params(vec![2, 4, 1])])?;
                c.expect_violation()
            },
        ),
        breaks(
            "H-20/params-later",
            "PARAMS stands in record 0 and nowhere else",
            |c| c.say(&[RawFrame::Params(vec![])]),
        ),
        good("H-20/unknown-ids-are-ignored", "unknown ids are ignored", {
            [entry(0x1234_5678, b"?"), entry(4, &[0; 300])].concat()
        }),
        must(
            "H-21/never-assigned-id",
            "the never-assigned id is there, of the right length",
            |c| {
                c.echo()?;
                let hash = c
                    .session
                    .as_ref()
                    .map(|session| session.hash)
                    .unwrap_or_default();
                match c.params.has_never_assigned(&hash) {
                    true => Ok(()),
                    false => Err(Fail::Behaviour(format!(
                        "PARAMS has only {:?}",
                        c.params.others
                    ))),
                }
            },
        ),
    ]
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn meet_with(c: &mut Conversation<'_>, role: Role, theirs: Option<Vec<String>>) -> Run {
    c.meet(
        &Setup::role(role)
            .manual()
            .set(|config| config.protocols = theirs),
    )
}

/// The target answers our list with this code.
fn refuses(
    c: &mut Conversation<'_>,
    theirs: Option<Vec<String>>,
    ours: Option<Vec<String>>,
) -> Run {
    meet_with(c, Role::Responder, theirs)?;
    c.send_params(&RawParams {
        protocols: ours,
        ..RawParams::default()
    })?;
    c.expect_abort(2)?;
    c.closes()
}

/// The target ends the session over the list that we answer with.
fn ends(c: &mut Conversation<'_>, theirs: Option<Vec<String>>, ours: Option<Vec<String>>) -> Run {
    meet_with(c, Role::Initiator, theirs)?;
    c.read_params()?;
    c.send_params(&RawParams {
        protocols: ours,
        ..RawParams::default()
    })?;
    c.is_established(false)?;
    c.expect_any_end()
}

fn protocols() -> Vec<Case> {
    vec![
        must(
            "H-22/first-common-name",
            "the first of the initiator's names is picked",
            |c| {
                meet_with(c, Role::Responder, names(&["a", "b", "c"]))?;
                c.send_params(&RawParams {
                    protocols: names(&["x", "c", "a"]),
                    ..RawParams::default()
                })?;
                c.read_params()?;
                match c.params.protocols == names(&["c"]) {
                    true => c.expect_alive(),
                    false => Err(Fail::Behaviour(format!("picked {:?}", c.params.protocols))),
                }
            },
        ),
        must(
            "H-22/list-on-one-side",
            "a list on one side only agrees on nothing",
            |c| {
                refuses(c, None, names(&["a"]))?;
                refuses(c, names(&["a"]), None)
            },
        ),
        must(
            "H-22/no-common-name",
            "no common name agrees on nothing",
            |c| refuses(c, names(&["a", "b"]), names(&["c"])),
        ),
        must(
            "H-22/not-offered",
            "the initiator ends over a name it did not offer",
            |c| ends(c, names(&["a", "b"]), names(&["c"])),
        ),
        must(
            "H-22/two-names-picked",
            "the initiator ends over a list of two",
            |c| ends(c, names(&["a", "b"]), names(&["a", "b"])),
        ),
        must(
            "H-22/picked-without-offer",
            "the initiator ends over a list it did not ask for",
            |c| ends(c, None, names(&["a"])),
        ),
        must(
            "H-22/offer-without-pick",
            "the initiator ends when its list is not answered",
            |c| ends(c, names(&["a"]), None),
        ),
        must(
            "H-22/initiators-list",
            "the initiator sends its list in its order",
            |c| {
                meet_with(c, Role::Initiator, names(&["b", "a"]))?;
                c.read_params()?;
                match c.params.protocols == names(&["b", "a"]) {
                    true => Ok(()),
                    false => Err(Fail::Behaviour(format!("sent {:?}", c.params.protocols))),
                }
            },
        ),
    ]
}

fn limits() -> Vec<Case> {
    vec![must(
        "H-23/obeys-max-message",
        "no message above our limit is sent",
        |c| {
            c.meet(&Setup::any().manual())?;
            c.agree(&RawParams {
                max_message: Some(100),
                ..RawParams::default()
            })?;
            let message = hex::encode([7; 101]);
            match c.try_ask(&Command::Send { message }) {
                Ok(_) => return Err(Fail::Behaviour("101 bytes were taken for sending".into())),
                Err(ShimError::Refused(_)) => {}
                Err(other) => return Err(Fail::Behaviour(format!("{other:?}"))),
            }
            send(c, &[7; 100])?;
            c.expect_message(&[7; 100])
        },
    )]
}
