//! Bytes as choices: a reader that never runs dry, so that every input means something.

/// What is left of a fuzzer's bytes.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// One of `count` choices.
    pub(crate) fn choice(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    pub(crate) fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number of any size, small ones with few bytes.
    pub(crate) fn wide(&mut self) -> u64 {
        let bytes = self.choice(9);
        (0..bytes).fold(0, |value, _| value << 8 | u64::from(self.byte()))
    }

    /// At most so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        head
    }

    /// A length in one byte, and so many bytes.
    pub(crate) fn chunk(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// A length in two bytes, and so many bytes.
    pub(crate) fn block(&mut self) -> &'a [u8] {
        let length = usize::from(self.number());
        self.take(length)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// A stream in reads: so many bytes each, over and over; without any, in one.
pub(crate) fn cut<'a>(stream: &'a [u8], sizes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        // A read brings at least a byte; 255 brings all that is left.
        let size = match sizes.next() {
            None | Some(255) => rest.len(),
            Some(size) => usize::from(*size).clamp(1, rest.len()),
        };
        let (head, behind) = rest.split_at(size);
        rest = behind;
        Some(head)
    })
}
