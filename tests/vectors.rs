//! The committed vectors against the raw peer, which shares no code with the library.
//!
//! The library makes them and replays them too: `src/proto/vectors.rs`.

#[path = "support/raw_peer.rs"]
#[expect(unused, unreachable_pub, reason = "each test uses a part of the peer")]
mod raw_peer;
#[path = "../conformance/src/vectors.rs"]
#[expect(
    unused,
    unreachable_pub,
    reason = "the kit's own replay: it writes vectors too"
)]
mod vectors;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use vectors::{Body, FORMAT, File, Vector};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/vectors")
}

fn committed() -> Vec<Vector> {
    let files = fs::read_dir(directory()).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let read = files.flat_map(|path| {
        let file: File = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(file.format, FORMAT);
        file.vectors
    });
    read.collect()
}

fn is_negative(body: &Body) -> bool {
    match body {
        Body::Session(session) => session.fails_at.is_some(),
        Body::Conversation(conversation) => conversation.error.is_some(),
        Body::Plaintext { error, .. } | Body::Params { error, .. } => error.is_some(),
        Body::Varint { value, .. } => value.is_none(),
        Body::Hello { answer, .. } | Body::Answer { answer, .. } => answer != "proceed",
    }
}

#[test]
fn committed_vectors_are_met_by_the_raw_peer() {
    let replayed = vectors::replay(&directory()).unwrap();
    let wrong: Vec<String> = replayed
        .iter()
        .filter_map(|one| Some(format!("{}: {}", one.name, one.error.as_ref()?)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        replayed.len()
    );
    assert!(replayed.len() > 300, "only {}", replayed.len());
}

#[test]
fn a_negative_vector_that_is_called_good_is_noticed() {
    let mut negative = 0;
    for vector in committed() {
        let mut body = vector.body.clone();
        match &mut body {
            _ if !is_negative(&vector.body) => continue,
            Body::Session(session) => session.fails_at = None,
            Body::Conversation(conversation) => conversation.error = None,
            Body::Plaintext { error, .. } | Body::Params { error, .. } => *error = None,
            Body::Varint { value, .. } => *value = Some(0),
            Body::Hello { answer, .. } | Body::Answer { answer, .. } => *answer = "proceed".into(),
        }
        assert!(vectors::check(&body).is_err(), "{}", vector.name);
        negative += 1;
    }
    assert!(negative >= 80, "only {negative}");
}

#[test]
fn a_report_that_claims_too_much_is_noticed() {
    // spec: E-10, E-11
    let mut claims = 0;
    for vector in committed() {
        let Body::Conversation(mut conversation) = vector.body else {
            continue;
        };
        let Some(outcome) = &mut conversation.outcome else {
            continue;
        };
        let Some(responder) = &mut outcome.responder else {
            continue;
        };
        let honest = responder.clone();
        responder.sent = "delivered 1".into();
        responder.received = "complete 1".into();
        let claimed = honest.sent != responder.sent || honest.received != responder.received;
        let noticed = vectors::check(&Body::Conversation(conversation)).is_err();
        assert_eq!(noticed, claimed, "{}", vector.name);
        claims += usize::from(claimed);
    }
    assert!(claims >= 20, "only {claims}");
}

#[test]
fn every_frame_goes_both_ways_and_every_direction_rekeys() {
    // spec: T-12, T-10
    let mut said: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for vector in committed() {
        let Body::Conversation(conversation) = vector.body else {
            continue;
        };
        if conversation.error.is_some() {
            continue;
        }
        for record in conversation.records {
            let plaintext = hex::decode(record.plaintext.unwrap()).unwrap();
            let names = match raw_peer::RawRecord::parse(&plaintext).unwrap() {
                raw_peer::RawRecord::Batch(frames) => {
                    let name = |frame| format!("{frame:?}").split('(').next().unwrap().to_owned();
                    frames.into_iter().map(name).collect()
                }
                raw_peer::RawRecord::Message(_) => vec!["record".to_owned()],
                raw_peer::RawRecord::Piece(_) => vec!["piece".to_owned()],
            };
            said.entry(record.from).or_default().extend(names);
        }
    }
    // 14 frames and the two other kinds of record.
    let [initiator, responder] = ["initiator", "responder"].map(|side| &said[side]);
    let all: BTreeSet<&String> = initiator.union(responder).collect();
    assert_eq!(all.len(), 16, "{all:?}");
    for both in [
        "Rekey",
        "End",
        "Stop",
        "FinalReceipt",
        "Receipt",
        "Message",
        "record",
        "Pong",
    ] {
        assert!(
            initiator.contains(both) && responder.contains(both),
            "{both}"
        );
    }
}
