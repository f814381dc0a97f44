//! One pass over a page, as a stream: title, base, links, directives for robots. The page is not
//! turned into a tree, so this takes the same small memory for any page and time in proportion to
//! its size, whatever its author had in mind.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use lol_html::html_content::{Element, EndTag, TextChunk};
use lol_html::{HandlerResult, HtmlRewriter, Settings, element, end_tag, text};

use super::{Directives, ExtractOptions, entities};
use crate::scraper::robots::product_token;

/// Raw title text that is collected before it is tidied, in bytes.
const TITLE_RAW_MAX: usize = 16 * 1024;

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// As written, character references included.
    pub(super) title: Option<String>,
    /// `href` of the first `<base>` that has one.
    pub(super) base: Option<String>,
    /// Links in order, each written form once, without fragment; decoded but not resolved. Links
    /// that are not to be followed are not here.
    pub(super) links: Vec<String>,
    pub(super) links_found: usize,
    pub(super) directives: Directives,
    /// Deepest nesting; 0 if nobody asked for fields and it was not looked at.
    pub(super) depth_max: usize,
    seen: HashSet<String>,
    title_done: bool,
    /// Markup inside `<noscript>`, which is for readers like us.
    noscript: String,
}

impl Facts {
    pub(super) fn read(html: &str, options: &ExtractOptions) -> Self {
        let mut facts = Self::pass(Self::default(), html, options);
        if !facts.noscript.is_empty() {
            let noscript = std::mem::take(&mut facts.noscript);
            facts = Self::pass(facts, &noscript, options);
        }
        facts
    }

    fn pass(facts: Self, html: &str, options: &ExtractOptions) -> Self {
        let agent = product_token(&options.agent);
        let (facts, depth) = (RefCell::new(facts), Rc::new(Cell::new(0)));
        let mut settings = Settings::new()
            .with_strict(false)
            .append_element_content_handler(element!("a[href], area[href]", |e| {
                facts.borrow_mut().link(e, options.obey_nofollow);
                Ok(())
            }))
            .append_element_content_handler(element!("base[href]", |e| {
                facts.borrow_mut().base(e);
                Ok(())
            }))
            .append_element_content_handler(element!("meta[name]", |e| {
                facts.borrow_mut().meta(e, agent);
                Ok(())
            }))
            .append_element_content_handler(text!("title", |t| {
                facts.borrow_mut().title(t);
                Ok(())
            }))
            .append_element_content_handler(text!("noscript", |t| {
                facts.borrow_mut().noscript.push_str(t.as_str());
                Ok(())
            }));
        if !options.fields.is_empty() {
            settings = settings.append_element_content_handler(element!("*", |e| {
                facts.borrow_mut().nesting(e, &depth)
            }));
        }
        run(settings, html);
        facts.into_inner()
    }

    /// Keeps count of how many elements are open.
    fn nesting(&mut self, element: &mut Element<'_, '_>, depth: &Rc<Cell<usize>>) -> HandlerResult {
        if !nests(element) {
            return Ok(());
        }
        let outside = depth.get();
        depth.set(outside + 1);
        if outside >= self.depth_max {
            self.depth_max = outside + 1;
        }
        let depth = Rc::clone(depth);
        // Not `- 1`: an end tag also ends the elements inside that have none.
        element.on_end_tag(end_tag!(move |_: &mut EndTag<'_>| {
            depth.set(outside);
            Ok(())
        }))
    }

    fn link(&mut self, element: &Element<'_, '_>, obey_nofollow: bool) {
        self.links_found += 1;
        if obey_nofollow
            && element.get_attribute("rel").is_some_and(|rel| has_word(&rel, "nofollow"))
        {
            return;
        }
        let Some(raw) = element.get_attribute("href") else { return };
        let decoded = entities::in_attribute(&raw);
        // Most links of a reference page differ in the fragment only; resolving each would be
        // the larger part of the work.
        let href = decoded.split('#').next().unwrap_or_default().trim();
        if !self.seen.contains(href) {
            self.seen.insert(href.to_owned());
            self.links.push(href.to_owned());
        }
    }

    fn base(&mut self, element: &Element<'_, '_>) {
        if self.base.is_none() {
            let href = element.get_attribute("href").unwrap_or_default();
            self.base = Some(entities::in_attribute(&href).into_owned());
        }
    }

    fn meta(&mut self, element: &Element<'_, '_>, agent: &str) {
        let name = element.get_attribute("name").unwrap_or_default();
        let name = name.trim();
        if name.eq_ignore_ascii_case("robots") || name.eq_ignore_ascii_case(agent) {
            let content = element.get_attribute("content").unwrap_or_default();
            self.directives.read(&entities::in_attribute(&content));
        }
    }

    fn title(&mut self, chunk: &TextChunk<'_>) {
        if self.title_done {
            return; // only the first; pictures inside a page may have titles too
        }
        let title = self.title.get_or_insert_default();
        let room = TITLE_RAW_MAX.saturating_sub(title.len());
        let text = chunk.as_str();
        title.push_str(&text[..text.floor_char_boundary(room)]);
        self.title_done = chunk.last_in_text_node();
    }
}

fn run(settings: Settings<'_, '_>, html: &str) {
    let mut reader = HtmlRewriter::new(settings, |_: &[u8]| {});
    // No handler fails, parsing is not strict and memory is not limited, so neither call can fail;
    // if one did, what was found until then stands.
    if reader.write(html.as_bytes()).is_ok() {
        let _ = reader.end();
    }
}

fn has_word(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|w| w.eq_ignore_ascii_case(word))
}

/// Whether an element stays open until its end tag. Those whose end tag may be left out end by
/// themselves where the next one begins; without their end tags a long list is no deep nesting.
fn nests(element: &Element<'_, '_>) -> bool {
    const END_BY_THEMSELVES: [&str; 18] = [
        "html", "head", "body", "p", "li", "dd", "dt", "option", "optgroup", "tr", "td", "th",
        "thead", "tbody", "tfoot", "colgroup", "rt", "rp",
    ];
    element.can_have_content() && !END_BY_THEMSELVES.contains(&element.tag_name().as_str())
}
