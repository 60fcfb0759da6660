//! Proves that imports point down: net, session, {error, codec, manual}, proto, {wire | noise}.
//!
//! Every file of `src` is parsed, every path in it resolved to the module that defines what it names.
//! The fixtures plant what must be found; `//~ reason` stands on each line that must be reported.

#[path = "layers/attributes.rs"]
mod attributes;
#[path = "layers/routes.rs"]
mod routes;
#[path = "layers/rules.rs"]
mod rules;
#[path = "layers/size.rs"]
mod size;
#[path = "layers/tree.rs"]
mod tree;

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use tree::{Files, Tree};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    file: String,
    line: usize,
    reason: String,
}

impl Violation {
    fn new(file: &str, line: usize, reason: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// All rules over all files; `files` are named from the crate's `src`.
fn check(files: &Files) -> BTreeSet<Violation> {
    let mut tree = Tree::read(files);
    let mut found: BTreeSet<_> = tree.violations.drain(..).collect();
    for source in &tree.sources {
        let text = &files[&source.file];
        for line in size::lines_with("unsafe", text.parse().unwrap()) {
            found.insert(Violation::new(&source.file, line, "`unsafe`"));
        }
        // spec: L-13
        for line in size::lines_with("SystemTime", text.parse().unwrap()) {
            found.insert(Violation::new(&source.file, line, "`SystemTime` goes back"));
        }
        if source.test {
            continue;
        }
        found.extend(rules::violations(&tree, source));
        let lines = size::counted_lines(text, &source.syntax);
        if lines > size::MAX_LINES {
            let reason = format!("{lines} lines, more than {}", size::MAX_LINES);
            found.insert(Violation::new(&source.file, 1, &reason));
        }
    }
    found
}

fn read_directory(root: &Path) -> Files {
    let mut files = Files::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.insert(name.replace('\\', "/"), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// A fixture is a whole crate in one file, in parts that start with `//@ name`.
fn parts(text: &str) -> Files {
    let mut files = Files::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("//@ ") {
            name = next.trim();
            files.insert(name.to_owned(), String::new());
        } else if let Some(part) = files.get_mut(name) {
            part.push_str(line);
            part.push('\n');
        }
    }
    files
}

fn announced(files: &Files) -> BTreeSet<Violation> {
    let mut found = BTreeSet::new();
    for (file, text) in files {
        for (index, line) in text.lines().enumerate() {
            for reason in line.split("//~ ").skip(1) {
                found.insert(Violation::new(file, index + 1, reason.trim()));
            }
        }
    }
    found
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares what a fixture announces with what is found; how many violations that were comes back.
fn assert_found(name: &str) -> usize {
    let path = directory("tests/layers/fixtures").join(name);
    let files = parts(&fs::read_to_string(path).unwrap());
    let announced = announced(&files);
    let found = check(&files);
    let list = |one: &BTreeSet<Violation>, other: &BTreeSet<Violation>| -> String {
        let lines = one
            .difference(other)
            .map(|violation| format!("\n  {violation}"));
        lines.collect()
    };
    assert!(
        announced == found,
        "{name}\nnot found:{}\nfound, but not announced:{}",
        list(&announced, &found),
        list(&found, &announced)
    );
    found.len()
}

#[test]
fn the_library_keeps_its_layers() {
    let files = read_directory(&directory("src"));
    assert!(files.contains_key("lib.rs"));
    let found = check(&files);
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn the_table_allows_what_points_down_and_nothing_else() {
    let lower = [
        ("wire", ""),
        ("noise", ""),
        ("proto", "wire noise"),
        ("error", "wire noise proto"),
        ("codec", "wire noise proto"),
        ("manual", "wire noise proto"),
        ("session", "wire noise proto error codec manual"),
        ("net", "wire noise proto error codec manual session"),
        ("fuzzing", "wire noise proto error codec manual session net"),
    ];
    for (from, allowed) in lower {
        for (to, _) in rules::RANKS {
            let expected = from == to || allowed.split(' ').any(|name| name == to);
            let judged = rules::may_import(Some(from), Some(to));
            assert_eq!(judged, expected, "{from} imports {to}");
        }
        assert!(
            !rules::may_import(Some(from), None),
            "{from} imports lib.rs"
        );
        assert!(rules::may_import(None, Some(from)), "lib.rs imports {from}");
    }
}

#[test]
fn a_clean_crate_passes() {
    assert_eq!(assert_found("clean.rs"), 0);
}

#[test]
fn each_planted_violation_is_found_and_nothing_else() {
    let directory = directory("tests/layers/fixtures");
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "clean.rs")
        .collect();
    names.sort();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(assert_found(&name) > 0, "{name} plants nothing");
    }
}

fn crate_of(wire: String) -> Files {
    let lib = "mod wire;\n".to_owned();
    Files::from([("lib.rs".into(), lib), ("wire.rs".into(), wire)])
}

#[test]
fn a_file_may_have_500_lines_and_no_more() {
    for (lines, expected) in [(499, 0), (500, 0), (501, 1)] {
        let found = check(&crate_of("const _: () = ();\n".repeat(lines)));
        assert_eq!(found.len(), expected, "{lines} lines: {found:?}");
        for violation in found {
            assert_eq!(violation.to_string(), "wire.rs:1: 501 lines, more than 500");
        }
    }
}

#[test]
fn documentation_and_tests_do_not_count_as_lines() {
    let mut text = "//! Chapter.\n//!\n\n//! More.\n".to_owned();
    text.push_str(&"/// What it is.\n///\n/** and\nwhy */\nconst _: () = ();\n".repeat(400));
    text.push_str("#[cfg(all(test, unix))]\nmod tests {\n");
    text.push_str(&"    const _: () = ();\n".repeat(200));
    text.push_str("}\n");
    assert_eq!(check(&crate_of(text.clone())), BTreeSet::new());
    text.push_str(&"// Comments count.\n\n".repeat(50));
    assert_eq!(check(&crate_of(text.clone())), BTreeSet::new());
    text.push_str("#[doc = \"Written as code.\"] const LAST: () = ();\n");
    assert_eq!(check(&crate_of(text)).len(), 1);
}

/// How many modules named `fuzzing` a file declares, gated and in all.
fn seams(text: &str) -> (usize, usize) {
    let gate = |attribute: &syn::Attribute| {
        let list = attribute.meta.require_list().unwrap();
        list.path.is_ident("cfg") && list.tokens.to_string() == "all (fuzzing , debug_assertions)"
    };
    let file = syn::parse_file(text).unwrap();
    let seams = file.items.iter().filter_map(|item| match item {
        syn::Item::Mod(item) if item.ident == "fuzzing" => Some(item.attrs.iter().any(gate)),
        _ => None,
    });
    seams.fold((0, 0), |(gated, all), is| {
        (gated + usize::from(is), all + 1)
    })
}

#[test]
fn the_way_past_the_cipher_exists_in_builds_of_fuzz_targets_only() {
    // threat: 118
    let files = read_directory(&directory("src"));
    let found = files.values().map(|text| seams(text));
    let found = found.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(found, (4, 4), "lib.rs, noise.rs, proto.rs, wire.rs");
    let used = files.values().filter(|text| text.contains("cfg(fuzzing"));
    assert_eq!(used.count(), 0, "one gate for all");
    assert_eq!(seams("mod fuzzing;"), (0, 1));
    assert_eq!(seams("#[cfg(fuzzing)] mod fuzzing;"), (0, 1));
}
