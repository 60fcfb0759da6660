//! A listener among a thousand connections that never become sessions.
#![cfg(all(feature = "net", target_os = "linux"))]
#![expect(
    clippy::print_stdout,
    reason = "seed and counts are part of the evidence"
)]

use std::{error::Error, fs, net::Ipv4Addr, time::Duration};

use duologue::{
    Config, Listener, PeerPolicy, SecretKey, Session, dial,
    net::{Counts, Refused},
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

const CONNECTIONS: u32 = 1_000;
/// So that the budget of a source is not what is reached first.
const PER_SOURCE: u32 = 10;
const BUDGET: usize = 256;
const PATIENCE: Duration = Duration::from_secs(60);

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn allow_descriptors(count: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(limit.maximum.map_or(count, |maximum| count.min(maximum)));
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// SplitMix64: the same bytes from the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    (0..length.div_ceil(8))
        .flat_map(|_| next())
        .take(length)
        .collect()
}

/// One connection after the other: a full backlog could lose a silent one unseen.
async fn knock(number: u32, port: u16) -> TcpStream {
    let [_, _, high, low] = (number / PER_SOURCE).to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind((Ipv4Addr::new(127, 1, high, low + 1), 0).into())
        .unwrap();
    socket
        .connect((Ipv4Addr::LOCALHOST, port).into())
        .await
        .unwrap()
}

/// One hostile connection: silent, a trickle of a rightful hello, or noise. Ends when it is closed.
async fn attack(number: u32, mut stream: TcpStream, seed: u64) {
    match number % 3 {
        0 => {}
        1 => trickle(&mut stream).await,
        // A write into a connection that was closed at once may fail: that is the point.
        _ => drop(
            stream
                .write_all(&noise(seed ^ u64::from(number), 4_096))
                .await,
        ),
    }
    let mut rest = [0; 512];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

async fn trickle(stream: &mut TcpStream) {
    let hello = [0x04, 0xe8, b'd', b'u', b'o', 1];
    for byte in hello {
        if stream.write_all(&[byte]).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Counts what comes of so many connections, and the most handshakes that were under way at once.
async fn watch(mut listener: Listener, connections: u32) -> (Listener, usize) {
    let mut most = 0;
    for _ in 0..connections {
        let arrival = listener.arrival().await.unwrap();
        let refused = arrival.session.unwrap_err();
        assert!(!matches!(refused, Refused::NotTaken(_)), "{refused}");
        // What has just ended was under way too.
        let ended = usize::from(matches!(refused, Refused::Handshake(_)));
        most = most.max(listener.counts().pending + ended);
    }
    (listener, most)
}

async fn echo(mut session: Session) {
    while let Some(message) = session.recv().await.unwrap() {
        session.send(&message).await.unwrap();
    }
    session.close().await;
}

// threat: 86, 90, 96
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "one scene")]
async fn a_thousand_connections_that_never_finish_cost_a_budget_and_nothing_stays()
-> Result<(), Box<dyn Error>> {
    allow_descriptors(4_096);
    let seed = u64::from_be_bytes(std::array::from_fn(|at| {
        SecretKey::generate().unwrap().public_key().as_bytes()[at]
    }));
    println!("seed {seed:#018x}");
    let (alice, bob) = (SecretKey::generate()?, SecretKey::generate()?);
    let bob_public = bob.public_key();
    let config = Config::new(bob)
        .peers(PeerPolicy::pinned([alice.public_key()]))
        .handshake_deadline(Duration::from_secs(3));
    let mut listener = Listener::bind("tcp:127.0.0.1:0", config).await?;
    let address = listener.local_address().to_string();
    let port: u16 = address.rsplit_once(':').unwrap().1.parse()?;

    let alice = Config::new(alice);
    let (session, accepted) = tokio::join!(dial(&address, &bob_public, &alice), listener.accept());
    let mut session = session?;
    let echoing = tokio::spawn(echo(accepted?));
    let baseline = descriptors();

    let watching = tokio::spawn(watch(listener, CONNECTIONS));
    let attacking = tokio::spawn(async move {
        let mut attackers = JoinSet::new();
        for number in 0..CONNECTIONS {
            attackers.spawn(attack(number, knock(number, port).await, seed));
        }
        while attackers.join_next().await.is_some() {}
    });
    let mut echoes = 0_u32;
    while !watching.is_finished() {
        let message = echoes.to_be_bytes();
        timeout(PATIENCE, session.send(&message)).await??;
        let answer = timeout(PATIENCE, session.recv()).await??;
        assert_eq!(answer.unwrap(), message[..]);
        echoes += 1;
        sleep(Duration::from_millis(1)).await;
    }
    let (listener, most) = watching.await?;
    timeout(PATIENCE, attacking).await??;

    let Counts {
        pending,
        established,
        failed,
        turned_away,
        ..
    } = listener.counts();
    println!("{failed} failed, {turned_away} turned away, {most} at once, {echoes} echoes");
    assert!(most <= BUDGET, "{most}");
    assert_eq!((pending, established), (0, 1));
    assert_eq!(failed + turned_away, u64::from(CONNECTIONS));
    assert!(failed > 0 && turned_away > 0 && echoes > 0);
    let waited = Instant::now();
    while descriptors() != baseline {
        assert!(
            waited.elapsed() < PATIENCE,
            "{} of {baseline}",
            descriptors()
        );
        sleep(Duration::from_millis(10)).await;
    }
    session.close().await;
    echoing.await?;
    Ok(())
}
