//! One alarm clock for a half of a session, moved as seldom as possible.

use core::{future::Future, pin::Pin, task::Context};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Wakes the task at this time, or before it: whoever is woken looks at the clock again.
    pub(super) fn set(&mut self, at: Option<Instant>, cx: &mut Context<'_>) {
        let Some(at) = at else {
            self.0 = None;
            return;
        };
        let at = tokio::time::Instant::from_std(at);
        match &mut self.0 {
            // An earlier alarm is good enough: it is moved when it rings.
            Some(sleep) if sleep.deadline() <= at && !sleep.is_elapsed() => {}
            Some(sleep) => sleep.as_mut().reset(at),
            empty => *empty = Some(Box::pin(sleep_until(at))),
        }
        if let Some(sleep) = &mut self.0
            && sleep.as_mut().poll(cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }
}
