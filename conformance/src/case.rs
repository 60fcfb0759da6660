//! A case, its verdicts, and what it says when it fails.

use crate::conversation::Conversation;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a case did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The target did or said the wrong thing.
    Behaviour(String),
    /// The target closed wrongly, or not.
    Close(String),
    /// The case does not apply to this target.
    Skip(String),
    /// The kit itself failed.
    Kit(String),
}

/// What a case comes to.
pub type Run<T = ()> = Result<T, Fail>;

/// What a case does.
pub type Action = Arc<dyn Fn(&mut Conversation<'_>) -> Run + Send + Sync>;

/// How binding the clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// MUST.
    Must,
    /// SHOULD; judged with `--strict`.
    Should,
}

/// The parts of the specification, as the report groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The hello and the refusal list.
    Hello,
    /// The Noise handshake and acceptance.
    Handshake,
    /// ML-KEM-768 beside X25519.
    Hybrid,
    /// Parameters.
    Params,
    /// Records.
    Record,
    /// Frames.
    Frames,
    /// Rekeying.
    Rekey,
    /// Receipts.
    Receipts,
    /// The end.
    End,
    /// Sizes and budgets.
    Limits,
    /// Times.
    Liveness,
}

impl Group {
    /// Every group, in the order of the report.
    pub const ALL: [Self; 11] = [
        Self::Hello,
        Self::Handshake,
        Self::Hybrid,
        Self::Params,
        Self::Record,
        Self::Frames,
        Self::Rekey,
        Self::Receipts,
        Self::End,
        Self::Limits,
        Self::Liveness,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Handshake => "handshake",
            Self::Hybrid => "hybrid",
            Self::Params => "params",
            Self::Record => "record",
            Self::Frames => "frames",
            Self::Rekey => "rekey",
            Self::Receipts => "receipts",
            Self::End => "end",
            Self::Limits => "limits",
            Self::Liveness => "liveness",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// One case.
#[derive(Clone)]
pub struct Case {
    /// `CLAUSE/short-name`.
    pub id: String,
    /// Where it belongs.
    pub group: Group,
    /// How binding it is.
    pub level: Level,
    /// What the target must do, in a sentence.
    pub says: &'static str,
    /// After so long the case has failed.
    pub deadline: Duration,
    /// What the kit does.
    pub action: Action,
}

impl fmt::Debug for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Case")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A case of a MUST.
pub fn must(
    id: impl Into<String>,
    says: &'static str,
    action: impl Fn(&mut Conversation<'_>) -> Run + Send + Sync + 'static,
) -> Case {
    Case {
        id: id.into(),
        group: Group::Hello,
        level: Level::Must,
        says,
        deadline: Duration::from_secs(25),
        action: Arc::new(action),
    }
}

/// A case of a SHOULD.
pub fn should(
    id: &str,
    says: &'static str,
    action: impl Fn(&mut Conversation<'_>) -> Run + Send + Sync + 'static,
) -> Case {
    Case {
        level: Level::Should,
        ..must(id, says, action)
    }
}

/// One half of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As the specification says.
    Pass,
    /// Not so.
    Fail,
    /// The case did not come so far, or does not ask.
    None,
}

impl Verdict {
    /// A short word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "-",
        }
    }
}

/// How a case as a whole came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing to object.
    Passed,
    /// Something is wrong.
    Failed,
    /// Not applicable.
    Skipped,
    /// Failed, and was expected to.
    Expected,
    /// Passed although it was expected to fail: the expectation is out of date.
    Unexpected,
    /// The kit failed.
    Broken,
}

impl Status {
    /// A short word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Expected => "failed as expected",
            Self::Unexpected => "passed unexpectedly",
            Self::Broken => "kit error",
        }
    }

    /// Whether the run as a whole fails by it.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Unexpected | Self::Broken)
    }
}

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since the case began.
    pub at: u128,
    /// `->` the kit sends, `<-` the target sends, `--` control and remarks.
    pub side: &'static str,
    /// What.
    pub text: String,
}

/// The outcome of a case.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which case.
    pub case: Case,
    /// As a whole.
    pub status: Status,
    /// What the target did and said.
    pub behaviour: Verdict,
    /// How it closed.
    pub close: Verdict,
    /// Why, where it did not pass.
    pub why: String,
    /// What was said.
    pub transcript: Vec<Line>,
    /// The same case with the built-in peer, for comparison; only of failed cases.
    pub reference: Vec<Line>,
    /// How long it took.
    pub took: Duration,
}
