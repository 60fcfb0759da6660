//! Counts what a part of a program allocates, and keeps what it frees to be searched for secrets.
//!
//! The one place of the project with `unsafe`. A test binary installs [`Heap`] and runs the code under test
//! in a [`Meter`]; what runs outside of it on the same thread, a hostile peer for example, is not counted.
//!
//! ```
//! use duologue_heap::{Heap, Meter};
//!
//! #[global_allocator]
//! static HEAP: Heap = Heap::new();
//!
//! let mut meter = Meter::new();
//! let kept = meter.run(|| drop(vec![7_u8; 100]));
//! assert_eq!((meter.live(), meter.peak()), (0, 100));
//! ```
//!
//! Not seen: what C code allocates by itself (AWS-LC's key schedules and ML-KEM keys), the stack, registers,
//! and blocks that another thread frees.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::Future,
    pin::Pin,
    ptr::null_mut,
    sync::atomic::{AtomicIsize, Ordering},
    task::{Context, Poll},
};

mod arena;

use arena::Arena;
pub use arena::Freed;

thread_local! {
    /// The meter that runs on this thread. Without a destructor, so that an allocator may use it.
    static CURRENT: Cell<*mut Counts> = const { Cell::new(null_mut()) };
}

/// The allocator: the system's, which also tells the meter of this thread.
#[derive(Debug)]
pub struct Heap {
    live: AtomicIsize,
}

impl Heap {
    /// For a `static` with `#[global_allocator]`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            live: AtomicIsize::new(0),
        }
    }

    /// Bytes that the whole process holds now.
    pub fn live(&self) -> isize {
        self.live.load(Ordering::Relaxed)
    }

    fn came(&self, size: usize) {
        self.live.fetch_add(signed(size), Ordering::Relaxed);
        with_current(|counts| counts.came(size));
    }

    fn went(&self, size: usize) {
        self.live.fetch_sub(signed(size), Ordering::Relaxed);
        with_current(|counts| counts.live -= signed(size));
    }

    /// # Safety
    ///
    /// `block` has at least `size` bytes, all of which may be read.
    unsafe fn keep(&self, block: *const u8, size: usize) {
        with_current(|counts| {
            if counts.keeps {
                // SAFETY: the caller's promise.
                unsafe { counts.freed.push(block, size) };
            }
        });
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every block comes from and goes to `System` with the layout that the caller gave.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that `System` asks for.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            self.came(layout.size());
            if searches() {
                // What is never written must not look like a secret that was left there before.
                // SAFETY: a fresh block of that size.
                unsafe { block.write_bytes(0, layout.size()) };
            }
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            self.came(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a block of this layout; `System` made it.
        unsafe {
            self.keep(block, layout.size());
            System.dealloc(block, layout);
        }
        self.went(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The system may move it: what stood there counts as freed, moved or not.
        // SAFETY: as above.
        let grown = unsafe {
            self.keep(block, layout.size());
            System.realloc(block, layout, size)
        };
        if !grown.is_null() {
            self.went(layout.size());
            self.came(size);
            if let Some(more) = size.checked_sub(layout.size())
                && searches()
            {
                // SAFETY: the block has `size` bytes now, and the last of them are new.
                unsafe { grown.add(layout.size()).write_bytes(0, more) };
            }
        }
        grown
    }
}

fn signed(size: usize) -> isize {
    isize::try_from(size).unwrap_or(isize::MAX)
}

fn with_current(tell: impl FnOnce(&mut Counts)) {
    let current = CURRENT.try_with(Cell::get).unwrap_or(null_mut());
    // SAFETY: `Section` sets it to a `Counts` that lives until the section is over, on this thread alone;
    // nothing else refers to it meanwhile, and `tell` allocates nothing through this allocator.
    if let Some(counts) = unsafe { current.as_mut() } {
        tell(counts);
    }
}

fn searches() -> bool {
    let mut keeps = false;
    with_current(|counts| keeps = counts.keeps);
    keeps
}

#[derive(Debug, Default)]
struct Counts {
    live: isize,
    peak: isize,
    allocations: usize,
    keeps: bool,
    freed: Arena,
}

impl Counts {
    fn came(&mut self, size: usize) {
        self.live += signed(size);
        self.peak = self.peak.max(self.live);
        self.allocations += 1;
    }
}

/// Counts what is allocated while [`Meter::run`] runs something, on this thread.
#[derive(Debug, Default)]
pub struct Meter(Box<Counts>);

impl Meter {
    /// Counts only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also keeps a copy of each block that is freed.
    #[must_use]
    pub fn keeping() -> Self {
        let mut meter = Self::new();
        meter.0.keeps = true;
        meter
    }

    /// Runs something; may be called again and again.
    pub fn run<T>(&mut self, what: impl FnOnce() -> T) -> T {
        if self.0.keeps {
            clean_stack();
        }
        let _section = Section::begin(&raw mut *self.0);
        what()
    }

    /// Polls and drops a future in this meter.
    pub fn future<F: Future>(&mut self, make: impl FnOnce() -> F) -> Metered<'_, F> {
        // Boxed, as whoever spawns a task has it on the heap.
        let future = self.run(|| Some(Box::pin(make())));
        Metered {
            meter: self,
            future,
        }
    }

    /// Bytes that are held of what was allocated here; what was freed elsewhere still counts.
    #[must_use]
    pub fn live(&self) -> isize {
        self.0.live
    }

    /// The most that was held at once.
    #[must_use]
    pub fn peak(&self) -> isize {
        self.0.peak
    }

    /// Blocks that were allocated or grown.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.0.allocations
    }

    /// Starts the peak anew, from what is held now.
    pub fn forget_peak(&mut self) {
        self.0.peak = self.0.live;
    }

    /// What was freed since the last call, if this meter keeps it.
    pub fn take_freed(&mut self) -> Freed {
        Freed::of(std::mem::take(&mut self.0.freed))
    }
}

/// Runs something that no meter counts, inside of what one does.
pub fn unmetered<T>(what: impl FnOnce() -> T) -> T {
    let section = Section::begin(null_mut());
    let result = what();
    drop(section);
    if searches() {
        clean_stack();
    }
    result
}

/// What others left on the stack must not look as if the code in the meter had left it: a value that is moved
/// takes along what stood in the places that it does not use.
#[inline(never)]
fn clean_stack() {
    let mut frames = [0_u8; 256 * 1024];
    std::hint::black_box(&mut frames);
}

/// Puts back the meter that ran before, after a panic too.
struct Section {
    before: *mut Counts,
}

impl Section {
    fn begin(counts: *mut Counts) -> Self {
        Self {
            before: CURRENT.replace(counts),
        }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// A future whose polls, and whose drop, a meter counts.
#[derive(Debug)]
pub struct Metered<'a, F: Future> {
    meter: &'a mut Meter,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { meter, future } = self.get_mut();
        let future = future.as_mut().expect("polled after it was dropped");
        meter.run(|| future.as_mut().poll(cx))
    }
}

impl<F: Future> Drop for Metered<'_, F> {
    fn drop(&mut self) {
        let future = self.future.take();
        self.meter.run(|| drop(future));
    }
}
