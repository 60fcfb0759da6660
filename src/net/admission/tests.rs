use core::net::{Ipv6Addr, SocketAddr};

use super::*;

const ONE: Source = Source::User(1);
const TWO: Source = Source::User(2);

fn gate(limits: Admission) -> (Gate, Instant) {
    (Gate::new(limits), Instant::now())
}

fn tcp(address: &str) -> Source {
    Source::of(Origin::Tcp(SocketAddr::new(address.parse().unwrap(), 1)))
}

fn nothing_but_starts(per_second: u32, burst: u32) -> Admission {
    Admission::default()
        .pending(usize::MAX)
        .pending_per_source(usize::MAX)
        .starts(per_second, burst)
}

/// How many starts of a source are admitted before one is turned away.
fn admitted(gate: &mut Gate, source: Source, now: Instant) -> usize {
    (0..1_000)
        .take_while(|_| gate.admit(source, now).is_ok())
        .count()
}

// spec: L-8
#[test]
fn the_257th_handshake_under_way_is_turned_away() {
    let (mut gate, now) = gate(Admission::default());
    for user in 0..255 {
        gate.admit(Source::User(user), now).unwrap();
    }
    assert_eq!(gate.admit(Source::User(255), now), Ok(()));
    assert_eq!(gate.admit(Source::User(256), now), Err(Excess::Pending));
    assert_eq!(gate.pending(), 256);

    gate.release(Source::User(7));
    assert_eq!(gate.admit(Source::User(256), now), Ok(()));
    assert_eq!(gate.admit(Source::User(257), now), Err(Excess::Pending));
}

// spec: L-8
#[test]
fn the_17th_handshake_of_one_source_is_turned_away_and_others_are_not() {
    let (mut gate, now) = gate(Admission::default());
    for _ in 0..15 {
        gate.admit(ONE, now).unwrap();
    }
    assert_eq!(gate.admit(ONE, now), Ok(()));
    assert_eq!(gate.admit(ONE, now), Err(Excess::PendingOfSource));
    assert_eq!(gate.admit(TWO, now), Ok(()));

    gate.release(ONE);
    assert_eq!(gate.admit(ONE, now), Ok(()));
    assert_eq!(gate.admit(ONE, now), Err(Excess::PendingOfSource));
}

// spec: L-9
#[test]
fn the_33rd_start_at_once_is_turned_away_and_others_are_not() {
    let (mut gate, now) = gate(Admission::default());
    for _ in 0..31 {
        gate.admit(ONE, now).unwrap();
        gate.release(ONE);
    }
    assert_eq!(gate.admit(ONE, now), Ok(()));
    gate.release(ONE);
    assert_eq!(gate.admit(ONE, now), Err(Excess::Starts));
    assert_eq!(gate.admit(TWO, now), Ok(()));
}

// spec: L-9
#[test]
fn a_token_comes_back_after_50_milliseconds_to_the_nanosecond() {
    let (mut gate, start) = gate(nothing_but_starts(20, 32));
    assert_eq!(admitted(&mut gate, ONE, start), 32);

    let token = start + Duration::from_millis(50);
    assert_eq!(admitted(&mut gate, ONE, token - Duration::from_nanos(1)), 0);
    assert_eq!(admitted(&mut gate, ONE, token), 1);
    assert_eq!(admitted(&mut gate, ONE, token + Duration::from_secs(1)), 20);
}

#[test]
fn a_bucket_never_holds_more_than_the_burst() {
    let (mut gate, start) = gate(nothing_but_starts(20, 32));
    assert_eq!(admitted(&mut gate, ONE, start), 32);
    let year = Duration::from_secs(365 * 24 * 3_600);
    assert_eq!(admitted(&mut gate, ONE, start + year), 32);
}

#[test]
fn asking_often_does_not_keep_tokens_from_coming_back() {
    let (mut gate, start) = gate(nothing_but_starts(3, 2));
    let asked = (0..3_001).map(|millisecond| start + Duration::from_millis(millisecond));
    let admitted = asked.filter(|now| gate.admit(ONE, *now).is_ok()).count();
    // A third of a second is no whole number of milliseconds: a lost fraction would cost a start.
    assert_eq!(admitted, 2 + 9);
}

#[test]
fn a_clock_that_stands_or_falls_gives_no_token() {
    let (mut gate, start) = gate(nothing_but_starts(20, 32));
    let later = start + Duration::from_secs(10);
    assert_eq!(admitted(&mut gate, ONE, later), 32);
    assert_eq!(admitted(&mut gate, ONE, later), 0);
    assert_eq!(admitted(&mut gate, ONE, start), 0);
    assert_eq!(admitted(&mut gate, ONE, later), 0);
}

#[test]
fn extreme_limits_neither_panic_nor_admit_too_much() {
    let (mut nobody, now) = gate(nothing_but_starts(0, 0));
    assert_eq!(nobody.admit(ONE, now), Err(Excess::Starts));
    let (mut closed, _) = gate(Admission::default().pending(0));
    assert_eq!(closed.admit(ONE, now), Err(Excess::Pending));
    let (mut no_source, _) = gate(Admission::default().pending_per_source(0));
    assert_eq!(no_source.admit(ONE, now), Err(Excess::PendingOfSource));
    let (mut open, _) = gate(nothing_but_starts(u32::MAX, u32::MAX).sources(0));
    assert_eq!(admitted(&mut open, ONE, now), 1_000);
}

// threat: 93
#[test]
fn the_65537th_source_makes_the_oldest_be_forgotten() {
    let (mut gate, now) = gate(nothing_but_starts(0, 1));
    for user in 0..65_535 {
        gate.admit(Source::User(user), now).unwrap();
    }
    assert_eq!(gate.starts.buckets.len(), 65_535);
    gate.admit(Source::User(65_535), now).unwrap();
    // Full, and nobody is forgotten: user 0 is seen again, which makes user 1 the oldest.
    assert_eq!(gate.admit(Source::User(0), now), Err(Excess::Starts));
    assert_eq!(gate.starts.buckets.len(), 65_536);

    gate.admit(Source::User(65_536), now).unwrap();
    assert_eq!(gate.starts.buckets.len(), 65_536);
    assert_eq!(gate.starts.order.len(), 65_536);
    assert_eq!(gate.admit(Source::User(0), now), Err(Excess::Starts));
    assert_eq!(gate.admit(Source::User(2), now), Err(Excess::Starts));
    assert_eq!(gate.admit(Source::User(1), now), Ok(()));
}

#[test]
fn what_is_turned_away_for_the_pending_costs_no_token() {
    let (mut gate, now) = gate(Admission::default().pending(1).starts(0, 2));
    gate.admit(ONE, now).unwrap();
    assert_eq!(gate.admit(ONE, now), Err(Excess::Pending));
    gate.release(ONE);
    assert_eq!(gate.admit(ONE, now), Ok(()));
    gate.release(ONE);
    assert_eq!(gate.admit(ONE, now), Err(Excess::Starts));
}

#[test]
fn sources_without_a_handshake_under_way_are_not_kept() {
    let (mut gate, now) = gate(Admission::default());
    for user in 0..1_000 {
        gate.admit(Source::User(user), now).unwrap();
        gate.release(Source::User(user));
    }
    assert!(gate.pending_of.is_empty());
    assert_eq!(gate.pending(), 0);
}

#[test]
fn a_release_without_an_admission_changes_nothing() {
    let (mut gate, now) = gate(Admission::default());
    gate.admit(ONE, now).unwrap();
    gate.release(TWO);
    assert_eq!(gate.pending(), 1);
}

// spec: L-9
#[test]
fn a_source_is_an_ipv4_address_an_ipv6_64_or_a_user() {
    assert_eq!(tcp("192.0.2.1"), tcp("::ffff:192.0.2.1"));
    assert_ne!(tcp("192.0.2.1"), tcp("192.0.2.2"));
    assert_eq!(tcp("2001:db8:1:2::1"), tcp("2001:db8:1:2:ffff::9"));
    assert_ne!(tcp("2001:db8:1:2::1"), tcp("2001:db8:1:3::1"));
    assert_eq!(
        Source::of(Origin::unix(7, 1, Some(1))),
        Source::of(Origin::unix(7, 2, None))
    );
    assert_ne!(
        Source::of(Origin::unix(7, 1, None)),
        Source::of(Origin::unix(8, 1, None))
    );
    assert_ne!(
        Source::of(Origin::Unknown),
        tcp(&Ipv6Addr::UNSPECIFIED.to_string())
    );
}
