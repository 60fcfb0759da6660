//! What each application really sent and took, written down beside the session.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use duologue::Outcome;

/// Which of the two processes.
pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;

/// A message as the records know it: its length and its bytes' hash.
pub(crate) type Mark = (usize, u64);

pub(crate) fn mark(bytes: &[u8]) -> Mark {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    (bytes.len(), hasher.finish())
}

/// What one application knows of one session.
#[derive(Debug, Default, Clone)]
pub(crate) struct Record {
    /// Messages that the session has taken over whole.
    pub(crate) sent: Vec<Mark>,
    /// The message that was being handed over when the application was last heard of.
    pub(crate) trying: Option<Mark>,
    pub(crate) taken: Vec<Mark>,
    /// How many of them count as taken.
    pub(crate) counted: usize,
    /// The application said that it ends its direction, or let go of it.
    pub(crate) ending: bool,
    /// It took everything up to the peer's end.
    pub(crate) read_to_the_end: bool,
    pub(crate) outcome: Option<Outcome>,
}

/// Both records of one session; the process that never had it has none.
pub(crate) type Pair = [Option<Record>; 2];

/// All sessions of a run, and everything that was found wrong.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) pairs: Vec<Pair>,
    pages: HashMap<[u8; 32], usize>,
    pub(crate) wrongs: Vec<String>,
    /// Applications at work.
    pub(crate) busy: usize,
    /// The process that calls has nothing more to do.
    pub(crate) done: bool,
    pub(crate) calls: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Book>>);

impl Shared {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the page of a session, which both find by the handshake's hash.
    pub(crate) fn open(&self, side: usize, hash: [u8; 32]) -> Page {
        let mut book = self.book();
        let next = book.pairs.len();
        let number = *book.pages.entry(hash).or_insert(next);
        if number == next {
            book.pairs.push([None, None]);
        }
        book.pairs[number][side] = Some(Record::default());
        Page {
            shared: self.clone(),
            side,
            number,
        }
    }

    /// Counts an application as at work for as long as it lives.
    pub(crate) fn busy(&self) -> Busy {
        self.book().busy += 1;
        Busy(self.clone())
    }
}

pub(crate) struct Busy(Shared);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.book().busy -= 1;
    }
}

/// One application's page on one session.
#[derive(Clone)]
pub(crate) struct Page {
    shared: Shared,
    side: usize,
    number: usize,
}

impl Page {
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let mut book = self.shared.book();
        change(book.pairs[self.number][self.side].as_mut().unwrap())
    }

    pub(crate) fn peer_counted(&self) -> usize {
        let book = self.shared.book();
        let peer = &book.pairs[self.number][1 - self.side];
        peer.as_ref().map_or(0, |record| record.counted)
    }

    pub(crate) fn wrong(&self, what: String) {
        let who = ["alice", "bob"][self.side];
        let line = format!("session {}, {who}: {what}", self.number);
        self.shared.book().wrongs.push(line);
    }

    pub(crate) fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(what());
        }
    }
}
