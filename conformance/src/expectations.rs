//! Cases that are known to fail, each with its reason.

use std::collections::BTreeMap;

/// Case id to reason. One case a line: `CLAUSE/short-name  reason`; `#` begins a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations(BTreeMap<String, String>);

impl Expectations {
    /// Reads the file's text; an error names the line. Every id must be one of `known`.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut reasons = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let place = number + 1;
            let (id, reason) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("line {place}: {line:?} has no reason"))?;
            if !known.contains(&id) {
                return Err(format!("line {place}: no case {id:?}"));
            }
            if reasons
                .insert(id.to_owned(), reason.trim().to_owned())
                .is_some()
            {
                return Err(format!("line {place}: {id:?} occurs twice"));
            }
        }
        Ok(Self(reasons))
    }

    /// Why a case is expected to fail.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}
