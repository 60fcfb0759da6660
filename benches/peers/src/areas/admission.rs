//! A listener under siege: half-open, trickling and garbage connections of a second process, while an
//! established session goes on.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use duologue::{Listener, dial};

use super::sessions::raise_limit;
use crate::{
    clock::Stopwatch,
    peer::{Keys, Peer},
    run::{Better, Plan, Results, quantile},
    talk,
};

pub fn run(results: &mut Results, keys: &Arc<Keys>, plan: Plan) {
    raise_limit();
    let connections = plan.amount(10_000, 2_000);
    let server = Arc::clone(keys);
    let (tell, address) = std::sync::mpsc::channel();
    // Its threads and its listener end with the process.
    thread::spawn(move || talk::runtime().block_on(serve(&server, &tell)));
    let address: String = address.recv().expect("address");
    let figures = talk::runtime().block_on(siege(keys, &address, (connections, plan)));
    for (case, [middle, tail]) in ["quiet", "besieged"].into_iter().zip(figures) {
        for (what, value) in [("p50", middle), ("p99", tail)] {
            let case = format!("round trip {what}, TCP, {case}, {connections} hostile connections");
            let case = case.replace(", quiet, ", " while quiet, before ");
            results.push(
                ("admission", &case, "us", Better::Lower),
                "Duologue AES-256-GCM",
                vec![value],
            );
        }
    }
}

async fn serve(keys: &Keys, tell: &std::sync::mpsc::Sender<String>) {
    let config = keys.duologue(Peer::Aes)[1].clone();
    let mut listener = Listener::bind("tcp:127.0.0.1:0", config)
        .await
        .expect("listener");
    tell.send(listener.local_address().to_string())
        .expect("address");
    while let Ok(arrival) = listener.arrival().await {
        let Ok(mut session) = arrival.session else {
            continue;
        };
        tokio::spawn(async move {
            while let Ok(Some(message)) = session.recv().await {
                if session.send(&message).await.is_err() {
                    return;
                }
            }
            session.close().await;
        });
    }
}

async fn siege(keys: &Keys, address: &str, (connections, plan): (usize, Plan)) -> [[f64; 2]; 2] {
    let config = &keys.duologue(Peer::Aes)[0];
    let mut session = dial(address, &keys.bob_public, config)
        .await
        .expect("session");
    let mut trips = async |done: &AtomicBool, least: usize| {
        let mut times = Vec::new();
        while times.len() < least || !done.load(Ordering::Relaxed) {
            let watch = Stopwatch::wall();
            session.send(&[7; 64]).await.expect("send");
            session.recv_ref().await.expect("recv").expect("message");
            times.push(watch.elapsed().as_nanos() as f64 / 1e3);
        }
        times.sort_by(f64::total_cmp);
        [quantile(&times, 0.5), quantile(&times, 0.99)]
    };
    let least = plan.amount(20_000, 5_000);
    let quiet = trips(&AtomicBool::new(true), least).await;
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .args(["--child", &format!("siege|{connections}|{address}")])
        .stdin(Stdio::null())
        .spawn()
        .expect("child");
    let done = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&done);
    let waiting = thread::spawn(move || {
        let _status = child.wait();
        told.store(true, Ordering::Relaxed);
    });
    let besieged = trips(&done, least).await;
    waiting.join().expect("child");
    [quiet, besieged]
}

/// The attacker's process: connections that say nothing, a few bytes now and then, or rubbish.
pub fn child(order: &str) {
    raise_limit();
    let mut order = order.split('|').skip(1);
    let count: usize = order
        .next()
        .and_then(|count| count.parse().ok())
        .expect("count");
    let address = order.next().expect("address").trim_start_matches("tcp:");
    let address: SocketAddr = address.parse().expect("address");
    let mut open = Vec::new();
    for number in 0..count {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else {
            continue;
        };
        let _soon = stream.set_read_timeout(Some(Duration::from_millis(1)));
        let said = match number % 3 {
            0 => Ok(()),
            1 => stream.write_all(b"\x00\x28duo"),
            _ => stream.write_all(&[0x5a; 512]),
        };
        if said.is_ok() && number % 64 == 0 {
            let _answer = stream.read(&mut [0; 64]);
        }
        open.push(stream);
        // As many as a source of descriptors allows stay open.
        if open.len() > 4_000 {
            open.drain(..1_000);
        }
        for stream in open
            .iter_mut()
            .rev()
            .take(8)
            .filter(|_one| number % 16 == 0)
        {
            let _trickle = stream.write_all(&[0]);
        }
    }
}
