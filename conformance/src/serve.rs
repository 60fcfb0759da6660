//! The built-in peer behind the control protocol, and as an echo server or client.

use crate::control::{Answer, Command, Config, Fields};
use crate::link::{Address, Gate, Link};
use crate::peer::bugs::Bug;
use crate::peer::drive::{drive, lock};
use crate::peer::{Peer, Settings};
use crate::raw_peer::Role;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_micros(500);
const DIAL: Duration = Duration::from_secs(5);

/// A session that may not have its transport yet.
#[derive(Debug, Default)]
struct Slot {
    peer: Arc<Mutex<Option<Arc<Mutex<Peer>>>>>,
    cancelled: Arc<AtomicBool>,
}

impl Slot {
    fn peer(&self) -> Option<Arc<Mutex<Peer>>> {
        self.peer.lock().ok()?.clone()
    }

    fn set(&self, peer: &Arc<Mutex<Peer>>) {
        if let Ok(mut slot) = self.peer.lock() {
            *slot = Some(Arc::clone(peer));
        }
    }
}

/// A shim: answers commands until `quit` or the end of the input.
pub fn shim(input: impl BufRead, mut output: impl Write, bug: Option<Bug>) -> io::Result<()> {
    let mut slot = Slot::default();
    for line in input.lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(Command::Quit) => break,
            Ok(command) => obey(&mut slot, command, bug),
            Err(error) => Answer::Error(format!("not a command: {error}")),
        };
        writeln!(output, "{}", serde_json::to_string(&answer)?)?;
        output.flush()?;
    }
    reset(&mut slot);
    Ok(())
}

fn obey(slot: &mut Slot, command: Command, bug: Option<Bug>) -> Answer {
    let result = match command {
        Command::Hello => Ok(Fields {
            name: Some(format!("built-in peer {}", env!("CARGO_PKG_VERSION"))),
            ..Fields::default()
        }),
        Command::Listen { config } => listen(slot, config, bug),
        Command::Connect { address, config } => connect(slot, &address, config, bug),
        Command::Reset | Command::Quit => {
            reset(slot);
            Ok(Fields::default())
        }
        Command::Established { within_ms } => {
            let waited = wait(slot, within_ms, |peer| peer.establishment());
            waited.ok_or_else(|| "no session within the time".into())
        }
        Command::Recv { within_ms } => {
            let nothing = Fields {
                nothing: Some(true),
                ..Fields::default()
            };
            let received = wait(slot, within_ms, |peer| peer.received(Instant::now()));
            Ok(received.unwrap_or(nothing))
        }
        Command::Outcome { within_ms } => Ok(Fields {
            outcome: wait(slot, within_ms, |peer| peer.outcome().cloned()),
            ..Fields::default()
        }),
        other => match slot.peer() {
            Some(peer) => act(&mut lock(&peer), other).map(|()| Fields::default()),
            None => Err("no session".into()),
        },
    };
    match result {
        Ok(fields) => Answer::Ok(Box::new(fields)),
        Err(error) => Answer::Error(error),
    }
}

fn act(peer: &mut Peer, command: Command) -> Result<(), String> {
    let now = Instant::now();
    match command {
        Command::Send { message } => {
            let message = hex::decode(&message).map_err(|error| error.to_string())?;
            peer.send(message)
        }
        Command::Finish { code, reason } => peer.finish(code, &reason, now),
        Command::Stop => peer.stop(now),
        Command::Close => peer.close_session(now),
        Command::Abort { code, reason } => peer.abort_session(code, &reason, now),
        Command::Drain { milliseconds } => peer.drain(milliseconds),
        Command::Rekey => peer.rekey(),
        Command::Ping => {
            peer.ping();
            Ok(())
        }
        Command::RequestReceipt => peer.request_receipt(),
        Command::Hello
        | Command::Listen { .. }
        | Command::Connect { .. }
        | Command::Established { .. }
        | Command::Recv { .. }
        | Command::Outcome { .. }
        | Command::Reset
        | Command::Quit => Err("not a command to a session".into()),
    }
}

fn wait<T>(slot: &Slot, within: u64, mut see: impl FnMut(&mut Peer) -> Option<T>) -> Option<T> {
    let until = Instant::now() + Duration::from_millis(within);
    loop {
        if let Some(seen) = slot.peer().and_then(|peer| see(&mut lock(&peer))) {
            return Some(seen);
        }
        if Instant::now() >= until {
            return None;
        }
        sleep(PAUSE);
    }
}

fn reset(slot: &mut Slot) {
    slot.cancelled.store(true, Ordering::Relaxed);
    if let Some(peer) = slot.peer() {
        lock(&peer).transport_ended();
    }
    *slot = Slot::default();
}

fn listen(slot: &mut Slot, config: Config, bug: Option<Bug>) -> Result<Fields, String> {
    reset(slot);
    let settings = Settings::new(config, bug)?;
    let gate = Gate::loopback().map_err(|error| error.to_string())?;
    let address = gate.address().map_err(|error| error.to_string())?;
    let (place, cancelled) = (Arc::clone(&slot.peer), Arc::clone(&slot.cancelled));
    std::thread::spawn(move || {
        let slot = Slot {
            peer: place,
            cancelled,
        };
        while !slot.cancelled.load(Ordering::Relaxed) {
            let until = Instant::now() + Duration::from_millis(20);
            if let Ok(Some(link)) = gate.accept(until) {
                let peer = Peer::new(Role::Responder, settings, Instant::now());
                let peer = Arc::new(Mutex::new(peer));
                slot.set(&peer);
                return drive(link, &peer);
            }
        }
    });
    Ok(Fields {
        address: Some(address.to_string()),
        ..Fields::default()
    })
}

fn connect(
    slot: &mut Slot,
    address: &str,
    config: Config,
    bug: Option<Bug>,
) -> Result<Fields, String> {
    reset(slot);
    let settings = Settings::new(config, bug)?;
    let address: Address = address.parse()?;
    let link = Link::dial(&address, DIAL).map_err(|error| error.to_string())?;
    let peer = Peer::new(Role::Initiator, settings, Instant::now());
    let peer = Arc::new(Mutex::new(peer));
    slot.set(&peer);
    if bug.is_some_and(|bug| bug.name == "retries-refused") {
        let peer = Arc::clone(&peer);
        std::thread::spawn(move || retry(&address, &peer));
    }
    std::thread::spawn(move || drive(link, &peer));
    Ok(Fields::default())
}

/// The fault of spec: W-11; the connection itself is what the case looks for.
fn retry(address: &Address, peer: &Mutex<Peer>) {
    for _ in 0..4_000 {
        if lock(peer).retries() {
            drop(Link::dial(address, DIAL));
            return;
        }
        sleep(PAUSE);
    }
}

/// Echoes to whoever connects, for ever.
pub fn echo_listen(address: &Address, config: &Config, bug: Option<Bug>) -> Result<(), String> {
    let settings = Settings::new(config.clone(), bug)?;
    let gate = Gate::bind(address).map_err(|error| format!("{address}: {error}"))?;
    loop {
        let until = Instant::now() + Duration::from_secs(3600);
        let accepted = gate.accept(until).map_err(|error| error.to_string())?;
        if let Some(link) = accepted {
            let peer = Peer::new(Role::Responder, settings.clone(), Instant::now());
            let peer = Arc::new(Mutex::new(peer));
            std::thread::spawn(move || drive(link, &peer));
        }
    }
}

/// Dials once, echoes, and is done.
pub fn echo_connect(address: &Address, config: &Config, bug: Option<Bug>) -> Result<(), String> {
    let settings = Settings::new(config.clone(), bug)?;
    let link = Link::dial(address, DIAL).map_err(|error| format!("{address}: {error}"))?;
    let peer = Peer::new(Role::Initiator, settings, Instant::now());
    drive(link, &Arc::new(Mutex::new(peer)));
    Ok(())
}
