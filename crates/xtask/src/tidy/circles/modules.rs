//! The modules of one crate and the file that defines each name.
//!
//! Owns: following `mod` declarations from the root, resolving a path through imports, re-exports and globs.
//! Does not own: names of other crates, names that macros make.

use std::collections::BTreeMap;

use syn::{Item, UseTree, Visibility};

use crate::tidy::syntax::{attributes, is_test};

/// The names from the crate's root to a module; empty for the root.
pub(super) type ModulePath = Vec<String>;

/// Longer chains of re-exports are taken for endless ones.
const IMPORTS_MAX: usize = 8;

pub(super) struct Modules {
    pub(super) files: Vec<SourceFile>,
    modules: BTreeMap<ModulePath, Module>,
}

pub(super) struct SourceFile {
    /// Below the repository's root.
    pub(super) path: String,
    pub(super) module: ModulePath,
    pub(super) syntax: syn::File,
}

struct Module {
    file_index: usize,
    names: Vec<(String, Name)>,
    globs: Vec<Vec<String>>,
}

enum Name {
    Module,
    Item,
    Import(Vec<String>),
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Module(ModulePath),
    Item { file_index: usize, name: String },
}

/// A path that a `use` item imports.
pub(super) struct Imported {
    pub(super) segments: Vec<String>,
    /// None for a glob.
    pub(super) name: Option<String>,
}

impl Modules {
    /// The modules below the root file; `load` gives a file's full path and syntax by its path below `src/`.
    pub(super) fn read(root: &str, load: &mut impl FnMut(&str) -> Option<(String, syn::File)>) -> Self {
        let mut modules = Self { files: Vec::new(), modules: BTreeMap::new() };
        let mut open = vec![(ModulePath::new(), vec![root.to_owned()])];
        while let Some((module, candidates)) = open.pop() {
            let Some((path, syntax)) = candidates.iter().find_map(|candidate| load(candidate)) else {
                continue;
            };
            let file_index = modules.files.len();
            modules.declare(&module, file_index, &syntax.items, &mut open);
            modules.files.push(SourceFile { path, module, syntax });
        }
        modules
    }

    fn declare(
        &mut self,
        path: &[String],
        file_index: usize,
        items: &[Item],
        open: &mut Vec<(ModulePath, Vec<String>)>,
    ) {
        let mut module = Module { file_index, names: Vec::new(), globs: Vec::new() };
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            match item {
                Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let child = [path, std::slice::from_ref(&name)].concat();
                    module.names.push((name, Name::Module));
                    match &item.content {
                        Some((_, items)) => self.declare(&child, file_index, items, open),
                        None => {
                            let stem = child.join("/");
                            open.push((child, vec![format!("{stem}.rs"), format!("{stem}/mod.rs")]));
                        }
                    }
                }
                Item::Use(item) if item.leading_colon.is_none() => {
                    for Imported { segments, name } in imported(&item.tree) {
                        match name {
                            Some(name) => module.names.push((name, Name::Import(segments))),
                            None => module.globs.push(segments),
                        }
                    }
                }
                item => module.names.extend(defined(item).into_iter().map(|name| (name, Name::Item))),
            }
        }
        self.modules.insert(path.to_vec(), module);
    }

    /// What `segments`, written in the module `at`, leads to; more than one where a name is in several namespaces.
    pub(super) fn resolve(&self, at: &[String], segments: &[String]) -> Vec<Target> {
        self.resolve_within(at, segments, IMPORTS_MAX)
    }

    fn resolve_within(&self, at: &[String], segments: &[String], imports_max: usize) -> Vec<Target> {
        let mut module = at;
        let mut segments = segments;
        while let [first, rest @ ..] = segments {
            module = match first.as_str() {
                "crate" => &[],
                "self" => module,
                "super" => &module[..module.len().saturating_sub(1)],
                _ => break,
            };
            segments = rest;
        }
        self.walk(module, segments, imports_max)
    }

    fn walk(&self, module: &[String], segments: &[String], imports_max: usize) -> Vec<Target> {
        let [name, rest @ ..] = segments else { return vec![Target::Module(module.to_vec())] };
        let mut targets = self.look_up(module, name, imports_max);
        let is_module = |target: &Target| matches!(target, Target::Module(_));
        if rest.is_empty() || !targets.iter().any(is_module) {
            // What follows an item's name are its variants and associated items.
            return targets;
        }
        targets.retain(is_module);
        let further = targets.into_iter().map(|target| match target {
            Target::Module(path) => self.walk(&path, rest, imports_max),
            item @ Target::Item { .. } => vec![item],
        });
        further.flatten().collect()
    }

    fn look_up(&self, path: &[String], name: &str, imports_max: usize) -> Vec<Target> {
        let Some(module) = self.modules.get(path).filter(|_| imports_max > 0) else { return Vec::new() };
        let mut targets = Vec::new();
        for (_, meaning) in module.names.iter().filter(|(known, _)| known == name) {
            match meaning {
                Name::Module => targets.push(Target::Module([path, &[name.to_owned()]].concat())),
                Name::Item => {
                    targets.push(Target::Item { file_index: module.file_index, name: name.to_owned() });
                }
                Name::Import(segments) => {
                    targets.extend(self.resolve_within(path, segments, imports_max - 1));
                }
            }
        }
        if targets.is_empty() {
            for glob in &module.globs {
                for target in self.resolve_within(path, glob, imports_max - 1) {
                    if let Target::Module(found) = target {
                        targets.extend(self.look_up(&found, name, imports_max - 1));
                    }
                }
            }
        }
        targets
    }
}

/// Every path that the tree of a `use` item imports.
pub(super) fn imported(tree: &UseTree) -> Vec<Imported> {
    let mut all = Vec::new();
    let mut open = vec![(Vec::new(), tree)];
    while let Some((prefix, tree)) = open.pop() {
        let below = |name: &syn::Ident| [prefix.as_slice(), &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => open.push((below(&path.ident), &path.tree)),
            UseTree::Group(group) => open.extend(group.items.iter().map(|tree| (prefix.clone(), tree))),
            UseTree::Glob(_) => all.push(Imported { segments: prefix, name: None }),
            // `a::{self}` imports `a`.
            UseTree::Name(name) if name.ident == "self" => {
                all.push(Imported { name: prefix.last().cloned(), segments: prefix });
            }
            UseTree::Name(name) => {
                all.push(Imported { segments: below(&name.ident), name: Some(name.ident.to_string()) });
            }
            UseTree::Rename(rename) if rename.ident == "self" => {
                all.push(Imported { segments: prefix, name: Some(rename.rename.to_string()) });
            }
            UseTree::Rename(rename) => {
                all.push(Imported { segments: below(&rename.ident), name: Some(rename.rename.to_string()) });
            }
        }
    }
    all
}

/// True for `pub` in all its forms.
pub(super) fn is_exported(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Inherited)
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
