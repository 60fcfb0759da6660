//! How long to wait after the operating system could not give us a connection.
// threat: 95

use core::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A descriptor may become free at any moment.
const FIRST: Duration = Duration::from_millis(5);
/// Longer would only keep peers waiting.
const LONGEST: Duration = Duration::from_secs(1);

/// A pause that doubles as long as nothing gets better. It outlives the future that waits for it.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    last: Option<Duration>,
}

impl Pause {
    pub(super) fn begin(&mut self, now: Instant) {
        let next = self.last.map_or(FIRST, |last| last.saturating_mul(2));
        let next = next.min(LONGEST);
        self.last = Some(next);
        self.until = now.checked_add(next);
    }

    /// A connection was taken: the next pause is short again.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn over(&mut self) {
        self.until = None;
    }

    pub(super) async fn wait(until: Option<Instant>) {
        if let Some(until) = until {
            sleep_until(until).await;
        }
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // threat: 95
    #[test]
    fn pauses_double_from_5_milliseconds_to_a_second_and_begin_anew() {
        let mut pause = Pause::default();
        let now = Instant::now();
        let mut lengths = Vec::new();
        for _ in 0..10 {
            pause.begin(now);
            lengths.push((pause.until().unwrap() - now).as_millis());
        }
        assert_eq!(lengths, [5, 10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);

        pause.succeeded();
        assert_eq!(pause.until(), None);
        pause.begin(now);
        assert_eq!(pause.until().unwrap() - now, FIRST);
    }

    #[test]
    fn a_pause_that_is_over_does_not_begin_anew() {
        let mut pause = Pause::default();
        let now = Instant::now();
        pause.begin(now);
        pause.over();
        assert_eq!(pause.until(), None);
        pause.begin(now);
        assert_eq!(pause.until().unwrap() - now, FIRST * 2);
    }
}
