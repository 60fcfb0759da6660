//! Paths as they are written: in use trees, in code, and in the tokens of macros and attributes.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::{UseTree, ext::IdentExt, spanned::Spanned};

/// A path as written, with the line of its last segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// Starts with `::`.
    pub(crate) global: bool,
    /// `use` of all names in it.
    pub(crate) glob: bool,
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl Route {
    fn with(&self, segment: String, line: usize) -> Self {
        let mut longer = self.clone();
        longer.segments.push(segment);
        longer.line = line;
        longer
    }

    pub(crate) fn of_path(path: &syn::Path) -> Self {
        Self {
            global: path.leading_colon.is_some(),
            glob: false,
            segments: path
                .segments
                .iter()
                .map(|segment| segment.ident.unraw().to_string())
                .collect(),
            line: path.span().start().line,
        }
    }

    /// Starts at this crate's root, at its own module or above it.
    pub(crate) fn is_rooted(&self) -> bool {
        let first = self.segments.first().map(String::as_str);
        !self.global && matches!(first, Some("crate" | "self" | "super"))
    }
}

/// One name that a `use` brings, and the path that it stands for.
pub(crate) struct Import {
    pub(crate) name: Option<String>,
    pub(crate) route: Route,
}

pub(crate) fn imports(item: &syn::ItemUse) -> Vec<Import> {
    let start = Route {
        global: item.leading_colon.is_some(),
        ..Route::default()
    };
    let mut found = Vec::new();
    walk(&item.tree, &start, &mut found);
    found
}

fn walk(tree: &UseTree, before: &Route, found: &mut Vec<Import>) {
    match tree {
        UseTree::Path(path) => {
            let line = path.ident.span().start().line;
            let next = before.with(path.ident.unraw().to_string(), line);
            walk(&path.tree, &next, found);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                walk(tree, before, found);
            }
        }
        UseTree::Name(name) => found.push(leaf(&name.ident, None, before)),
        UseTree::Rename(rename) => found.push(leaf(&rename.ident, Some(&rename.rename), before)),
        UseTree::Glob(star) => {
            let mut route = before.clone();
            route.glob = true;
            route.line = star.star_token.span.start().line;
            found.push(Import { name: None, route });
        }
    }
}

fn leaf(ident: &syn::Ident, rename: Option<&syn::Ident>, before: &Route) -> Import {
    let line = ident.span().start().line;
    let text = ident.unraw().to_string();
    // `use a::b::{self}` names `b`.
    let route = if text == "self" && !before.segments.is_empty() {
        Route {
            line,
            ..before.clone()
        }
    } else {
        before.with(text, line)
    };
    let name = match rename {
        Some(rename) => rename.unraw().to_string(),
        None => route.segments.last().cloned().unwrap_or_default(),
    };
    Import {
        name: (name != "_").then_some(name),
        route,
    }
}

/// The paths of two and more segments among `tokens`, those in their groups included.
pub(crate) fn in_tokens(tokens: TokenStream) -> Vec<Route> {
    let mut found = Vec::new();
    scan(tokens, &Route::default(), &mut found);
    found
}

fn scan(tokens: TokenStream, before: &Route, found: &mut Vec<Route>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            // In a use tree: the name behind `as` is no path.
            TokenTree::Ident(ident) if ident == "as" && !before.segments.is_empty() => at += 2,
            TokenTree::Ident(_) => at = path_at(&tokens, at, before, found),
            TokenTree::Group(group) => {
                scan(group.stream(), &Route::default(), found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// Takes the path that starts at `at`; the index behind it comes back.
fn path_at(tokens: &[TokenTree], mut at: usize, before: &Route, found: &mut Vec<Route>) -> usize {
    let mut route = before.clone();
    if route.segments.is_empty() {
        // A lifetime's or a macro variable's sigil is no part of a path; `$crate` is the crate.
        route.global = at >= 2 && double_colon(tokens, at - 2);
    }
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        route = route.with(ident.unraw().to_string(), ident.span().start().line);
        at += 1;
        if !double_colon(tokens, at) {
            break;
        }
        at += 2;
        match tokens.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                scan(group.stream(), &route, found);
                return at + 1;
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {
                route.glob = true;
                found.push(route);
                return at + 1;
            }
            // `crate::$name`: what it leads to is not to be known, so the start is judged.
            Some(TokenTree::Punct(punct)) if punct.as_char() == '$' => {
                found.push(route);
                return at + 1;
            }
            _ => {}
        }
    }
    if route.segments.len() > 1 {
        found.push(route);
    }
    at
}

fn double_colon(tokens: &[TokenTree], at: usize) -> bool {
    matches!(
        (tokens.get(at), tokens.get(at + 1)),
        (Some(TokenTree::Punct(a)), Some(TokenTree::Punct(b)))
            if a.as_char() == ':' && a.spacing() == Spacing::Joint && b.as_char() == ':'
    )
}

/// The string literals among `tokens`, as paths: `#[serde(with = "crate::x")]`.
pub(crate) fn in_strings(tokens: TokenStream, found: &mut Vec<Route>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => in_strings(group.stream(), found),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) else {
                    continue;
                };
                if let Ok(path) = syn::parse_str::<syn::Path>(&text.value())
                    && path.segments.len() > 1
                {
                    let route = Route::of_path(&path);
                    found.push(Route { line, ..route });
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}
