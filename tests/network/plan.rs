//! What a seed stands for: two applications, a network, and what befalls them.

use std::time::Duration;

use fastrand::Rng;

use crate::{
    line::Cut,
    record::{ALICE, BOB},
};

#[derive(Debug)]
pub(crate) struct Plan {
    /// Nothing befalls them and both end: both must have proof.
    pub(crate) calm: bool,
    pub(crate) weather: Weather,
    pub(crate) limits: Limits,
    /// What each process does in its sessions, one after the other.
    pub(crate) scripts: [Vec<Script>; 2],
    /// At these times; none in a run that must end well.
    pub(crate) faults: Vec<(Duration, Fault)>,
    /// Each connection's reader finds this behind so many bytes.
    pub(crate) cuts: [Option<(u64, Cut)>; 2],
}

#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) latency: (Duration, Duration),
    /// Segments under way in one direction.
    pub(crate) window: usize,
    /// Bytes that one read or write moves at most.
    pub(crate) most: usize,
}

#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) end: Duration,
    pub(crate) stall: Duration,
    pub(crate) age: Option<Duration>,
    pub(crate) rekey: u64,
    pub(crate) hybrid: bool,
    pub(crate) acknowledges: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Two tasks, of which one always reads.
    pub(crate) split: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Send(How, usize),
    /// Takes at most so many, waiting at most so long for each.
    Recv(usize, u64),
    Attend(u64),
    Sleep(u64),
    Rekey,
    Ping,
    Drain,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    Send,
    Feed,
    Confirmed,
    /// The call is dropped after so many milliseconds.
    Cancelled(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Ends its direction, takes all that comes, closes.
    Finish,
    /// Takes all that comes, then ends.
    Await,
    /// Ends and takes no more.
    Close,
    Drop,
    Abort,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing arrives for so long, then all of it does.
    Hold(u64),
    /// Whatever is sent is lost for so long.
    Partition(u64),
    /// What this side sends is lost from now on.
    OneWay(usize),
    /// Somebody on the path ends the connections of this side.
    Cut(usize, Cut),
    /// The process is killed; its system closes its sockets. It starts again after so long.
    Kill(usize, u64),
    /// Its machine loses power and says nothing more.
    PowerLoss(usize, u64),
}

impl Plan {
    pub(crate) fn of(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let calm = rng.u8(..4) == 0;
        let low = rng.u64(0..20);
        // A record that takes longer than the idle timeout ends the session, and rightly.
        let (window, order) = if calm { (8, 11) } else { (2, 6) };
        let weather = Weather {
            latency: (ms(low), ms(low + rng.u64(1..120))),
            window: rng.usize(window..40),
            most: 1 << rng.u32(order..18),
        };
        let mut scripts = [ALICE, BOB].map(|side| {
            let sessions = rng.usize(1..=3);
            (0..sessions).map(|_session| script(rng, side)).collect()
        });
        let (mut faults, mut cuts) = (Vec::new(), [None, None]);
        if calm {
            for script in scripts.iter_mut().flatten() {
                calm_down(script);
            }
        } else {
            let count = rng.usize(0..4);
            faults.extend((0..count).map(|_fault| (ms(rng.u64(0..2_500)), fault(rng))));
            faults.sort_by_key(|(at, _fault)| *at);
            let planned = rng.u8(..4) == 0;
            cuts = cuts.map(|_none: Option<_>| {
                let order = rng.u32(4..17);
                let at = rng.u64(0..1 << order);
                (planned && rng.bool()).then_some((at, some_cut(rng)))
            });
        }
        let short = |rng: &mut Rng| ms(rng.u64(1_000..3_000));
        let limits = Limits {
            idle: if calm { ms(8_000) } else { short(rng) },
            end: if calm { ms(60_000) } else { short(rng) },
            stall: if calm { ms(60_000) } else { short(rng) },
            age: (!calm && rng.u8(..8) == 0).then(|| short(rng)),
            rekey: rng.u64(2..60),
            hybrid: rng.u8(..16) == 0,
            acknowledges: rng.u8(..6) == 0,
        };
        Self {
            calm,
            weather,
            limits,
            scripts,
            faults,
            cuts,
        }
    }
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn some_cut(rng: &mut Rng) -> Cut {
    [Cut::Fin, Cut::Reset][rng.usize(..2)]
}

fn fault(rng: &mut Rng) -> Fault {
    let side = rng.usize(..2);
    match rng.u8(..8) {
        0 | 1 => Fault::Hold(rng.u64(50..3_000)),
        2 => Fault::Partition(rng.u64(50..3_000)),
        3 => Fault::OneWay(side),
        4 | 5 => Fault::Cut(side, some_cut(rng)),
        6 => Fault::Kill(side, rng.u64(10..1_500)),
        _ => Fault::PowerLoss(side, rng.u64(10..1_500)),
    }
}

fn script(rng: &mut Rng, side: usize) -> Script {
    let split = rng.u8(..3) == 0;
    let mut room: usize = if split { 1_500_000 } else { 200_000 };
    let mut steps = Vec::new();
    for _step in 0..rng.usize(0..24) {
        steps.push(match rng.u8(..20) {
            0..12 => {
                let size = size(rng).min(room);
                room -= size;
                Step::Send(how(rng), size)
            }
            12..15 => Step::Recv(rng.usize(1..8), rng.u64(1..300)),
            15 => Step::Attend(rng.u64(1..400)),
            16 => Step::Sleep(rng.u64(1..400)),
            17 => Step::Rekey,
            18 => Step::Ping,
            _ => Step::Drain,
        });
    }
    let end = match rng.u8(..10) {
        0..5 => End::Finish,
        5 | 6 if side == BOB => End::Await,
        5..8 => End::Close,
        8 => End::Drop,
        _ => End::Abort,
    };
    Script { split, steps, end }
}

fn size(rng: &mut Rng) -> usize {
    match rng.u8(..16) {
        0 => 0,
        1..10 => rng.usize(1..300),
        10..14 => rng.usize(300..20_000),
        14 => rng.usize(20_000..150_000),
        _ => rng.usize(150_000..400_000),
    }
}

fn how(rng: &mut Rng) -> How {
    match rng.u8(..10) {
        0..3 => How::Send,
        3..6 => How::Feed,
        6 | 7 => How::Confirmed,
        _ => How::Cancelled(rng.u64(0..150)),
    }
}

/// Where nothing befalls them, both must end, and may count on a good end.
fn calm_down(script: &mut Script) {
    if matches!(script.end, End::Drop | End::Abort) {
        script.end = End::Finish;
    }
}
