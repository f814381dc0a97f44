//! What is kept of a page: one row of the results. When it was fetched is the result store's to
//! add; this module knows no clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::url::PageUrl;

/// One fetched page, as it is written to a JSON Lines file.
///
/// Its JSON form is part of what users rely on: fields may be added, never renamed or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRecord {
    /// The address that was asked for, normalised.
    pub url: PageUrl,
    /// Where redirects led; equal to `url` when there were none.
    pub final_url: PageUrl,
    /// HTTP status of the last answer.
    pub status: u16,
    /// Text of `<title>`, white space collapsed.
    pub title: Option<String>,
    /// What the selectors found, by name: a string, `null` where nothing matched, or an array for
    /// a field that was asked for as `name[]`.
    pub fields: BTreeMap<String, Value>,
    /// Links followed from the start to get here; the start has 0.
    pub depth: u32,
    /// Different pages this one links to, inside the crawl's scope or not.
    pub links: usize,
    /// Size of the body in bytes, after decompression and before decoding; 0 for a body that was
    /// not read.
    pub bytes: usize,
    /// Media type as the server named it, without parameters and in lower case.
    pub content_type: Option<String>,
    /// Encoding the text was read as, by its WHATWG name; `None` where no text was read.
    pub charset: Option<String>,
    /// What was cut by a limit, such as `links` or a field's name. Empty in nearly all rows, and
    /// then not written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_the_one_users_rely_on() {
        let url = PageUrl::parse("http://example.org/").unwrap();
        let mut record = PageRecord {
            url: url.clone(),
            final_url: url,
            status: 200,
            title: Some("Hello".into()),
            fields: BTreeMap::from([("price".to_owned(), Value::Null)]),
            depth: 1,
            links: 2,
            bytes: 3,
            content_type: Some("text/html".into()),
            charset: Some("UTF-8".into()),
            cut: Vec::new(),
        };
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(
            json,
            r#"{"url":"http://example.org/","final_url":"http://example.org/","status":200,"title":"Hello","fields":{"price":null},"depth":1,"links":2,"bytes":3,"content_type":"text/html","charset":"UTF-8"}"#
        );
        assert_eq!(serde_json::from_str::<PageRecord>(&json).unwrap(), record);
        record.cut.push("links".into());
        assert!(serde_json::to_string(&record).unwrap().ends_with(r#""cut":["links"]}"#));
    }
}
