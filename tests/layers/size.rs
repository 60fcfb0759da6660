//! How long a file is, and whether it holds a word that none may hold.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Item,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::attributes::{of_item, test_only};

/// A longer file holds more than one thing.
pub(crate) const MAX_LINES: usize = 500;

/// The lines of `text` that are neither documentation nor tests.
pub(crate) fn counted_lines(text: &str, syntax: &syn::File) -> usize {
    let mut other = Other {
        lines: text.lines().collect(),
        known: BTreeSet::new(),
    };
    other.visit_file(syntax);
    let known = &other.known;
    // A blank line between two lines of documentation belongs to it.
    let counted = other.lines.iter().enumerate().filter(|(index, line)| {
        let between =
            line.trim().is_empty() && known.contains(index) && known.contains(&(index + 2));
        !known.contains(&(index + 1)) && !between
    });
    counted.count()
}

struct Other<'a> {
    lines: Vec<&'a str>,
    /// Numbers, from 1, of the lines that do not count.
    known: BTreeSet<usize>,
}

impl Other<'_> {
    fn leave_out(&mut self, span: Span) {
        self.known.extend(span.start().line..=span.end().line);
    }
}

impl<'ast> Visit<'ast> for Other<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if test_only(of_item(item)) {
            self.leave_out(item.span());
        }
        visit::visit_item(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let start = attribute.span().start();
        let line = self.lines.get(start.line.wrapping_sub(1));
        let written = line.and_then(|line| line.get(start.column..));
        // `#[doc = …]` is code; only a comment is left out.
        if attribute.path().is_ident("doc") && written.is_some_and(|text| text.starts_with('/')) {
            self.leave_out(attribute.span());
        }
    }
}

/// The lines that hold a word outside comments and strings.
pub(crate) fn lines_with(word: &str, tokens: TokenStream) -> Vec<usize> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(lines_with(word, group.stream())),
            TokenTree::Ident(ident) if ident == word => found.push(ident.span().start().line),
            _ => {}
        }
    }
    found
}
