//! Parsed Rust source, and the parts of it that only tests compile.
//!
//! Owns: parsing, attributes of items, line numbers of spans.
//! Does not own: the checks on the tree; contents of macros, except arguments that are expressions.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, File, ImplItem, Item, Macro, Meta, Token};

use super::finding::Finding;

pub(super) fn parse(path: &str, text: &str) -> Result<File, Finding> {
    syn::parse_file(text)
        .map_err(|e| Finding::at(path, line_index(e.span()), format!("cannot be parsed: {e}")))
}

/// Counted from 0.
pub(super) fn line_index(span: Span) -> usize {
    span.start().line.saturating_sub(1)
}

/// True for attributes that leave the item out of every build but a test's.
pub(super) fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => list.path.is_ident("cfg") && requires_test(list.tokens.clone()),
        Meta::NameValue(_) => false,
    })
}

fn requires_test(tokens: TokenStream) -> bool {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "test" => return true,
            // `any(test, …)` also compiles elsewhere.
            TokenTree::Ident(word) if word == "not" || word == "any" => {
                tokens.next();
            }
            TokenTree::Group(group) if requires_test(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

pub(super) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

pub(super) fn impl_attributes(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}

/// The arguments of macros such as `assert!` and `vec!`; none where the tokens are something else than expressions.
pub(super) fn macro_arguments(mac: &Macro) -> Vec<Expr> {
    let arguments = mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
    arguments.map_or_else(|_| Vec::new(), |arguments| arguments.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_is_test(item: &str, want: bool) {
        let item: Item = syn::parse_str(item).expect("an item");
        assert_eq!(is_test(attributes(&item)), want);
    }

    #[test]
    fn items_for_tests_are_recognised() {
        check_is_test("#[cfg(test)] mod tests {}", true);
        check_is_test("#[test] fn f() {}", true);
        check_is_test("#[cfg(all(test, unix))] use a::B;", true);
        check_is_test("#[cfg(not(test))] use a::B;", false);
        check_is_test("#[cfg(any(test, loom))] struct S;", false);
        check_is_test("#[cfg(feature = \"test\")] fn f() {}", false);
    }

    #[test]
    fn a_text_that_is_no_rust_is_a_finding() {
        assert!(parse("a.rs", "fn f() {}\n").is_ok());
        let finding = parse("a.rs", "fn f() {}\nfn {\n").err().expect("no Rust");
        assert_eq!((finding.path.as_str(), finding.line), ("a.rs", 2));
    }
}
