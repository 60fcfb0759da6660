//! Rekeying (spec: T-10).

use super::{breaks, message};
use crate::case::{Case, Fail, Run, must};
use crate::control::Command;
use crate::conversation::{Conversation, Setup};
use crate::raw_peer::{Pattern, RawFrame, RawRecord, Suite};

fn rekeys(c: &mut Conversation<'_>, suite: Suite) -> Run {
    c.establish(&Setup::any().with(suite, Pattern::Xx))?;
    for round in 0..5_u8 {
        c.say(&[message(&[round])])?;
        c.expect_message(&[round])?;
        c.rekey()?;
    }
    c.say(&[message(b"done")])?;
    c.expect_message(b"done")
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        must(
            "T-10/peer-rekeys-chacha20-poly1305",
            "REKEY is followed, with ChaChaPoly",
            |c| rekeys(c, Suite::ChaChaPoly),
        ),
        must(
            "T-10/peer-rekeys-aes-gcm",
            "REKEY is followed, with AES-GCM",
            |c| rekeys(c, Suite::AesGcm),
        ),
        must(
            "T-10/counter-goes-on",
            "the counter goes on behind REKEY",
            |c| {
                c.echo()?;
                c.say(&[message(b"x")])?;
                c.expect_message(b"x")?;
                c.rekey()?;
                c.say(&[message(b"y")])?;
                c.expect_message(b"y")
            },
        ),
        breaks(
            "T-10/counter-restarts",
            "a counter that starts anew does not open",
            |c| {
                c.say(&[message(b"x")])?;
                c.rekey()?;
                if let Some(session) = &mut c.session {
                    session.send.counter = 0;
                }
                c.say(&[message(b"y")])
            },
        ),
        breaks(
            "T-10/old-key-after-rekey",
            "the old key opens nothing behind REKEY",
            |c| {
                c.say(&[RawFrame::Rekey])?;
                c.say(&[message(b"old key")])
            },
        ),
        breaks(
            "T-10/new-key-without-rekey",
            "the next key opens nothing before REKEY",
            |c| {
                if let Some(session) = &mut c.session {
                    session.rekey_send();
                }
                c.say(&[message(b"new key")])
            },
        ),
        breaks(
            "T-10/frame-behind-rekey",
            "only PADDING follows REKEY in its record",
            |c| c.say(&[RawFrame::Rekey, message(b"behind")]),
        ),
        breaks(
            "T-10/rekey-twice-in-a-record",
            "a second REKEY does not follow either",
            |c| c.say(&[RawFrame::Rekey, RawFrame::Rekey]),
        ),
        must(
            "T-10/padding-behind-rekey",
            "PADDING may follow REKEY",
            |c| {
                c.echo()?;
                c.say(&[message(b"before"), RawFrame::Rekey, RawFrame::Padding(40)])?;
                if let Some(session) = &mut c.session {
                    session.rekey_send();
                }
                c.say(&[message(b"after")])?;
                c.expect_message(b"before")?;
                c.expect_message(b"after")
            },
        ),
        must(
            "T-10/between-pieces",
            "REKEY may stand between pieces",
            |c| {
                c.echo()?;
                c.put(&RawRecord::Piece(vec![1; 3000]))?;
                c.rekey()?;
                c.put(&RawRecord::Message(vec![2; 3000]))?;
                c.expect_message(&[vec![1; 3000], vec![2; 3000]].concat())
            },
        ),
        must(
            "T-10/target-rekeys",
            "the target's own REKEY ends its record and is followed",
            |c| {
                c.manual()?;
                for round in 0..3_u8 {
                    let text = hex::encode([round]);
                    c.ask(&Command::Send { message: text })?;
                    c.expect_message(&[round])?;
                    c.ask(&Command::Rekey)?;
                    c.wait_for("REKEY", |heard| {
                        let rekey = crate::conversation::Heard::Frame(RawFrame::Rekey);
                        (*heard == rekey).then_some(())
                    })?;
                }
                c.expect_alive()
            },
        ),
        must(
            "T-10/directions-rekey-apart",
            "each direction rekeys by itself",
            |c| {
                c.manual()?;
                c.rekey()?;
                c.rekey()?;
                c.ask(&Command::Rekey)?;
                c.expect_alive()?;
                match c.session.as_ref().map(|session| session.receive.counter) {
                    Some(counter) if counter > 2 => Ok(()),
                    counter => Err(Fail::Behaviour(format!("the counter is at {counter:?}"))),
                }
            },
        ),
        must(
            "E-3/rekey-behind-end",
            "a direction that has ended may rekey",
            |c| {
                c.manual()?;
                c.say(&[super::end(0)])?;
                c.rekey()?;
                c.expect_alive()
            },
        ),
    ]
}
