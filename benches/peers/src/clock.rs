//! The clock of a measurement: the wall's, or this thread's own processor time.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Whether areas of one thread are measured in processor time.
static PROCESSOR_TIME: AtomicBool = AtomicBool::new(false);

/// On a machine that is busy with other things, a thread's processor time still compares; where both
/// ends run on one thread, nothing else works for them.
pub fn use_processor_time() {
    PROCESSOR_TIME.store(true, Ordering::Relaxed);
}

#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    clock: ClockId,
    start: Duration,
}

impl Stopwatch {
    /// For one thread that does all the work.
    pub fn start() -> Self {
        if PROCESSOR_TIME.load(Ordering::Relaxed) {
            Self::on(ClockId::ThreadCPUTime)
        } else {
            Self::wall()
        }
    }

    /// For what more than one thread takes part in.
    pub fn wall() -> Self {
        Self::on(ClockId::Monotonic)
    }

    fn on(clock: ClockId) -> Self {
        Self {
            clock,
            start: now(clock),
        }
    }

    pub fn elapsed(self) -> Duration {
        now(self.clock).saturating_sub(self.start)
    }
}

fn now(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
