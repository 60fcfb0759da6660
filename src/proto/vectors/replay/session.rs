//! A transcript: every body and record is made again, and read.

use std::time::Instant;

use super::{
    super::{
        file::{From, Hex, Session},
        shaken::{Party, choices, initiator, name, responder, take_body, with_length},
    },
    Checked, same,
};
use crate::{
    noise::{Choices, Pattern, Psk, Suite},
    proto::{Channel, Progress},
    wire::{Kind, split_kind},
};

pub(super) fn check(session: &Session) -> Checked {
    let suite = Suite::from_id(session.suite).ok_or("suite")?;
    let pattern = Pattern::from_id(session.pattern).ok_or("pattern")?;
    let [alice, bob] = parties(session, suite, pattern);
    same(
        "protocol name",
        &name(suite, pattern),
        &session.protocol_name,
    )?;
    let first = &session.bodies.first().ok_or("no bodies")?.0;
    let prologue = alice.config.prologue(first.get(..8).ok_or("no hello")?);
    same("prologue", &prologue, &session.prologue.0)?;
    let pinned = pattern.pins_responder().then_some(&bob.key);
    let now = Instant::now();
    let mut out = Vec::new();
    let mut writer = initiator(&alice.config, pinned, &mut out);
    let mut reader = responder(&bob.config);
    for (turn, wanted) in session.bodies.iter().enumerate() {
        let body = take_body(&mut out);
        let fails = session.fails_at == Some(turn);
        if !fails {
            same("body", &body, &wanted.0)?;
        }
        // What stands behind message 3 is record 0.
        if let Some(first) = session.records.first().filter(|_record| turn == 2) {
            same("record 0", &out, &first.record.0)?;
        }
        let input = [with_length(&wanted.0), std::mem::take(&mut out)].concat();
        let read = reader.feed(&input, &mut out, now);
        match (read, fails) {
            (Ok(next), false) => (writer, reader) = (next, writer),
            (Err(_error), true) => return same("bytes sent after it", &out.len(), &0),
            (Ok(_next), true) => return Err(format!("body {turn} was taken")),
            (Err(error), false) => return Err(format!("body {turn}: {error}")),
        }
    }
    let answer = session.records.get(1).ok_or("no records")?;
    same("record 0 of the responder", &out, &answer.record.0)?;
    let keys = alice.fixed.record_keys().map(Hex::of);
    same("keys", &Some(keys), &session.keys)?;
    let done = [
        reader
            .feed(&out, &mut Vec::new(), now)
            .map_err(|error| error.to_string())?
            .established(),
        writer.established(),
    ];
    let hash = Some(Hex::of(done[0].peer.handshake_hash));
    same("hash", &hash, &session.hash)?;
    check_records(session, done, now)
}

/// The records behind the handshake, sealed and opened by our paths.
fn check_records(session: &Session, mut channels: [Channel; 2], now: Instant) -> Checked {
    for record in session.records.iter().skip(2) {
        let from = record.from.index();
        let plaintext = record.plaintext.as_ref().ok_or("no plaintext")?;
        let (body, kind) = split_kind(&plaintext.0).map_err(|wrong| wrong.to_string())?;
        same("kind", &kind, &Kind::Message)?;
        let send = &mut channels[from].send;
        let _offered = send.offer(body, &mut Progress::default(), now);
        send.flush(now).map_err(|error| error.to_string())?;
        same("record", &send.pending().to_vec(), &record.record.0)?;
        send.written(record.record.0.len());
        let facts = channels[1 - from].send.facts();
        let receive = &mut channels[1 - from].receive;
        receive.input().extend_from_slice(&record.record.0);
        let _processed = receive.process(&facts, now, 1);
        same("message", &receive.take().as_deref(), &Some(body))?;
    }
    Ok(())
}

/// Both sides with the choices that the vector gives.
fn parties(session: &Session, suite: Suite, pattern: Pattern) -> [Party; 2] {
    let sides = [
        (From::Initiator, &session.initiator),
        (From::Responder, &session.responder),
    ];
    sides.map(|(from, side)| {
        let known = choices(from);
        let given = Choices {
            secret: side.secret.array(),
            ephemeral: side.ephemeral.array(),
            kem_seed: side.kem_seed.as_ref().map_or(known.kem_seed, Hex::array),
            kem_message: side
                .kem_message
                .as_ref()
                .map_or(known.kem_message, Hex::array),
        };
        let party = Party::new(suite, pattern, given);
        let config = party.config.context(session.context.0.as_slice());
        let config = match &session.psk {
            Some(psk) => config.psk(Psk::from_bytes(&mut psk.array())),
            None => config,
        };
        Party { config, ..party }
    })
}
