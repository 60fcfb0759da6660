//! JSON lines, a Markdown table and plots, with the run's conditions.

use std::{fmt::Write, fs, path::Path, process::Command, time::SystemTime};

use serde_json::json;

use crate::{
    check, plot,
    run::{Better, Plan, Results, Row, figure},
};

/// Crates whose version matters.
const VERSIONS: [&str; 13] = [
    "tokio",
    "tokio-util",
    "aws-lc-rs",
    "rustls",
    "tokio-rustls",
    "snow",
    "libp2p-noise",
    "yamux",
    "clatter",
    "ring",
    "chacha20poly1305",
    "aes-gcm",
    "x25519-dalek",
];

/// What the figures depend on.
pub fn conditions(plan: Plan, processor_time: bool) -> Vec<(&'static str, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map_or_else(
        |_none| "unknown".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let lock = include_str!("../Cargo.lock");
    let versions = VERSIONS
        .iter()
        .filter_map(|name| {
            let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
            Some(format!("{name} {}", rest.split_once('"')?.0))
        })
        .collect::<Vec<_>>();
    vec![
        (
            "machine",
            format!("{model}, {cores} cores, Linux {}", kernel.trim()),
        ),
        (
            "clock",
            if processor_time {
                "processor time of the thread, where both ends run on one; else the wall's"
            } else {
                "the wall's"
            }
            .into(),
        ),
        ("load before the run", load),
        ("compiler", compiler),
        ("build", "release, no target-cpu, no RUSTFLAGS".into()),
        (
            "provider",
            "Duologue uses AWS-LC unless it says portable".into(),
        ),
        (
            "rounds",
            format!(
                "{}, interleaved{}",
                plan.rounds,
                if plan.quick { ", --quick" } else { "" }
            ),
        ),
        ("versions", versions.join(", ")),
        ("unix time", seconds.to_string()),
    ]
}

/// Writes everything into a directory; gives the table of what must be reached and the misses.
pub fn write(
    results: &Results,
    conditions: &[(&str, String)],
    directory: &Path,
) -> std::io::Result<(String, usize)> {
    fs::create_dir_all(directory)?;
    let conditions_map = conditions
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)));
    let head = json!({ "conditions": conditions_map.collect::<serde_json::Map<_, _>>() });
    let mut lines = format!("{head}\n");
    for row in &results.0 {
        let mut value = serde_json::to_value(row)?;
        value["ratio_to_limit"] = json!(ratio(row, limit(results, row)));
        value["ratio_to_best_peer"] = json!(ratio(row, best_peer(results, row)));
        lines += &format!("{value}\n");
    }
    fs::write(directory.join("results.jsonl"), lines)?;
    let (check, misses) = check::table(results);
    fs::write(
        directory.join("results.md"),
        markdown(results, conditions, &check),
    )?;
    plot::all(results, directory)?;
    Ok((check, misses))
}

fn same_case<'a>(results: &'a Results, row: &'a Row) -> impl Iterator<Item = &'a Row> {
    let cases = results.0.iter();
    cases.filter(move |other| other.area == row.area && other.case == row.case)
}

/// The limit of the same AEAD where there are two.
fn limit<'a>(results: &'a Results, row: &'a Row) -> Option<&'a Row> {
    let chacha = |name: &str| name.contains("ChaCha");
    let limits = || same_case(results, row).filter(|other| other.contestant.contains("(limit)"));
    limits()
        .find(|other| chacha(&other.contestant) == chacha(&row.contestant))
        .or_else(|| limits().next())
}

fn best_peer<'a>(results: &'a Results, row: &'a Row) -> Option<&'a Row> {
    let peers = same_case(results, row).filter(|other| {
        !other.contestant.contains("(limit)") && !other.contestant.contains("Duologue")
    });
    match row.better {
        Better::Higher => peers.max_by(|one, other| one.median.total_cmp(&other.median)),
        Better::Lower => peers.min_by(|one, other| one.median.total_cmp(&other.median)),
    }
}

fn ratio(row: &Row, other: Option<&Row>) -> Option<f64> {
    let other = other?.median;
    (other > 0.0).then(|| row.median / other)
}

fn markdown(results: &Results, conditions: &[(&str, String)], check: &str) -> String {
    let mut text = String::from("# Duologue beside its peers\n\n");
    for (name, value) in conditions {
        let _ = writeln!(text, "- {name}: {value}");
    }
    let _ = write!(
        text,
        "\nMedians with quartiles of interleaved rounds. Absolute figures are this machine's; ratios within one run hold.\n\
         \n## What must be reached\n\n{check}"
    );
    let mut area = "";
    let mut case = "";
    for row in &results.0 {
        if row.area != area {
            let _ = write!(text, "\n## {}\n", row.area);
        }
        if row.area != area || row.case != case {
            let _ = write!(
                text,
                "\n{} ({})\n\n| | median | quartiles | to the limit | to the best peer |\n| --- | ---: | ---: | ---: | ---: |\n",
                row.case, row.unit
            );
        }
        (area, case) = (&row.area, &row.case);
        let shown =
            |ratio: Option<f64>| ratio.map_or(String::from("–"), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(
            text,
            "| {} | {} | {} – {} | {} | {} |",
            row.contestant,
            figure(row.median),
            figure(row.lower_quartile),
            figure(row.upper_quartile),
            shown(ratio(row, limit(results, row))),
            shown(ratio(row, best_peer(results, row))),
        );
    }
    text
}
