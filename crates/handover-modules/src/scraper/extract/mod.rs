//! What a page says: title, links, whether robots may keep and follow it, and the fields asked for.
//!
//! Two readers share the work. `facts` streams through the page once, in memory that does not grow
//! with it. Only when fields are asked for, [`field`] builds the page's tree, which CSS
//! selectors need and which costs about ten bytes of memory for each byte of page.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::url::{PageUrl, UrlErrorKind};

mod entities;
mod facts;
pub mod field;

use facts::Facts;
pub use field::{Field, FieldError};

/// Deepest nesting of elements that a tree is built for, as in the large browsers. Building a
/// deeper one takes time that grows with the square of its depth.
const DEPTH_MAX: usize = 512;

/// What to look for in a page, and how much of it to take.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ExtractOptions {
    /// Fields to pick out.
    pub fields: Vec<Field>,
    /// Whether `nofollow` is obeyed, of the page and of single links. Default: yes.
    pub obey_nofollow: bool,
    /// Most different links taken from one page; default 10 000.
    pub links_max: usize,
    /// Most bytes kept of one field, over all its matches; default 64 KiB.
    pub field_bytes_max: usize,
    /// The name that directives may address besides `robots`: a User-Agent or its product token.
    pub agent: String,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            obey_nofollow: true,
            links_max: 10_000,
            field_bytes_max: 64 * 1024,
            agent: super::fetch::user_agent(None),
        }
    }
}

/// What a page said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Extracted {
    /// Text of the first `<title>`, white space collapsed, at most 4 KiB.
    pub title: Option<String>,
    /// Pages this one links to, each once, in order of first appearance; not held to any scope.
    /// Empty if the page asks not to be followed and `obey_nofollow` is set.
    pub links: Vec<PageUrl>,
    /// How many links the page has, counting repetitions, parts of the page itself, and addresses
    /// that cannot be crawled.
    pub links_found: usize,
    /// How many links were left out because they are too long to follow.
    pub links_too_long: usize,
    /// What the page permits robots to do with it.
    pub directives: Directives,
    /// The fields by name: a string, `null` where nothing matched, an array for `name[]`.
    pub fields: BTreeMap<String, Value>,
    /// What a limit cut: `title`, `links`, or the names of fields. `fields` stands for all of them,
    /// when the page is nested too deeply for selectors.
    pub cut: Vec<String>,
}

/// What robots are asked not to do with a page, by `<meta name=robots>` or an X-Robots-Tag header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// Do not keep or show the page.
    pub noindex: bool,
    /// Do not follow its links.
    pub nofollow: bool,
}

impl Directives {
    /// Reads X-Robots-Tag headers, one text each. A part that begins with the name of another
    /// robot is for that one and what follows it in the header too.
    ///
    /// ```
    /// use handover_modules::scraper::extract::Directives;
    ///
    /// let d = Directives::of_headers(["noindex", "otherbot: nofollow"], "handover/0.1");
    /// assert!(d.noindex && !d.nofollow);
    /// ```
    #[must_use]
    pub fn of_headers<'a>(headers: impl IntoIterator<Item = &'a str>, agent: &str) -> Self {
        let agent = super::robots::product_token(agent);
        let mut directives = Self::default();
        for header in headers {
            let mut ours = true;
            for part in header.split(',') {
                let directive = match part.split_once(':') {
                    // These have a value of their own, so what stands before `:` is no robot.
                    Some((name, _)) if has_value(name.trim()) => continue,
                    Some((name, rest)) => {
                        ours = name.trim().eq_ignore_ascii_case(agent);
                        rest
                    }
                    None => part,
                };
                if ours {
                    directives.read(directive);
                }
            }
        }
        directives
    }

    /// The stricter of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { noindex: self.noindex || other.noindex, nofollow: self.nofollow || other.nofollow }
    }

    /// Takes in a list of directives; those we do not know say nothing to us.
    fn read(&mut self, list: &str) {
        for directive in list.split(',').map(str::trim) {
            let is = |name: &str| directive.eq_ignore_ascii_case(name);
            self.noindex |= is("noindex") || is("none");
            self.nofollow |= is("nofollow") || is("none");
        }
    }
}

fn has_value(name: &str) -> bool {
    ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// Reads a page. `url` is where it was found in the end, which links are relative to unless the
/// page itself names another base.
///
/// Never fails: any text is a page. Takes time in proportion to the page; call it from a task that
/// may be busy for some milliseconds.
///
/// ```
/// use handover_modules::scraper::extract::{ExtractOptions, extract};
/// use handover_modules::scraper::url::PageUrl;
///
/// let mut options = ExtractOptions::default();
/// options.fields.push("price=.price@data-value".parse()?);
/// let page = r#"<title>Tea &amp; more</title><b class=price data-value=3>3 €</b><a href=x>x</a>"#;
/// let found = extract(page, &PageUrl::parse("https://example.org/shop/")?, &options);
/// assert_eq!(found.title.as_deref(), Some("Tea & more"));
/// assert_eq!(found.fields["price"], "3");
/// assert_eq!(found.links[0].as_str(), "https://example.org/shop/x");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn extract(html: &str, url: &PageUrl, options: &ExtractOptions) -> Extracted {
    let facts = Facts::read(html, options);
    let mut found = Extracted { directives: facts.directives, ..Extracted::default() };
    found.links_found = facts.links_found;
    take_title(&facts, &mut found);
    if !(options.obey_nofollow && facts.directives.nofollow) {
        take_links(&facts, url, options.links_max, &mut found);
    }
    if !options.fields.is_empty() {
        if facts.depth_max > DEPTH_MAX {
            found.cut.push("fields".into());
        } else {
            field::pick(html, options, &mut found);
        }
    }
    found
}

fn take_title(facts: &Facts, found: &mut Extracted) {
    const TITLE_BYTES_MAX: usize = 4096;
    let Some(raw) = &facts.title else { return };
    let mut text = Collapsed::new(TITLE_BYTES_MAX);
    text.push(&entities::in_text(raw));
    if text.full {
        found.cut.push("title".into());
    }
    found.title = Some(text.out);
}

fn take_links(facts: &Facts, url: &PageUrl, links_max: usize, found: &mut Extracted) {
    let base = facts.base.as_deref().and_then(|href| url.join(href).ok());
    let base = base.as_ref().unwrap_or(url);
    let mut seen: HashSet<PageUrl> = HashSet::with_capacity(facts.links.len());
    for href in &facts.links {
        let link = match base.join(href) {
            Ok(link) => link,
            Err(e) => {
                let too_long = matches!(e.kind(), UrlErrorKind::TooLong { .. });
                found.links_too_long += usize::from(too_long);
                continue;
            }
        };
        if seen.contains(&link) {
            continue;
        }
        if found.links.len() >= links_max {
            found.cut.push("links".into());
            break;
        }
        found.links.push(link.clone());
        seen.insert(link);
    }
}

/// Text with each run of white space as one space and none at the ends, up to a limit in bytes.
struct Collapsed {
    out: String,
    max: usize,
    gap: bool,
    full: bool,
}

impl Collapsed {
    fn new(max: usize) -> Self {
        Self { out: String::new(), max, gap: false, full: false }
    }

    /// Adds a piece; pieces join without a gap unless one of them has white space there.
    fn push(&mut self, piece: &str) {
        for c in piece.chars() {
            if c.is_whitespace() {
                self.gap = true;
                continue;
            }
            let gap = self.gap && !self.out.is_empty();
            if self.full || self.out.len() + usize::from(gap) + c.len_utf8() > self.max {
                self.full = true;
                return;
            }
            if gap {
                self.out.push(' ');
            }
            self.gap = false;
            self.out.push(c);
        }
    }
}

#[cfg(test)]
mod tests;
