//! Conversations whose last record breaks a rule: record 0 of either side.

use super::{
    file::{From, Vector},
    script::{Script, batch},
    wrong::{SUITE, VIOLATION, end},
};
use crate::wire::{Code, Frame, Params};

use From::{Initiator, Responder};

pub(super) fn vectors() -> Vec<Vector> {
    [first_records(), protocols()].concat()
}

/// Record 0 that is not PARAMS, or more than PARAMS.
fn first_records() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for from in From::BOTH {
        let start = || {
            let mut script = Script::new(SUITE);
            if from == Responder {
                script.params(Initiator, &Params::default());
            }
            script
        };
        let bytes = start().params_bytes(&Params::default());
        let params = Frame::Params(&bytes);
        let abort = Frame::Abort {
            code: Code::REFUSED,
            reason: "",
        };
        let doubled = [&[2, 1, 9, 2, 1, 9], bytes.as_slice()].concat();
        let clause = match from {
            Initiator => "H-14",
            Responder => "H-15",
        };
        for (what, clause, plaintext) in [
            ("a message", clause, b"early\x01".to_vec()),
            ("a piece", clause, b"early\x02".to_vec()),
            (
                "a MESSAGE frame",
                clause,
                batch(&[Frame::Message(b"early")]),
            ),
            ("a PING", clause, batch(&[Frame::Ping([0; 8])])),
            (
                "PADDING alone",
                clause,
                batch(&[Frame::Padding { zeros: 3 }]),
            ),
            ("PARAMS twice", clause, batch(&[params, params])),
            (
                "PARAMS and a MESSAGE",
                clause,
                batch(&[params, Frame::Message(b"early")]),
            ),
            ("PARAMS and an END", clause, batch(&[params, end(0)])),
            ("PARAMS and an ABORT", clause, batch(&[params, abort])),
            ("an ABORT and PARAMS", clause, batch(&[abort, params])),
            ("no frame", "T-6", vec![0]),
            ("an unknown kind", "T-6", vec![1, 3]),
            (
                "PARAMS with a parameter twice",
                "H-20",
                batch(&[Frame::Params(&doubled)]),
            ),
            ("PARAMS without their bytes", "T-12", vec![1, 9, 0]),
        ] {
            let mut script = start();
            script.plaintext(from, &plaintext);
            let name = format!("record 0 of the {} with {what}", side(from));
            vectors.push(script.wrong(&name, clause, VIOLATION));
        }
    }
    vectors
}

fn side(from: From) -> &'static str {
    match from {
        Initiator => "initiator",
        Responder => "responder",
    }
}

fn named(names: &[&str]) -> Params {
    Params {
        protocols: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Params::default()
    }
}

/// Lists of application protocols that do not fit each other.
fn protocols() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (name, offered, takes) in [
        (
            "protocols are offered and none is taken",
            named(&["a/1"]),
            None,
        ),
        (
            "no protocol is offered and some are taken",
            Params::default(),
            Some(vec!["a/1"]),
        ),
        (
            "no protocol is common",
            named(&["a/1", "a/2"]),
            Some(vec!["b/1", "A/1"]),
        ),
    ] {
        let mut script = Script::new(SUITE);
        script.made.takes = takes.map(|takes| takes.into_iter().map(str::to_owned).collect());
        script.params(Initiator, &offered);
        vectors.push(script.wrong(name, "H-22", "no_common_protocol"));
    }
    for (name, offered, answer) in [
        (
            "the answer names a protocol though none was offered",
            Params::default(),
            named(&["a/1"]),
        ),
        (
            "the answer names a protocol that was not offered",
            named(&["a/1"]),
            named(&["a/2"]),
        ),
        (
            "the answer names two protocols",
            named(&["a/1", "a/2"]),
            named(&["a/1", "a/2"]),
        ),
        (
            "the answer names no protocol though some were offered",
            named(&["a/1"]),
            Params::default(),
        ),
    ] {
        let mut script = Script::new(SUITE);
        // What such a responder would say it takes.
        script.made.takes = offered.protocols.clone();
        script.params(Initiator, &offered);
        script.params(Responder, &answer);
        vectors.push(script.wrong(name, "H-22", VIOLATION));
    }
    vectors
}
