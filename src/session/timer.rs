//! One alarm clock for a half of a session, moved as seldom as possible.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};
use std::time::Instant;

use tokio::{
    task::coop,
    time::{Sleep, sleep_until},
};

#[derive(Default)]
pub(super) struct Timer(Option<Alarm>);

struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// Whom it will wake.
    waker: Option<Waker>,
}

impl Timer {
    /// Wakes the task at this time, or before it: whoever is woken looks at the clock again.
    pub(super) fn set(&mut self, at: Option<Instant>, cx: &mut Context<'_>) {
        let Some(at) = at else {
            self.0 = None;
            return;
        };
        let at = tokio::time::Instant::from_std(at);
        let alarm = self.0.get_or_insert_with(|| Alarm {
            sleep: Box::pin(sleep_until(at)),
            waker: None,
        });
        // An earlier alarm is good enough: it is moved when it rings.
        if alarm.sleep.deadline() > at || alarm.sleep.is_elapsed() {
            alarm.sleep.as_mut().reset(at);
            alarm.waker = None;
        }
        let told = alarm.waker.as_ref();
        if told.is_some_and(|waker| waker.will_wake(cx.waker())) {
            return;
        }
        // Without budget it says that it is pending, and has not looked.
        let looks = coop::has_budget_remaining();
        if alarm.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        } else if looks {
            alarm.waker = Some(cx.waker().clone());
        }
    }
}
