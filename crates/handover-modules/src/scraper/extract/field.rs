//! Fields: a name and a CSS selector, written `name=css`, `name=css@attribute` or `name[]=css`.

use std::fmt;
use std::str::FromStr;

use scraper::node::Node;
use scraper::{ElementRef, Html, Selector};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Collapsed, ExtractOptions, Extracted};

/// Longest field as written, in bytes.
const SPEC_BYTES_MAX: usize = 1024;

/// Most fields of one crawl.
const FIELDS_MAX: usize = 64;

/// Most values of a `name[]` field on one page.
const VALUES_MAX: usize = 1000;

/// A field to pick out of every page.
///
/// | written | gives |
/// |---|---|
/// | `title=h1` | text of the first `h1`, white space collapsed |
/// | `price=.price@data-value` | that attribute of the first match, as written |
/// | `tags[]=.tag` | texts of all matches, as an array |
///
/// Text of scripts and styles inside the match is left out, unless the match is one itself.
///
/// ```
/// use handover_modules::scraper::extract::Field;
///
/// let field: Field = "price=.price@data-value".parse()?;
/// assert_eq!(field.name(), "price");
/// let error = "price=.price[".parse::<Field>().unwrap_err();
/// assert!(error.to_string().contains("at byte 12"));
/// # Ok::<(), handover_modules::scraper::extract::FieldError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Field {
    spec: String,
    name: String,
    list: bool,
    selector: Selector,
    attribute: Option<String>,
}

impl Field {
    /// Reads fields as they stand on a command line.
    ///
    /// # Errors
    ///
    /// [`FieldError`] for the first one that is wrong, a name given twice, or more than 64 fields.
    pub fn parse_all<S: AsRef<str>>(specs: &[S]) -> Result<Vec<Self>, FieldError> {
        let mut fields: Vec<Self> = Vec::new();
        for spec in specs.iter().map(AsRef::as_ref) {
            let field: Self = spec.parse()?;
            if fields.iter().any(|other| other.name == field.name) {
                return Err(FieldError::new(spec, 0, "this name is given twice"));
            }
            if fields.len() >= FIELDS_MAX {
                return Err(FieldError::new(spec, 0, "more than 64 fields"));
            }
            fields.push(field);
        }
        Ok(fields)
    }

    /// The name the value gets.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether all matches are wanted and not only the first.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.list
    }

    /// The attribute whose value is wanted instead of the text.
    #[must_use]
    pub fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }
}

impl FromStr for Field {
    type Err = FieldError;

    fn from_str(spec: &str) -> Result<Self, FieldError> {
        if spec.len() > SPEC_BYTES_MAX {
            return Err(FieldError::new(spec, SPEC_BYTES_MAX, "longer than 1024 bytes"));
        }
        let Some((left, right)) = spec.split_once('=') else {
            return Err(FieldError::new(spec, spec.len(), "expected name=selector"));
        };
        let (name, list) = match left.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (left, false),
        };
        if name.is_empty() {
            return Err(FieldError::new(spec, 0, "the name before `=` is missing"));
        }
        let bad = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-' || c == '.');
        if let Some(at) = name.find(bad) {
            return Err(FieldError::new(spec, at, "a name has letters, digits, `_`, `-` and `.`"));
        }
        let (css, attribute) = split_attribute(right);
        let start = left.len() + 1;
        if css.trim().is_empty() {
            return Err(FieldError::new(spec, start, "the selector after `=` is missing"));
        }
        let selector = Selector::parse(css).map_err(|_| {
            FieldError::new(spec, start + selector_error_at(css), "not a CSS selector from here on")
        })?;
        Ok(Self {
            spec: spec.to_owned(),
            name: name.to_owned(),
            list,
            selector,
            attribute: attribute.map(str::to_owned),
        })
    }
}

/// Splits at the last `@` that a name of an attribute follows. CSS itself has an `@` only within
/// brackets and quotes, and what ends with either is no name.
fn split_attribute(text: &str) -> (&str, Option<&str>) {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
    match text.rsplit_once('@') {
        Some((css, attribute)) if !attribute.is_empty() && attribute.chars().all(name) => {
            (css, Some(attribute))
        }
        _ => (text, None),
    }
}

/// The selector parser says what is wrong in words of its own making and not where. The longest
/// beginning that is a selector ends where a reader would look.
fn selector_error_at(css: &str) -> usize {
    let ends = css.char_indices().map(|(at, _)| at).rev();
    ends.into_iter().find(|end| Selector::parse(css[..*end].trim_end()).is_ok()).unwrap_or(0)
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.spec)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spec)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Field {}

impl TryFrom<String> for Field {
    type Error = FieldError;
    fn try_from(spec: String) -> Result<Self, FieldError> {
        spec.parse()
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.spec
    }
}

/// What is wrong with a field as written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    spec: String,
    at: usize,
    what: &'static str,
}

impl FieldError {
    fn new(spec: &str, at: usize, what: &'static str) -> Self {
        let shown = &spec[..spec.floor_char_boundary(SPEC_BYTES_MAX)];
        Self { spec: shown.to_owned(), at, what }
    }

    /// Where in the text, in bytes from its start.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.spec.get(self.at..).unwrap_or_default();
        write!(f, "field `{}`: at byte {}", self.spec, self.at)?;
        if !rest.is_empty() && self.at > 0 {
            write!(f, ", `{}`", rest.chars().take(20).collect::<String>())?;
        }
        write!(f, ": {}; write name=css, name=css@attribute or name[]=css", self.what)
    }
}

impl std::error::Error for FieldError {}

/// Builds the page's tree and picks the fields out of it.
pub(super) fn pick(html: &str, options: &ExtractOptions, found: &mut Extracted) {
    let tree = Html::parse_document(html);
    for field in &options.fields {
        let mut left = options.field_bytes_max;
        let mut values = Vec::new();
        let mut cut = false;
        for element in tree.select(&field.selector) {
            let Some((value, full)) = value_of(element, field.attribute(), left) else { continue };
            left -= value.len();
            cut |= full;
            values.push(Value::String(value));
            if !field.list || full {
                break;
            }
            if values.len() >= VALUES_MAX {
                cut = true;
                break;
            }
        }
        if cut {
            found.cut.push(field.name.clone());
        }
        let value = match field.list {
            true => Value::Array(values),
            false => values.pop().unwrap_or(Value::Null),
        };
        found.fields.insert(field.name.clone(), value);
    }
}

/// The text or attribute, at most `max` bytes of it, and whether that cut something off; `None` if
/// there is no such attribute.
fn value_of(
    element: ElementRef<'_>,
    attribute: Option<&str>,
    max: usize,
) -> Option<(String, bool)> {
    if let Some(name) = attribute {
        let value = element.attr(name)?;
        let end = value.floor_char_boundary(max);
        return Some((value[..end].to_owned(), end < value.len()));
    }
    let mut text = Collapsed::new(max);
    let mut hidden = 0_usize; // how many scripts and the like we are inside of
    for edge in element.traverse().skip(1) {
        let (node, opens) = match edge {
            ego_tree::iter::Edge::Open(node) => (node, true),
            ego_tree::iter::Edge::Close(node) => (node, false),
        };
        match node.value() {
            Node::Text(piece) if opens && hidden == 0 => text.push(piece),
            Node::Element(e) => {
                let name = e.name();
                if matches!(name, "script" | "style" | "template") && node.id() != element.id() {
                    hidden = if opens { hidden + 1 } else { hidden - 1 };
                }
                if !is_inline(name) {
                    text.push(" "); // words of different blocks, cells or lines stay apart
                }
            }
            _ => {}
        }
        if text.full {
            break;
        }
    }
    Some((text.out, text.full))
}

fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "b"
            | "bdi"
            | "bdo"
            | "big"
            | "cite"
            | "code"
            | "data"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "ins"
            | "kbd"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "var"
            | "wbr"
    )
}

#[cfg(test)]
mod tests;
