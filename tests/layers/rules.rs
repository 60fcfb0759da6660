//! What each layer may name.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::{
    Item, Type,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::{
    Violation,
    attributes::{of_impl_item, of_item, of_trait_item, test_only},
    routes::{Route, imports, in_strings, in_tokens},
    tree::{Found, Place, Source, Tree},
};

/// The rank of each top module: imports point to lower ranks, never to a neighbour.
pub(crate) const RANKS: [(&str, u8); 9] = [
    ("wire", 0),
    ("noise", 0),
    ("proto", 1),
    ("error", 2),
    ("codec", 2),
    ("manual", 2),
    ("session", 3),
    ("net", 4),
    // Only in builds of fuzz targets; nothing may import it.
    ("fuzzing", 5),
];

const SESSION: u8 = 3;

/// Input and output, clocks, threads and locks: not below `session`.
const FORBIDDEN_BELOW: [&str; 38] = [
    "socket2",
    "rustix",
    "std::net",
    "std::fs",
    "std::os",
    "std::env",
    "std::process",
    "std::thread",
    "std::thread_local",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::Stdin",
    "std::io::Stdout",
    "std::io::Stderr",
    "std::io::StdinLock",
    "std::io::StdoutLock",
    "std::io::StderrLock",
    "std::io::pipe",
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::ReentrantLock",
    "std::sync::Condvar",
    "std::sync::Barrier",
    "std::sync::Once",
    "std::sync::OnceLock",
    "std::sync::LazyLock",
    "std::sync::mpsc",
    "std::sync::mpmc",
    "std::print",
    "std::println",
    "std::eprint",
    "std::eprintln",
    "std::dbg",
];

/// Macros of the prelude that stand for something above.
const PRELUDE: [&str; 6] = [
    "thread_local",
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
];

const PLAIN: [&str; 16] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
    "i128", "isize", "f64",
];

/// The rank of a top module; the crate root stands above all.
pub(crate) fn rank(top: Option<&str>) -> Option<u8> {
    let Some(top) = top else { return Some(u8::MAX) };
    let known = RANKS.iter().find(|(name, _)| *name == top);
    known.map(|(_, rank)| *rank)
}

pub(crate) fn may_import(from: Option<&str>, to: Option<&str>) -> bool {
    from == to || rank(to) < rank(from)
}

/// All that breaks the rules about paths in `source`.
pub(crate) fn violations(tree: &Tree, source: &Source) -> Vec<Violation> {
    let mut judge = Judge {
        tree,
        file: &source.file,
        module: source.module,
        found: Vec::new(),
    };
    judge.visit_file(&source.syntax);
    judge.found
}

struct Judge<'a> {
    tree: &'a Tree,
    file: &'a str,
    module: usize,
    found: Vec<Violation>,
}

impl Judge<'_> {
    fn top(&self) -> Option<&str> {
        self.tree.top(self.module)
    }

    fn report(&mut self, line: usize, reason: &str) {
        self.found.push(Violation::new(self.file, line, reason));
    }

    fn is_below_session(&self) -> bool {
        rank(self.top()).is_some_and(|rank| rank < SESSION)
    }

    /// A path in a `use`.
    fn import(&mut self, route: &Route) {
        for reason in self.reasons(route) {
            self.report(route.line, &reason);
        }
    }

    /// A path anywhere else: what its first name's import was already reported for is not said twice.
    fn usage(&mut self, route: &Route) {
        let mut reasons = self.reasons(route);
        if let (Some(first), false) = (route.segments.first(), route.is_rooted()) {
            for import in self.tree.bringing(self.module, first) {
                for known in self.reasons(import) {
                    reasons.remove(&known);
                }
            }
        }
        for reason in reasons {
            self.report(route.line, &reason);
        }
    }

    fn reasons(&self, route: &Route) -> BTreeSet<String> {
        let mut reasons = BTreeSet::new();
        let found = self.tree.resolve(self.module, route);
        let lost = |found: &Found| matches!(found.place, Place::Lost(_));
        if found.is_empty() || found.iter().any(lost) {
            let path = route.segments.join("::");
            reasons.insert(format!("`{path}` leads nowhere that this test knows"));
        }
        for found in found {
            let end = match found.place {
                Place::Module(module) | Place::Item(module) => Some(module),
                Place::Lost(module) => Some(module).filter(|module| *module != 0),
                Place::Extern(path) => {
                    reasons.extend(self.foreign(&path, route.glob));
                    None
                }
            };
            // The crate root on the way does no harm: what it hands on is judged where it ends.
            let via = found.via.into_iter().filter(|module| *module != 0);
            for module in via.chain(end) {
                let (from, to) = (self.top(), self.tree.top(module));
                if !may_import(from, to) {
                    let name = |top: Option<&str>| top.unwrap_or("lib.rs").to_owned();
                    reasons.insert(format!("{} may not import {}", name(from), name(to)));
                }
            }
        }
        reasons
    }

    fn foreign(&self, path: &[String], glob: bool) -> Option<String> {
        let whole = path.join("::");
        match (path.first()?.as_str(), self.top()) {
            ("snow", top) if top != Some("noise") => {
                return Some("`snow` is for noise alone".into());
            }
            ("tokio", top) if !matches!(top, Some("session" | "net")) => {
                return Some("`tokio` is for session and net alone".into());
            }
            _ if !self.is_below_session() => return None,
            _ => {}
        }
        let starts = |long: &str, short: &str| {
            long.strip_prefix(short)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let forbidden = FORBIDDEN_BELOW.iter().find(|name| starts(&whole, name));
        if let Some(name) = forbidden {
            return Some(format!("`{name}` is not for layers below session"));
        }
        let hides = glob && FORBIDDEN_BELOW.iter().any(|name| starts(name, &whole));
        hides.then(|| format!("all of `{whole}` is not for layers below session"))
    }

    fn tokens(&mut self, tokens: &TokenStream) {
        for route in in_tokens(tokens.clone()) {
            self.usage(&route);
        }
    }

    fn item_mod(&mut self, item: &syn::ItemMod) {
        let Some(id) = self.tree.declared(self.file, &item.ident) else {
            return;
        };
        if self.module == 0 && rank(self.tree.top(id)).is_none() {
            let reason = format!("`{}` has no place among the layers", item.ident);
            self.report(item.ident.span().start().line, &reason);
        }
        let outer = std::mem::replace(&mut self.module, id);
        visit::visit_item_mod(self, item);
        self.module = outer;
    }

    fn item_static(&mut self, item: &syn::ItemStatic) {
        let line = item.ident.span().start().line;
        if !self.is_below_session() {
            return;
        }
        if !matches!(item.mutability, syn::StaticMutability::None) || !is_plain(&item.ty) {
            self.report(line, "a `static` below session holds plain data only");
        }
    }
}

/// Data without anything that can change behind a shared reference.
fn is_plain(ty: &Type) -> bool {
    match ty {
        Type::Array(array) => is_plain(&array.elem),
        Type::Slice(slice) => is_plain(&slice.elem),
        Type::Paren(inner) => is_plain(&inner.elem),
        Type::Group(inner) => is_plain(&inner.elem),
        Type::Tuple(tuple) => tuple.elems.iter().all(is_plain),
        Type::Reference(to) => to.mutability.is_none() && is_plain(&to.elem),
        Type::Path(path) => {
            let ident = path.path.get_ident().map(ToString::to_string);
            ident.is_some_and(|name| PLAIN.contains(&name.as_str()))
        }
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Judge<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if test_only(of_item(item)) {
            return;
        }
        if self.top() == Some("manual") && !matches!(item, Item::Mod(_)) {
            self.report(item.span().start().line, "manual holds documentation only");
        }
        match item {
            Item::Mod(item) => return self.item_mod(item),
            Item::Static(item) => self.item_static(item),
            Item::Use(item) => {
                for import in imports(item) {
                    self.import(&import.route);
                }
            }
            Item::ExternCrate(item) => {
                let name = item.ident.to_string();
                let line = item.ident.span().start().line;
                if let Some(reason) = self.foreign(&[name], false) {
                    self.report(line, &reason);
                }
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        if !test_only(of_impl_item(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        if !test_only(of_trait_item(item)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !test_only(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    // `pub(crate)` and `pub(super)` import nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        // `<Instant>::now` is `Instant::now`.
        if let Some(Type::Path(of)) = path.qself.as_ref().map(|qself| &*qself.ty) {
            let mut route = Route::of_path(&of.path);
            let method = Route::of_path(&path.path).segments;
            route.segments.extend(method.into_iter().last());
            self.usage(&route);
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.usage(&Route::of_path(path));
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if self.is_below_session() && call.method == "elapsed" && call.args.is_empty() {
            let line = call.method.span().start().line;
            self.report(
                line,
                "`elapsed()` reads a clock, which is not for layers below session",
            );
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.get_ident().map(ToString::to_string);
        let name = name.unwrap_or_default();
        let line = call.path.span().start().line;
        if self.is_below_session() && PRELUDE.contains(&name.as_str()) {
            self.report(line, &format!("`{name}!` is not for layers below session"));
        }
        if call
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "include")
        {
            self.report(line, "`include!` hides code from this test");
        }
        self.tokens(&call.tokens);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        let mut written = Vec::new();
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens);
            in_strings(list.tokens.clone(), &mut written);
        }
        for route in written {
            self.usage(&route);
        }
        visit::visit_attribute(self, attribute);
    }
}
