//! The clauses of the specification, and their ids.

use std::fmt;

/// An id such as `T-4`: orders as the specification does, section by section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    /// Place of the letter in `LETTERS`.
    letter: usize,
    number: u32,
}

const LETTERS: &str = "WHTEL";

impl Id {
    /// Takes an id off the front of `text`.
    pub(crate) fn take(text: &mut &str) -> Option<Self> {
        let (letter, rest) = text.split_once('-')?;
        let letter = (letter.len() == 1).then(|| LETTERS.find(letter))??;
        let end = rest.find(|at: char| !at.is_ascii_digit());
        let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if number.starts_with('0') || behind.starts_with(char::is_alphanumeric) {
            return None;
        }
        let number = number.parse().ok()?;
        *text = behind;
        Some(Self { letter, number })
    }

    /// Whether nothing stands between the two.
    pub(crate) fn is_followed_by(self, next: Self) -> bool {
        let number = if self.letter == next.letter {
            self.number + 1
        } else {
            1
        };
        next.number == number
    }

    /// Every id from this one to `last`, which is of the same letter.
    pub(crate) fn to(self, last: Self) -> Vec<Self> {
        assert_eq!(self.letter, last.letter, "{self} to {last}");
        let numbers = self.number..=last.number;
        numbers.map(|number| Self { number, ..self }).collect()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "{}-{}",
            &LETTERS[self.letter..=self.letter],
            self.number
        ))
    }
}

/// One clause.
#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) id: Id,
    pub(crate) text: String,
}

impl Clause {
    /// Whether it binds without exception.
    pub(crate) fn must(&self) -> bool {
        self.text.contains("MUST")
    }

    /// Its first words.
    pub(crate) fn start(&self) -> String {
        let mut words = String::new();
        for word in self.text.split_whitespace() {
            if words.len() + word.len() > 64 {
                return words + "…";
            }
            words = words + word + " ";
        }
        words
    }
}

/// The clauses in their order. An id defines a clause where it begins a line.
pub(crate) fn clauses(specification: &str) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut open = false;
    for line in specification.lines() {
        if let Some((id, text)) = defined(line) {
            let text = text.to_owned();
            clauses.push(Clause { id, text });
            open = true;
        } else if line.starts_with('#') {
            open = false;
        } else if let Some(clause) = clauses.last_mut().filter(|_clause| open) {
            clause.text = format!("{}\n{line}", clause.text);
        }
    }
    clauses
}

fn defined(line: &str) -> Option<(Id, &str)> {
    let mut rest = line.strip_prefix('[')?;
    let id = Id::take(&mut rest)?;
    Some((id, rest.strip_prefix(']')?.trim_start()))
}

/// The numbers of the specification's sections: `2`, `2.1` and so on.
pub(crate) fn sections(specification: &str) -> Vec<&str> {
    let headings = specification.lines().filter(|line| line.starts_with("##"));
    headings
        .filter_map(|line| line.trim_start_matches('#').split_whitespace().next())
        .map(|number| number.trim_end_matches('.'))
        .collect()
}
