//! What must hold for whatever a stranger's site says: the checks that fuzzing and the property tests share. Those of single
//! answers are in `fetch/fuzz.rs`.

#[cfg(test)]
mod tests;

use super::extract::{Directives, ExtractOptions, Field, extract};
pub use super::fetch::fuzz::{body, come_back, page_bytes};
use super::robots::{CRAWL_DELAY_MAX, Robots, product_token};
use super::url::{PageUrl, Scope, redact};

/// Takes bytes as a robots.txt; the last line is a path to ask for.
///
/// # Panics
/// Where a promise of the reader is broken.
pub fn robots(bytes: &[u8]) {
    let path = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let robots = Robots::parse(bytes, "handover/1 (x)");
    let _ = robots.allows(&String::from_utf8_lossy(path));
    assert!(robots.allows("/robots.txt"));
    assert!(robots.crawl_delay().is_none_or(|delay| delay <= CRAWL_DELAY_MAX));
    let said = String::from_utf8_lossy(bytes);
    assert!(said.contains(product_token(&said)));
    let _ = Directives::of_headers(said.lines(), "handover");
}

/// Takes bytes as a page, and reads its title, links and fields.
///
/// # Panics
/// Where a promise of the reader is broken.
pub fn page(bytes: &[u8]) {
    let html = String::from_utf8_lossy(bytes);
    let url = PageUrl::parse("http://example.org/a/b?c").expect("an address");
    let options = ExtractOptions {
        fields: Field::parse_all(&["p=p", "all[]=b", "h=a@href"]).expect("three fields"),
        links_max: 100,
        field_bytes_max: 1000,
        ..ExtractOptions::default()
    };
    let found = extract(&html, &url, &options);
    assert!(found.links.len() <= found.links_found && found.links.len() <= options.links_max);
    assert!(
        found.title.is_none_or(|title| title.trim().len() == title.len() && title.len() <= 4096)
    );
    for link in &found.links {
        assert_eq!(PageUrl::parse(link.as_str()).as_ref(), Ok(link));
    }
}

/// Takes bytes as a field of `--field`.
///
/// # Panics
/// Where a promise of the reader is broken.
pub fn field(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Field>() {
        Ok(field) => assert!(field.to_string() == text && !field.name().is_empty()),
        Err(error) => {
            assert!(error.at() <= text.len(), "{error}");
            assert!(error.to_string().len() < 3000);
        }
    }
}

/// Takes bytes as an address, and as a link on a page whose address the first line is.
///
/// # Panics
/// Where a promise of the reader is broken.
pub fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (base, link) = text.split_once('\n').unwrap_or(("", &text));
    let base = PageUrl::parse(&format!("http://example.org/{base}")).ok();
    let joined = base.and_then(|base| base.join(link).ok());
    for page in [PageUrl::parse(&text).ok(), joined].into_iter().flatten() {
        assert_eq!(PageUrl::parse(page.as_str()).as_ref(), Ok(&page), "normalised again to itself");
        assert!(page.path_and_query().starts_with('/'));
        assert!(!page.as_str().contains('#') && !page.host().is_empty());
        assert!(page.as_str().parse::<hyper::Uri>().is_ok(), "can be requested: {page}");
        assert!(Scope::same_host(&page).contains(&page));
        let _ = page.origin().robots_url();
    }
    assert!(redact(&text).len() <= 210);
    let _ = Scope::anywhere().allow(&text);
}
