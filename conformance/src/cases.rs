//! Every case, by group.

mod acceptance;
mod end;
mod end_rules;
mod frames;
mod handshake;
mod hello;
mod hybrid;
mod limits;
mod liveness;
mod params;
mod receipts;
mod record;
mod rekey;

use crate::case::{Case, Group, Run, must};
use crate::control::{Command, Fields};
use crate::conversation::Conversation;
use crate::raw_peer::RawFrame;

/// All cases, in the order of the report.
pub fn all() -> Vec<Case> {
    let groups = [
        (Group::Hello, hello::cases()),
        (
            Group::Handshake,
            [handshake::cases(), acceptance::cases()].concat(),
        ),
        (Group::Hybrid, hybrid::cases()),
        (Group::Params, params::cases()),
        (Group::Record, record::cases()),
        (Group::Frames, frames::cases()),
        (Group::Rekey, rekey::cases()),
        (Group::Receipts, receipts::cases()),
        (Group::End, [end::cases(), end_rules::cases()].concat()),
        (Group::Limits, limits::cases()),
        (Group::Liveness, liveness::cases()),
    ];
    let mut all = Vec::new();
    for (group, cases) in groups {
        all.extend(cases.into_iter().map(|case| Case { group, ..case }));
    }
    all
}

/// An established session with an echoing application breaks a rule; ABORT `violation` follows.
fn breaks(
    id: &'static str,
    says: &'static str,
    act: impl Fn(&mut Conversation<'_>) -> Run + Send + Sync + 'static,
) -> Case {
    must(id, says, move |c| {
        c.echo()?;
        act(c)?;
        c.expect_violation()
    })
}

/// As `breaks`, the rule being broken by the frames of one batch.
fn breaks_by(id: &'static str, says: &'static str, frames: Vec<RawFrame>) -> Case {
    breaks(id, says, move |c| c.say(&frames))
}

fn end(sent: u64) -> RawFrame {
    RawFrame::End(sent, 0, Vec::new())
}

fn message(bytes: &[u8]) -> RawFrame {
    RawFrame::Message(bytes.to_vec())
}

fn finish() -> Command {
    Command::Finish {
        code: 0,
        reason: String::new(),
    }
}

/// The application sends a message.
fn send(c: &mut Conversation<'_>, bytes: &[u8]) -> Run<Fields> {
    let message = hex::encode(bytes);
    c.ask(&Command::Send { message })
}
