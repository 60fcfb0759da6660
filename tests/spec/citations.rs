//! Where sources cite clauses.
//!
//! Three forms count: `spec: T-4, E-1 to E-7` in a comment, `[T-4]` in a comment, and a string
//! that is an id or begins with one, as in `Violation::new("T-4", …)` and in the kit's `T-4/…`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::clauses::Id;

/// What a line proves: that the rule is obeyed, or that it is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Code,
    Test,
}

/// One citation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) id: Id,
    pub(crate) side: Side,
    /// The file, from the project's root.
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// A section that a comment names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SectionCitation {
    pub(crate) section: String,
    pub(crate) place: String,
}

#[derive(Debug, Default)]
pub(crate) struct Citations {
    pub(crate) clauses: Vec<Citation>,
    pub(crate) sections: Vec<SectionCitation>,
}

impl Citations {
    /// Reads every source file of the project.
    pub(crate) fn of_project(root: &Path) -> Self {
        let mut this = Self::default();
        let sources = files(&root.join("src"), "rs");
        let tests = test_modules(&sources);
        for file in &sources {
            let whole = tests.iter().any(|module| file.starts_with(module));
            this.read(root, file, if whole { Side::Test } else { Side::Code });
        }
        // What supports tests proves nothing by itself.
        let aside = [
            "tests/support",
            "tests/spec",
            "tests/spec.rs",
            "tests/layers/fixtures",
        ];
        for directory in ["tests", "conformance/src/cases", "conformance/tests"] {
            for file in files(&root.join(directory), "rs") {
                if !aside.iter().any(|aside| file.starts_with(root.join(aside))) {
                    this.read(root, &file, Side::Test);
                }
            }
        }
        for file in files(&root.join("spec/vectors"), "json") {
            this.read(root, &file, Side::Test);
        }
        this
    }

    fn read(&mut self, root: &Path, file: &Path, side: Side) {
        let text = fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(root).unwrap().display().to_string();
        self.read_text(&name, &text, side);
    }

    /// Reads one file; what stands below `#[cfg(test)] mod tests {` is tests.
    pub(crate) fn read_text(&mut self, file: &str, text: &str, mut side: Side) {
        let mut before = "";
        for (index, line) in text.lines().enumerate() {
            if before == "#[cfg(test)]" && line.starts_with("mod ") && line.ends_with('{') {
                side = Side::Test;
            }
            before = line;
            // The header of a file of tests proves nothing by itself.
            if side == Side::Test && line.starts_with("//!") {
                continue;
            }
            let mut found = Line::default();
            found.read(line, file.ends_with(".json"));
            let place = |id| Citation {
                id,
                side,
                file: file.to_owned(),
                line: index + 1,
            };
            self.clauses.extend(found.ids.into_iter().map(place));
            let place = |section| SectionCitation {
                section,
                place: format!("{file}:{}", index + 1),
            };
            self.sections.extend(found.sections.into_iter().map(place));
        }
    }
}

/// What one line cites.
#[derive(Debug, Default)]
struct Line {
    ids: BTreeSet<Id>,
    sections: BTreeSet<String>,
}

impl Line {
    fn read(&mut self, line: &str, data: bool) {
        let comment = if data { None } else { line.split_once("//") };
        let (code, comment) = comment.unwrap_or((line, ""));
        for part in code.split('"').skip(1).step_by(2) {
            self.read_string(part);
        }
        for part in comment.split("spec: ").skip(1) {
            self.read_list(part);
        }
        for part in comment.split('[').skip(1) {
            let mut rest = part;
            if let Some(id) = Id::take(&mut rest).filter(|_id| rest.starts_with(']')) {
                self.ids.insert(id);
            }
        }
    }

    fn read_string(&mut self, text: &str) {
        let mut rest = text;
        if let Some(id) =
            Id::take(&mut rest).filter(|_id| matches!(rest.get(..1), None | Some("/")))
        {
            self.ids.insert(id);
        }
    }

    /// `T-4, E-1 to E-7 and sections 4 and 6`; it ends where something else stands.
    fn read_list(&mut self, mut rest: &str) {
        let mut first: Option<Id> = None;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(id) = Id::take(&mut rest) {
                self.ids.insert(id);
                first = Some(id);
            } else if let (Some(from), Some(behind)) = (first.take(), rest.strip_prefix("to ")) {
                rest = behind;
                let Some(last) = Id::take(&mut rest) else {
                    return;
                };
                self.ids.extend(from.to(last));
            } else if let Some(behind) = rest.strip_prefix("and ") {
                rest = behind;
            } else if let Some(behind) = ["sections ", "section "]
                .iter()
                .find_map(|w| rest.strip_prefix(w))
            {
                rest = behind;
            } else if rest.starts_with(|at: char| at.is_ascii_digit()) {
                let end = rest.find(|at: char| !at.is_ascii_digit() && at != '.');
                let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
                self.sections
                    .insert(number.trim_end_matches('.').to_owned());
                rest = behind;
            } else {
                return;
            }
        }
    }
}

/// The files of an ending below a directory, in order. A directory that is not there has none.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The files, and the directories beside them, of modules that exist for tests only.
fn test_modules(sources: &[PathBuf]) -> Vec<PathBuf> {
    let mut modules = Vec::new();
    for file in sources {
        let text = fs::read_to_string(file).unwrap();
        let mut before = "";
        for line in text.lines() {
            if before == "#[cfg(test)]" && line.ends_with(';') {
                let name = line.trim_end_matches(';').rsplit(' ').next().unwrap();
                let directory = match file.file_name().unwrap().to_str() {
                    Some("lib.rs") => file.parent().unwrap().to_owned(),
                    _ => file.with_extension(""),
                };
                modules.push(directory.join(name));
                modules.push(directory.join(format!("{name}.rs")));
            }
            before = line;
        }
    }
    modules
}
