//! Where freed blocks are kept: memory that comes straight from the system, as an allocator must not call itself.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ptr::null_mut,
    slice,
};

/// Bytes, growing by doubling; each block stands behind its length.
#[derive(Debug)]
pub(crate) struct Arena {
    start: *mut u8,
    used: usize,
    room: usize,
}

const HEAD: usize = size_of::<usize>();

impl Default for Arena {
    fn default() -> Self {
        Self {
            start: null_mut(),
            used: 0,
            room: 0,
        }
    }
}

impl Arena {
    /// # Safety
    ///
    /// `block` has at least `size` bytes that may be read.
    pub(crate) unsafe fn push(&mut self, block: *const u8, size: usize) {
        self.reserve(HEAD + size);
        // SAFETY: `reserve` made room for the head and the block, and no block of a caller lies in here.
        unsafe {
            let end = self.start.add(self.used);
            end.copy_from_nonoverlapping(size.to_ne_bytes().as_ptr(), HEAD);
            end.add(HEAD).copy_from_nonoverlapping(block, size);
        }
        self.used += HEAD + size;
    }

    fn reserve(&mut self, more: usize) {
        if self.used + more <= self.room {
            return;
        }
        let room = (self.used + more).next_power_of_two().max(1 << 16);
        // SAFETY: a size above 0; the old block, if there is one, came from `System` with its layout.
        let grown = unsafe {
            match self.layout() {
                None => System.alloc(Layout::from_size_align_unchecked(room, 1)),
                Some(layout) => System.realloc(self.start, layout, room),
            }
        };
        assert!(!grown.is_null(), "no memory to keep what is freed");
        (self.start, self.room) = (grown, room);
    }

    fn layout(&self) -> Option<Layout> {
        // SAFETY: `room` was the size of an allocation, so it is no size too large for a layout.
        (self.room > 0).then(|| unsafe { Layout::from_size_align_unchecked(self.room, 1) })
    }

    fn bytes(&self) -> &[u8] {
        if self.room == 0 {
            return &[];
        }
        // SAFETY: the first `used` bytes of the allocation were written by `push`.
        unsafe { slice::from_raw_parts(self.start, self.used) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Some(layout) = self.layout() {
            // SAFETY: the block came from `System` with this layout.
            unsafe { System.dealloc(self.start, layout) };
        }
    }
}

/// Blocks as they were when they were freed.
#[derive(Debug)]
pub struct Freed(Arena);

impl Freed {
    pub(crate) fn of(arena: Arena) -> Self {
        Self(arena)
    }

    /// Each block.
    pub fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.bytes();
        std::iter::from_fn(move || {
            let (head, behind) = rest.split_first_chunk::<HEAD>()?;
            let (block, behind) = behind.split_at(usize::from_ne_bytes(*head));
            rest = behind;
            Some(block)
        })
    }

    /// All bytes together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks().map(<[u8]>::len).sum()
    }

    /// Whether nothing was freed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks().next().is_none()
    }

    /// In how many blocks these bytes stand somewhere.
    #[must_use]
    pub fn count(&self, secret: &[u8]) -> usize {
        self.blocks()
            .filter(|block| block.windows(secret.len()).any(|window| window == secret))
            .count()
    }

    /// The length of the first block with these bytes, and where they stand in it.
    #[must_use]
    pub fn find(&self, secret: &[u8]) -> Option<(usize, usize)> {
        self.blocks().find_map(|block| {
            let mut windows = block.windows(secret.len());
            let at = windows.position(|window| window == secret)?;
            Some((block.len(), at))
        })
    }

    /// Every stretch of `N` bytes that is not one byte again and again, each once.
    #[must_use]
    pub fn stretches<const N: usize>(&self) -> Vec<[u8; N]> {
        let mut all: Vec<[u8; N]> = self
            .blocks()
            .flat_map(|block| block.array_windows_of::<N>())
            .filter(|stretch| stretch.iter().any(|byte| *byte != stretch[0]))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

trait ArrayWindows {
    fn array_windows_of<const N: usize>(&self) -> impl Iterator<Item = [u8; N]>;
}

impl ArrayWindows for [u8] {
    fn array_windows_of<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> {
        self.windows(N).filter_map(|window| window.try_into().ok())
    }
}
