//! The module tree of a crate, and what each path in it means.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Item,
    ext::IdentExt,
    visit::{self, Visit},
};

use crate::{
    Violation,
    attributes::{of_impl_item, of_item, of_trait_item, test_only},
    routes::{Route, imports},
};

/// Relative path and text of each file.
pub(crate) type Files = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) enum Binding {
    Module(usize),
    Item,
    Import(Route),
}

pub(crate) struct Module {
    pub(crate) path: Vec<String>,
    parent: Option<usize>,
    names: BTreeMap<String, Vec<Binding>>,
    globs: Vec<Route>,
}

pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) module: usize,
    /// Reached through a `cfg(test)` only.
    pub(crate) test: bool,
    pub(crate) syntax: syn::File,
}

/// What a path means, and the modules that it was looked up in on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) via: BTreeSet<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Module(usize),
    /// Something defined in this module.
    Item(usize),
    /// Something of another crate.
    Extern(Vec<String>),
    /// A name that this module does not have.
    Lost(usize),
}

impl Found {
    fn at(place: Place) -> Self {
        Self {
            place,
            via: BTreeSet::new(),
        }
    }

    fn lost(mut self) -> Self {
        if let Place::Module(module) = self.place {
            self.place = Place::Lost(module);
        }
        self
    }

    fn through(mut self, via: &BTreeSet<usize>) -> Self {
        self.via.extend(via);
        self
    }
}

#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) modules: Vec<Module>,
    pub(crate) sources: Vec<Source>,
    pub(crate) violations: Vec<Violation>,
    /// Where a `mod` stands: file, line, column.
    places: BTreeMap<(String, usize, usize), usize>,
    /// `extern crate x as y` of the crate root: `y` is known everywhere.
    externs: BTreeMap<String, Route>,
}

impl Tree {
    pub(crate) fn read(files: &Files) -> Self {
        let mut tree = Self::default();
        tree.module(None, Vec::new());
        let mut waiting = vec![("lib.rs".to_owned(), 0, false)];
        while let Some((file, module, test)) = waiting.pop() {
            let Some(text) = files.get(&file) else {
                tree.report(&file, 1, "a module without its file");
                continue;
            };
            let syntax = match syn::parse_file(text) {
                Ok(syntax) => syntax,
                Err(error) => {
                    let reason = format!("cannot be parsed: {error}");
                    tree.report(&file, error.span().start().line, &reason);
                    continue;
                }
            };
            let test = test || test_only(&syntax.attrs);
            let mut collector = Collector {
                tree: &mut tree,
                file: &file,
                module,
                test,
                waiting: &mut waiting,
            };
            collector.visit_file(&syntax);
            tree.sources.push(Source {
                file,
                module,
                test,
                syntax,
            });
        }
        for file in files.keys() {
            if !tree.sources.iter().any(|source| &source.file == file)
                && !tree.violations.iter().any(|known| &known.file == file)
            {
                tree.report(file, 1, "a file that no `mod` leads to");
            }
        }
        tree
    }

    fn module(&mut self, parent: Option<usize>, path: Vec<String>) -> usize {
        self.modules.push(Module {
            path,
            parent,
            names: BTreeMap::new(),
            globs: Vec::new(),
        });
        self.modules.len() - 1
    }

    pub(crate) fn report(&mut self, file: &str, line: usize, reason: &str) {
        self.violations.push(Violation::new(file, line, reason));
    }

    /// The module that the `mod` of this name at this place declares.
    pub(crate) fn declared(&self, file: &str, name: &syn::Ident) -> Option<usize> {
        self.places.get(&place(file, name)).copied()
    }

    /// The module's first name below the crate root; none for the root itself.
    pub(crate) fn top(&self, module: usize) -> Option<&str> {
        self.modules[module].path.first().map(String::as_str)
    }

    /// All that `route`, written in `module`, can mean; nothing if it leads nowhere.
    pub(crate) fn resolve(&self, module: usize, route: &Route) -> Vec<Found> {
        self.follow(module, route, &mut Vec::new())
    }

    /// The imports of `module` through which `name` comes.
    pub(crate) fn bringing(&self, module: usize, name: &str) -> Vec<&Route> {
        let module = &self.modules[module];
        let named = module.names.get(name).into_iter().flatten();
        let named = named.filter_map(|binding| match binding {
            Binding::Import(route) => Some(route),
            Binding::Module(_) | Binding::Item => None,
        });
        named.chain(&module.globs).collect()
    }

    fn follow(&self, module: usize, route: &Route, seen: &mut Vec<(usize, String)>) -> Vec<Found> {
        let Some((first, rest)) = route.segments.split_first() else {
            return Vec::new();
        };
        let mut found = match first.as_str() {
            _ if route.global => self.outside(first, seen),
            "crate" => vec![Found::at(Place::Module(0))],
            "self" => vec![Found::at(Place::Module(module))],
            "super" => self.parent(module),
            "Self" => return vec![Found::at(Place::Item(module))],
            name => {
                let mut found = self.lookup(module, name, seen);
                if found.is_empty() {
                    found = self.outside(name, seen);
                }
                found
            }
        };
        for segment in rest {
            let before = found;
            found = Vec::new();
            for start in &before {
                found.extend(self.step(start.clone(), segment, seen));
            }
            if found.is_empty() {
                found = before.into_iter().map(Found::lost).collect();
            }
        }
        found
    }

    fn outside(&self, name: &str, seen: &mut Vec<(usize, String)>) -> Vec<Found> {
        let key = (usize::MAX, name.to_owned());
        match self.externs.get(name) {
            Some(route) if !seen.contains(&key) => {
                seen.push(key);
                let found = self.follow(0, route, seen);
                seen.pop();
                found
            }
            _ => vec![Found::at(Place::Extern(vec![name.to_owned()]))],
        }
    }

    fn parent(&self, module: usize) -> Vec<Found> {
        let parent = self.modules[module].parent;
        parent
            .map(|id| Found::at(Place::Module(id)))
            .into_iter()
            .collect()
    }

    fn step(&self, found: Found, segment: &str, seen: &mut Vec<(usize, String)>) -> Vec<Found> {
        match &found.place {
            Place::Item(_) | Place::Lost(_) => vec![found],
            Place::Extern(path) => {
                let mut path = path.clone();
                path.push(segment.to_owned());
                vec![Found::at(Place::Extern(path)).through(&found.via)]
            }
            Place::Module(id) => match segment {
                "self" => vec![found],
                "super" => self.parent(*id),
                name => {
                    let mut via = found.via;
                    via.insert(*id);
                    let next = self.lookup(*id, name, seen);
                    next.into_iter().map(|found| found.through(&via)).collect()
                }
            },
        }
    }

    fn lookup(&self, id: usize, name: &str, seen: &mut Vec<(usize, String)>) -> Vec<Found> {
        let key = (id, name.to_owned());
        if seen.contains(&key) {
            return Vec::new();
        }
        seen.push(key);
        let module = &self.modules[id];
        let mut found = Vec::new();
        for binding in module.names.get(name).into_iter().flatten() {
            match binding {
                Binding::Module(id) => found.push(Found::at(Place::Module(*id))),
                Binding::Item => found.push(Found::at(Place::Item(id))),
                Binding::Import(route) => found.extend(self.follow(id, route, seen)),
            }
        }
        if found.is_empty() {
            for glob in &module.globs {
                for start in self.follow(id, glob, seen) {
                    if let Place::Module(_) = start.place {
                        found.extend(self.step(start, name, seen));
                    }
                }
            }
        }
        seen.pop();
        found
    }
}

fn place(file: &str, name: &syn::Ident) -> (String, usize, usize) {
    let start = name.span().start();
    (file.to_owned(), start.line, start.column)
}

struct Collector<'a> {
    tree: &'a mut Tree,
    file: &'a str,
    module: usize,
    test: bool,
    waiting: &'a mut Vec<(String, usize, bool)>,
}

impl Collector<'_> {
    fn bind(&mut self, module: usize, name: &str, binding: Binding) {
        let names = &mut self.tree.modules[module].names;
        names.entry(name.to_owned()).or_default().push(binding);
    }

    fn declare(&mut self, item: &syn::ItemMod) {
        let name = item.ident.unraw().to_string();
        let mut path = self.tree.modules[self.module].path.clone();
        path.push(name.clone());
        let file = format!("{}.rs", path.join("/"));
        let id = self.tree.module(Some(self.module), path);
        let key = place(self.file, &item.ident);
        self.tree.places.insert(key, id);
        if item
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("path"))
        {
            let line = item.ident.span().start().line;
            let reason = "`#[path]` hides where a module lives";
            self.tree.report(self.file, line, reason);
        }
        let outer = (self.module, self.test);
        self.test |= test_only(&item.attrs);
        if !self.test {
            self.bind(outer.0, &name, Binding::Module(id));
        }
        if item.content.is_some() {
            self.module = id;
            visit::visit_item_mod(self, item);
        } else {
            self.waiting.push((file, id, self.test));
        }
        (self.module, self.test) = outer;
    }

    fn bring(&mut self, item: &syn::ItemUse) {
        for import in imports(item) {
            if import.route.glob {
                self.tree.modules[self.module].globs.push(import.route);
            } else if let Some(name) = import.name {
                self.bind(self.module, &name, Binding::Import(import.route));
            }
        }
    }

    fn extern_crate(&mut self, item: &syn::ItemExternCrate) {
        let ident = item.ident.unraw().to_string();
        let name = match &item.rename {
            Some((_, rename)) => rename.unraw().to_string(),
            None => ident.clone(),
        };
        let route = Route {
            global: ident != "self",
            segments: vec![if ident == "self" {
                "crate".into()
            } else {
                ident
            }],
            ..Route::default()
        };
        if self.module == 0 {
            self.tree.externs.insert(name.clone(), route.clone());
        }
        self.bind(self.module, &name, Binding::Import(route));
    }

    fn macro_rules(&mut self, item: &syn::ItemMacro) {
        let Some(ident) = &item.ident else { return };
        let exported = |attribute: &syn::Attribute| attribute.path().is_ident("macro_export");
        if item.attrs.iter().any(exported) {
            self.bind(0, &ident.to_string(), Binding::Item);
        }
        self.bind(self.module, &ident.to_string(), Binding::Item);
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Mod(item) = item {
            return self.declare(item);
        }
        if test_only(of_item(item)) {
            return;
        }
        if !self.test {
            let ident = match item {
                Item::Const(item) => Some(&item.ident),
                Item::Enum(item) => Some(&item.ident),
                Item::Fn(item) => Some(&item.sig.ident),
                Item::Static(item) => Some(&item.ident),
                Item::Struct(item) => Some(&item.ident),
                Item::Trait(item) => Some(&item.ident),
                Item::TraitAlias(item) => Some(&item.ident),
                Item::Type(item) => Some(&item.ident),
                Item::Union(item) => Some(&item.ident),
                _ => None,
            };
            if let Some(ident) = ident {
                self.bind(self.module, &ident.unraw().to_string(), Binding::Item);
            }
            match item {
                Item::Use(item) => self.bring(item),
                Item::ExternCrate(item) => self.extern_crate(item),
                Item::Macro(item) => self.macro_rules(item),
                // `Alias::now` is judged as what the alias stands for.
                Item::Type(item) => {
                    if let syn::Type::Path(path) = &*item.ty {
                        let route = Route::of_path(&path.path);
                        let name = item.ident.unraw().to_string();
                        self.bind(self.module, &name, Binding::Import(route));
                    }
                }
                _ => {}
            }
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
}
