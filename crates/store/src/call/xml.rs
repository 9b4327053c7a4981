//! The XML of S3: small documents of elements with text, without attributes that matter.
//!
//! Owns: a tree of elements, bounds of its depth; escaping.
//! Does not own: the grammar (`quick_xml`), the meaning of elements.

use quick_xml::escape::{escape, resolve_xml_entity};
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};

use crate::Error;

/// Deeper documents are no answers of a store.
const DEPTH_MAX: usize = 16;

/// An element, its text, and the elements in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Without its namespace.
    pub(crate) name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// The root of a document. Types of documents aren't read, so that no entity is expanded but those of XML itself.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = Error::Answer { reason: "malformed XML" };
        let Ok(text) = std::str::from_utf8(bytes) else { return Err(malformed) };
        Self::read(&mut Reader::from_str(text)).ok_or(malformed)
    }

    fn read(reader: &mut Reader<&[u8]>) -> Option<Self> {
        // The root's parent, and below it the elements that are open.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() <= DEPTH_MAX => {
                    let name = std::str::from_utf8(start.local_name().into_inner().as_ref()).ok()?.to_owned();
                    open.push(Self { name, ..Self::default() });
                }
                Event::Empty(start) => {
                    let name = std::str::from_utf8(start.local_name().into_inner().as_ref()).ok()?.to_owned();
                    open.last_mut()?.children.push(Self { name, ..Self::default() });
                }
                Event::End(_) => {
                    let ended = open.pop()?;
                    open.last_mut()?.children.push(ended);
                }
                Event::Text(text) => {
                    open.last_mut()?.text.push_str(&text.xml_content(XmlVersion::Implicit1_0))
                }
                Event::CData(text) => {
                    open.last_mut()?.text.push_str(&text.xml_content(XmlVersion::Implicit1_0))
                }
                Event::GeneralRef(entity) => match entity.resolve_char_ref().ok()? {
                    Some(character) => open.last_mut()?.text.push(character),
                    None => open
                        .last_mut()?
                        .text
                        .push_str(resolve_xml_entity(&entity.xml_content(XmlVersion::Implicit1_0))?),
                },
                Event::Start(_) | Event::DocType(_) => return None,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let mut top = open.pop().filter(|_| open.is_empty())?;
        if top.children.len() == 1 { top.children.pop() } else { None }
    }

    /// The text of the first element `name` in this one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .find(|child| child.name == name)
            .map(|child| child.text.trim_matches(['\n', '\r', '\t']))
    }

    /// As [`Element::text`], where the answer is useless without.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Error> {
        self.text(name).ok_or(Error::Answer { reason: "an element is missing" })
    }

    /// The number in the first element `name`.
    pub(crate) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<N, Error> {
        self.need(name)?.trim().parse().map_err(|_| Error::Answer { reason: "a number is malformed" })
    }

    /// Whether the first element `name` says `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.trim() == "true")
    }

    /// The elements `name` in this one.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// `<name>text</name>`, appended to `out`.
pub(crate) fn write_element(out: &mut String, name: &str, text: &str) {
    out.push_str(&format!("<{name}>{}</{name}>", escape(text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_trees() {
        let text =
            b"<?xml version=\"1.0\"?>\n<A xmlns=\"http://x/\"><!-- c --><B>a&amp;b&#x41;&lt;</B><C/>\n\
                     <B><![CDATA[<d>]]></B></A>";
        let root = Element::parse(text).unwrap();
        assert_eq!((root.name.as_str(), root.text("B"), root.text("C")), ("A", Some("a&bA<"), Some("")));
        assert_eq!(root.all("B").nth(1).map(|child| child.text.as_str()), Some("<d>"));
        assert_eq!(root.text("D"), None);
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(1000), "</a>".repeat(1000));
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            &deep,
            "<a>&x;</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Element::parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn written_text_is_escaped() {
        let mut out = String::new();
        write_element(&mut out, "E", "\"<&>\"");
        assert_eq!(Element::parse(format!("<x>{out}</x>").as_bytes()).unwrap().text("E"), Some("\"<&>\""));
    }
}
