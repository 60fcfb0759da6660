//! Duologue measured beside what people have; see `README.md` in the root.

mod areas;
mod check;
mod clock;
mod peer;
mod plot;
mod quic;
mod report;
mod run;
mod snow_end;
mod talk;
mod tls;
mod wire;

use std::{path::PathBuf, sync::Arc};

use clap::{Parser, ValueEnum};

use crate::{
    areas::{admission, end, growth, handshake, heap, record, sessions, streams},
    peer::Keys,
    run::{Plan, Results},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Area {
    Record,
    Handshake,
    Bulk,
    Messages,
    RoundTrip,
    Heap,
    End,
    Sessions,
    Growth,
    Admission,
}

#[derive(Debug, Parser)]
#[command(about = "Measures Duologue beside its peers and writes a table and plots")]
struct Arguments {
    /// Less of everything: under three minutes.
    #[arg(long)]
    quick: bool,
    /// Rounds of each measurement.
    #[arg(long)]
    rounds: Option<usize>,
    /// Measure areas of one thread in its processor time: for a machine that is busy with other things.
    #[arg(long)]
    processor_time: bool,
    /// Where the results go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../results"))]
    results: PathBuf,
    /// What the second process of an area is told to do.
    #[arg(long, hide = true)]
    child: Option<String>,
    /// Only contestants whose names hold these words.
    #[arg(long)]
    contestant: Option<String>,
    /// Only cases whose names hold these words.
    #[arg(long)]
    case: Option<String>,
    /// Only these areas.
    areas: Vec<Area>,
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(order) = &arguments.child {
        if order.starts_with("siege") {
            admission::child(order);
        } else {
            sessions::child(order);
        }
        return Ok(());
    }
    let plan = Plan {
        rounds: arguments
            .rounds
            .unwrap_or(if arguments.quick { 3 } else { 9 }),
        quick: arguments.quick,
        contestant: arguments.contestant.map(|words| &*words.leak()),
        case: arguments.case.map(|words| &*words.leak()),
    };
    if arguments.processor_time {
        clock::use_processor_time();
    }
    let conditions = report::conditions(plan, arguments.processor_time);
    let keys = Arc::new(Keys::new());
    let mut results = Results::default();
    for area in Area::value_variants() {
        if !arguments.areas.is_empty() && !arguments.areas.contains(area) {
            continue;
        }
        match area {
            Area::Record => record::run(&mut results, &keys, plan),
            Area::Handshake => handshake::run(&mut results, &keys, plan),
            Area::Bulk => streams::bulk(&mut results, &keys, plan),
            Area::Messages => streams::messages(&mut results, &keys, plan),
            Area::RoundTrip => streams::round_trips(&mut results, &keys, plan),
            Area::Heap => heap::run(&mut results, &keys, plan),
            Area::End => end::run(&mut results, &keys, plan),
            Area::Sessions => sessions::run(&mut results, &keys, plan),
            Area::Growth => growth::run(&mut results, &keys, plan),
            Area::Admission => admission::run(&mut results, &keys, plan),
        }
    }
    let (check, misses) = report::write(&results, &conditions, &arguments.results)?;
    println!(
        "{check}\n{misses} missed; written to {}",
        arguments.results.display()
    );
    Ok(())
}
