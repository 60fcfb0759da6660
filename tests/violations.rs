//! Whoever breaks a rule is told which: each violation that the code can find names a clause of the
//! specification, and some test provokes it by that name.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use syn::{Expr, ExprCall, ExprLit, Lit, visit::Visit};

/// The clauses of a file's violations, with how often each is named.
#[derive(Default)]
struct Found {
    clauses: BTreeMap<String, usize>,
    nameless: usize,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if makes_a_violation(&call.func) {
            match call.args.first() {
                Some(Expr::Lit(ExprLit {
                    lit: Lit::Str(clause),
                    ..
                })) => *self.clauses.entry(clause.value()).or_default() += 1,
                _other => self.nameless += 1,
            }
        }
        syn::visit::visit_expr_call(self, call);
    }
}

fn makes_a_violation(called: &Expr) -> bool {
    let Expr::Path(path) = called else {
        return false;
    };
    let names: Vec<String> = path
        .path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    matches!(names[..], [.., "Violation", "new"] | ["wrong"])
}

fn found_in(source: &str) -> Found {
    let mut found = Found::default();
    found.visit_file(&syn::parse_file(source).unwrap());
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn every_violation_names_a_clause_that_is_there_and_is_provoked() {
    // spec: T-20
    let specification = fs::read_to_string(root("spec/protocol.md")).unwrap();
    let mut provoking = sources(&root("tests"));
    provoking.extend(["wire", "proto"].map(|layer| root("src").join(layer).join("tests.rs")));
    provoking.extend(sources(&root("src/proto/vectors")));
    let tests: String = provoking
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut all = BTreeMap::new();
    for file in sources(&root("src")) {
        let found = found_in(&fs::read_to_string(&file).unwrap());
        // Two helpers are told their clause by those who call them.
        let told = ["proto/judge.rs", "proto/handshake/record0.rs"];
        let told = told.iter().any(|helper| file.ends_with(helper));
        assert_eq!(found.nameless, usize::from(told), "{}", file.display());
        all.extend(found.clauses);
    }
    assert!(all.len() > 20, "{all:?}");
    for clause in all.keys() {
        let defined = specification.contains(&format!("[{clause}]"));
        assert!(defined, "{clause} is no clause");
        let provoked = tests.contains(&format!("\"{clause}\""));
        assert!(provoked, "no test expects a violation of {clause}");
    }
}

#[test]
fn a_violation_without_a_clause_would_be_found() {
    let found = found_in(
        "fn a() { wrong(\"E-1\", \"x\"); Violation::new(clause, \"y\"); wire::Violation::new(\"T-6\", \"z\") }",
    );
    assert_eq!(found.nameless, 1);
    assert_eq!(found.clauses.len(), 2);
}
