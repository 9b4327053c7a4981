//! Which files of a crate use which others, as a graph.
//!
//! Owns: collecting the paths in a file's code, outside tests.
//! Does not own: resolving them (see `modules.rs`); methods, whose types the syntax doesn't show.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ImplItem, Item, ItemMod, ItemUse, Macro, PatIdent, Path};

use super::modules::{Imported, ModulePath, Modules, Target, imported, is_exported};
use crate::tidy::syntax::{attributes, impl_attributes, is_test, line_index, macro_arguments};

/// Edges by the indexes of the using file and the used one.
pub(super) type Edges = BTreeMap<(usize, usize), Edge>;

#[derive(Debug, Default)]
pub(super) struct Edge {
    /// The first line that uses the other file, counted from 0.
    pub(super) line_index: usize,
    pub(super) names: BTreeSet<String>,
}

pub(super) fn edges(modules: &Modules) -> Edges {
    let mut edges = Edges::new();
    for (file_index, file) in modules.files.iter().enumerate() {
        let mut bound = Bound::default();
        bound.visit_file(&file.syntax);
        let module = file.module.clone();
        let mut uses = Uses { modules, file_index, module, bound: bound.0, edges: &mut edges };
        uses.visit_file(&file.syntax);
    }
    edges
}

/// The names of local variables; a call of one isn't a call of an imported function.
#[derive(Default)]
struct Bound(BTreeSet<String>);

impl Visit<'_> for Bound {
    fn visit_pat_ident(&mut self, pattern: &PatIdent) {
        self.0.insert(pattern.ident.to_string());
    }
}

struct Uses<'a> {
    modules: &'a Modules,
    file_index: usize,
    module: ModulePath,
    bound: BTreeSet<String>,
    edges: &'a mut Edges,
}

impl Uses<'_> {
    fn record(&mut self, segments: &[String], span: Span) {
        for target in self.modules.resolve(&self.module, segments) {
            let Target::Item { file_index, name } = target else { continue };
            if file_index != self.file_index {
                let line_index = line_index(span);
                let edge = Edge { line_index, names: BTreeSet::new() };
                self.edges.entry((self.file_index, file_index)).or_insert(edge).names.insert(name);
            }
        }
    }

    /// A re-export of a module's own descendants makes the module no user of them.
    fn re_exports_descendant(&self, segments: &[String]) -> bool {
        self.modules.resolve(&self.module, segments).iter().all(|target| match target {
            Target::Module(_) => true,
            Target::Item { file_index, .. } => {
                self.modules.files[*file_index].module.starts_with(&self.module)
            }
        })
    }
}

impl Visit<'_> for Uses<'_> {
    fn visit_item(&mut self, item: &Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &ImplItem) {
        if !is_test(impl_attributes(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        if item.leading_colon.is_some() {
            return;
        }
        for Imported { segments, name } in imported(&item.tree) {
            let re_exports = is_exported(&item.vis) && self.re_exports_descendant(&segments);
            if name.is_some() && !re_exports {
                self.record(&segments, item.use_token.span);
            }
        }
    }

    fn visit_path(&mut self, path: &Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let is_type = |name: &String| name.starts_with(char::is_uppercase);
        if let (None, Some(first)) = (&path.leading_colon, path.segments.first())
            && (segments.len() > 1 || is_type(&segments[0]))
        {
            self.record(&segments, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &ExprCall) {
        if let Expr::Path(callee) = call.func.as_ref()
            && let Some(name) = callee.path.get_ident()
            && !self.bound.contains(&name.to_string())
        {
            self.record(&[name.to_string()], name.span());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, mac: &Macro) {
        visit::visit_macro(self, mac);
        for argument in macro_arguments(mac) {
            self.visit_expr(&argument);
        }
    }
}
