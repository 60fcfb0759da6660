//! What must be reached, and whether it was.

use crate::run::{Better, Results};

/// One demand: our figure against another's.
struct Demand {
    what: &'static str,
    ours: (&'static str, &'static str, &'static str),
    theirs: (&'static str, &'static str),
    /// The least ratio (the most, where less is better).
    ratio: f64,
}

const fn demand(
    what: &'static str,
    ours: (&'static str, &'static str, &'static str),
    theirs: (&'static str, &'static str),
    ratio: f64,
) -> Demand {
    Demand {
        what,
        ours,
        theirs,
        ratio,
    }
}

const AES: &str = "Duologue AES-256-GCM";
const CHACHA: &str = "Duologue ChaCha20";
const PUMPED: &str = "Duologue AES pumped";
const TLS: &str = "tokio-rustls AES-256-GCM";
const TLS_CHACHA: &str = "tokio-rustls ChaCha20";
const PLAIN: &str = "plain tokio (limit)";
const NOISE: &str = "libp2p-noise";

const UNIX: &str = "Unix, 1 thread";
const TCP: &str = "TCP, 1 thread";
const UNIX_TWO: &str = "Unix, 2 runtimes";
const TCP_TWO: &str = "TCP, 2 runtimes";
const BATCHED: &str = "64 B batched, Unix, 1 thread";
const EACH: &str = "64 B flush each, Unix, 1 thread";
const TRIP: &str = "64 B p50, Unix, 1 thread";
const HANDSHAKE: &str = "both sides, one core";
const FRESH: &str = "fresh";
const AFTER: &str = "after 1 MiB each way";

const DEMANDS: [Demand; 36] = [
    demand(
        "bulk AES, Unix, 1 thread, rustls",
        ("bulk", UNIX, AES),
        (UNIX, TLS),
        1.35,
    ),
    demand(
        "bulk AES, TCP, 1 thread, rustls",
        ("bulk", TCP, AES),
        (TCP, TLS),
        1.5,
    ),
    demand(
        "bulk AES, Unix, 2 runtimes, rustls",
        ("bulk", UNIX_TWO, AES),
        (UNIX_TWO, TLS),
        1.15,
    ),
    demand(
        "bulk AES, TCP, 2 runtimes, rustls",
        ("bulk", TCP_TWO, AES),
        (TCP_TWO, TLS),
        1.15,
    ),
    demand(
        "bulk AES, Unix, 1 thread, libp2p-noise",
        ("bulk", UNIX, AES),
        (UNIX, NOISE),
        3.0,
    ),
    demand(
        "bulk AES, TCP, 1 thread, libp2p-noise",
        ("bulk", TCP, AES),
        (TCP, NOISE),
        3.0,
    ),
    demand(
        "bulk ChaCha20, Unix, 1 thread, rustls",
        ("bulk", UNIX, CHACHA),
        (UNIX, TLS_CHACHA),
        1.05,
    ),
    demand(
        "64 B batched, rustls",
        ("messages", BATCHED, AES),
        (BATCHED, TLS),
        2.5,
    ),
    demand(
        "64 B batched, plain codec",
        ("messages", BATCHED, AES),
        (BATCHED, PLAIN),
        2.0,
    ),
    demand(
        "64 B each pumped, rustls AES",
        ("messages", EACH, PUMPED),
        (EACH, TLS),
        10.0,
    ),
    demand(
        "64 B each pumped, rustls ChaCha20",
        ("messages", EACH, PUMPED),
        (EACH, TLS_CHACHA),
        10.0,
    ),
    demand(
        "64 B each pumped, libp2p-noise",
        ("messages", EACH, PUMPED),
        (EACH, NOISE),
        10.0,
    ),
    demand(
        "64 B each pumped, yamux",
        ("messages", EACH, PUMPED),
        (EACH, "libp2p-noise + yamux"),
        10.0,
    ),
    demand(
        "64 B each pumped, snow ring",
        ("messages", EACH, PUMPED),
        (EACH, "snow by hand, AESGCM ring"),
        10.0,
    ),
    demand(
        "64 B each pumped, snow default",
        ("messages", EACH, PUMPED),
        (EACH, "snow by hand, ChaChaPoly default"),
        10.0,
    ),
    demand(
        "64 B flush each, plain codec",
        ("messages", EACH, AES),
        (EACH, PLAIN),
        0.95,
    ),
    demand(
        "round trip p50, plain codec",
        ("round trip", TRIP, AES),
        (TRIP, PLAIN),
        1.05,
    ),
    demand(
        "round trip p50, rustls",
        ("round trip", TRIP, AES),
        (TRIP, TLS),
        0.85,
    ),
    demand(
        "handshake XX classical AES, snow",
        ("handshake", HANDSHAKE, "Duologue aws-lc XX classical AES"),
        (HANDSHAKE, "snow XX default"),
        2.2,
    ),
    demand(
        "handshake XX classical ChaCha20, snow",
        (
            "handshake",
            HANDSHAKE,
            "Duologue aws-lc XX classical ChaCha20",
        ),
        (HANDSHAKE, "snow XX default"),
        2.2,
    ),
    demand(
        "handshake XX classical AES, rustls raw keys",
        ("handshake", HANDSHAKE, "Duologue aws-lc XX classical AES"),
        (HANDSHAKE, "rustls raw keys X25519"),
        1.2,
    ),
    demand(
        "handshake XX classical ChaCha20, rustls raw keys",
        (
            "handshake",
            HANDSHAKE,
            "Duologue aws-lc XX classical ChaCha20",
        ),
        (HANDSHAKE, "rustls raw keys X25519"),
        1.2,
    ),
    demand(
        "handshake XX hybrid AES, rustls raw keys",
        ("handshake", HANDSHAKE, "Duologue aws-lc XX hybrid AES"),
        (HANDSHAKE, "rustls raw keys X25519MLKEM768"),
        1.15,
    ),
    demand(
        "handshake XX hybrid ChaCha20, rustls raw keys",
        ("handshake", HANDSHAKE, "Duologue aws-lc XX hybrid ChaCha20"),
        (HANDSHAKE, "rustls raw keys X25519MLKEM768"),
        1.15,
    ),
    demand(
        "handshake XX hybrid AES, clatter",
        ("handshake", HANDSHAKE, "Duologue aws-lc XX hybrid AES"),
        (HANDSHAKE, "clatter hybrid XX"),
        3.5,
    ),
    demand(
        "handshake XX hybrid ChaCha20, clatter",
        ("handshake", HANDSHAKE, "Duologue aws-lc XX hybrid ChaCha20"),
        (HANDSHAKE, "clatter hybrid XX"),
        3.5,
    ),
    demand(
        "record AES 16 KiB, backend",
        ("record", "16384 B", "Duologue aws-lc AES"),
        ("16384 B", "aws-lc AES-256-GCM (limit)"),
        0.95,
    ),
    demand(
        "record AES 32 KiB, backend",
        ("record", "32768 B", "Duologue aws-lc AES"),
        ("32768 B", "aws-lc AES-256-GCM (limit)"),
        0.95,
    ),
    demand(
        "record AES 64 KiB in pieces, backend",
        ("record", "65536 B", "Duologue aws-lc AES"),
        ("65536 B", "aws-lc AES-256-GCM (limit)"),
        0.95,
    ),
    demand(
        "record ChaCha20 16 KiB, backend",
        ("record", "16384 B", "Duologue aws-lc ChaCha20"),
        ("16384 B", "aws-lc ChaCha20 (limit)"),
        0.95,
    ),
    demand(
        "record ChaCha20 32 KiB, backend",
        ("record", "32768 B", "Duologue aws-lc ChaCha20"),
        ("32768 B", "aws-lc ChaCha20 (limit)"),
        0.95,
    ),
    demand(
        "record ChaCha20 64 KiB in pieces, backend",
        ("record", "65536 B", "Duologue aws-lc ChaCha20"),
        ("65536 B", "aws-lc ChaCha20 (limit)"),
        0.95,
    ),
    demand(
        "idle heap AES, fresh, rustls",
        ("heap", FRESH, AES),
        (FRESH, TLS),
        1.0 / 3.0,
    ),
    demand(
        "idle heap AES, after traffic, rustls",
        ("heap", AFTER, AES),
        (AFTER, TLS),
        1.0 / 3.0,
    ),
    demand(
        "idle heap ChaCha20, fresh, rustls",
        ("heap", FRESH, CHACHA),
        (FRESH, TLS_CHACHA),
        1.0 / 3.0,
    ),
    demand(
        "idle heap ChaCha20, after traffic, rustls",
        ("heap", AFTER, CHACHA),
        (AFTER, TLS_CHACHA),
        1.0 / 3.0,
    ),
];

/// The table of what must be reached, and the number of misses; rows of areas that did not run are left out.
pub fn table(results: &Results) -> (String, usize) {
    let mut table =
        String::from("| must reach | ratio | demanded | |\n| --- | ---: | ---: | --- |\n");
    let mut misses = 0;
    for demand in &DEMANDS {
        let (area, case, name) = demand.ours;
        let (their_case, their_name) = demand.theirs;
        let ours = results.median(area, case, name);
        let theirs = results.median(area, their_case, their_name);
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            continue;
        };
        let better = results.0.iter().find(|row| row.area == area);
        let higher = better.is_some_and(|row| row.better == Better::Higher);
        let ratio = ours / theirs;
        let reached = if higher {
            ratio >= demand.ratio
        } else {
            ratio <= demand.ratio
        };
        misses += usize::from(!reached);
        let sign = if higher { "≥" } else { "≤" };
        let verdict = if reached { "reached" } else { "**missed**" };
        table += &format!(
            "| {} | {ratio:.2} | {sign} {:.2} | {verdict} |\n",
            demand.what, demand.ratio
        );
    }
    (table, misses)
}
