//! The scraper: fetch a page politely, find its links, pick fields out of it.
//!
//! The modules below know nothing of queues. In reading order, which is a page's way:
//!
//! - [`url`]: which page is meant, and whether it belongs to the crawl
//! - [`robots`]: what a site's robots.txt permits; [`robots_cache`]: asking for it once
//! - [`polite`]: whose turn it is with a host, and when
//! - [`fetch`]: over the network, within limits, to text
//! - [`extract`]: from text to title, links and fields
//! - [`record`]: what is kept of a page
//!
//! Absent by design: a list of pages still to visit. That is the queue's work.

pub mod extract;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod polite;
pub mod record;
pub mod robots;
pub mod robots_cache;
pub mod url;
