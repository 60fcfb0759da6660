//! Moves bytes between a transport and a peer, in a thread of its own.

use super::Peer;
use crate::link::{Got, Link};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_micros(500);

/// Locks, whatever became of the thread that held it before.
pub fn lock(peer: &Mutex<Peer>) -> MutexGuard<'_, Peer> {
    peer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs until the session has closed its transport.
pub fn drive(mut link: Link, peer: &Arc<Mutex<Peer>>) {
    let mut output = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    let mut shut = false;
    let mut blocked = None;
    loop {
        let (wants_input, said_all, at_once) = {
            let mut peer = lock(peer);
            peer.tick(Instant::now());
            peer.write_blocked(blocked, Instant::now());
            output.extend(peer.take_output());
            if peer.is_closed() && output.is_empty() {
                return;
            }
            let gone = peer.is_closed();
            (
                peer.wants_input(),
                peer.has_said_all() || gone,
                peer.closes_at_once(),
            )
        };
        let mut moved = false;
        match link.write_now(&output) {
            Ok(0) if output.is_empty() => blocked = None,
            Ok(0) => blocked = blocked.or_else(|| Some(Instant::now())),
            Ok(count) => {
                output.drain(..count);
                blocked = None;
                moved = true;
            }
            Err(_) => return lock(peer).transport_ended(),
        }
        if said_all && output.is_empty() && !shut {
            if at_once {
                return lock(peer).transport_ended();
            }
            link.shutdown_write();
            shut = true;
        }
        if wants_input {
            match link.read_now(&mut buffer) {
                Got::Bytes(count) => {
                    lock(peer).receive(&buffer[..count], Instant::now());
                    moved = true;
                }
                Got::End | Got::Reset => return lock(peer).transport_ended(),
                Got::Nothing => {}
            }
        }
        if lock(peer).is_closed() && blocked.is_some() {
            return; // a stalled writer gets nothing more
        }
        if !moved {
            sleep(PAUSE);
        }
    }
}
