//! Values that a function takes together have a named type: no parameter is a tuple.
//!
//! Owns: finding tuples among the parameters of functions in sources.
//! Does not own: closures, and methods whose trait demands the type.

use syn::visit::{self, Visit};
use syn::{FnArg, ImplItem, Item, ItemImpl, Signature, Type};

use super::finding::Finding;
use super::syntax::{attributes, impl_attributes, is_test, line_index, parse};

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if !path.contains("/src/") {
        return Vec::new();
    }
    let syntax = match parse(path, text) {
        Ok(syntax) => syntax,
        Err(finding) => return vec![finding],
    };
    let mut tuples = Tuples { path, findings: Vec::new() };
    tuples.visit_file(&syntax);
    tuples.findings
}

struct Tuples<'a> {
    path: &'a str,
    findings: Vec<Finding>,
}

impl Visit<'_> for Tuples<'_> {
    fn visit_item(&mut self, item: &Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &ItemImpl) {
        for item_of in item.items.iter().filter(|item| !is_test(impl_attributes(item))) {
            match item_of {
                // Its signature is the trait's.
                ImplItem::Fn(method) if item.trait_.is_some() => self.visit_block(&method.block),
                other => self.visit_impl_item(other),
            }
        }
    }

    fn visit_signature(&mut self, signature: &Signature) {
        for parameter in &signature.inputs {
            if let FnArg::Typed(parameter) = parameter
                && is_tuple(&parameter.ty)
            {
                let message = format!("the function {} takes a tuple; give it a name", signature.ident);
                let index = line_index(signature.ident.span());
                self.findings.push(Finding::at(self.path, index, message));
            }
        }
    }
}

fn is_tuple(ty: &Type) -> bool {
    match ty {
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Reference(reference) => is_tuple(&reference.elem),
        Type::Paren(inner) => is_tuple(&inner.elem),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_lines(text: &str, want: &[usize]) {
        let lines: Vec<usize> = check("crates/a/src/b.rs", text).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, want, "{text}");
    }

    #[test]
    fn tuples_are_found_in_functions_and_methods() {
        check_lines("fn f(a: u8) {}\nfn g((a, b): (u8, u8)) {}\n", &[2]);
        check_lines("impl S {\n    fn f(&self, pair: &(u8, u8)) {}\n}\n", &[2]);
        check_lines("trait T {\n    fn f(pair: &mut (u8, u8));\n}\n", &[2]);
        check_lines("impl T for S {\n    fn f() {\n        fn g(pair: (u8, u8)) {}\n    }\n}\n", &[3]);
    }

    #[test]
    fn closures_impls_of_traits_and_tests_are_free() {
        check_lines("fn f(pairs: &[(u8, u8)], unit: ()) { pairs.iter().map(|(a, b)| a + b); }\n", &[]);
        check_lines("impl T for S { fn f(pair: (u8, u8)) {} }\n", &[]);
        check_lines("#[cfg(test)]\nmod tests { fn f(pair: (u8, u8)) {} }\n", &[]);
        assert_eq!(check("crates/a/tests/b.rs", "fn f(pair: (u8, u8)) {}"), []);
    }
}
