//! Character references (`&amp;`, `&#228;`), which the streaming reader leaves as they are written.
//!
//! Decoding is html5ever's, by handing it the one attribute or text as if it were a page: the table
//! of two thousand names and the odd rules for a missing semicolon, different in attributes and in
//! text, are not worth a second implementation.

use std::borrow::Cow;
use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{RawKind, State};
use html5ever::tokenizer::{
    BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// The value of an attribute as it is meant.
pub(super) fn in_attribute(raw: &str) -> Cow<'_, str> {
    if !raw.contains('&') {
        return Cow::Borrowed(raw);
    }
    let tag = format!("<a x=\"{}\">", raw.replace('"', "&quot;"));
    Cow::Owned(run(&tag, TokenizerOpts::default()))
}

/// The text of a `<title>` as it is meant.
pub(super) fn in_text(raw: &str) -> Cow<'_, str> {
    if !raw.contains('&') {
        return Cow::Borrowed(raw);
    }
    let opts = TokenizerOpts {
        initial_state: Some(State::RawData(RawKind::Rcdata)),
        last_start_tag_name: Some("title".to_owned()),
        ..TokenizerOpts::default()
    };
    Cow::Owned(run(raw, opts))
}

fn run(html: &str, opts: TokenizerOpts) -> String {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    let tokenizer = Tokenizer::new(Text::default(), opts);
    let _ = tokenizer.feed(&input); // nothing in here can ask to run a script
    tokenizer.end();
    tokenizer.sink.0.take()
}

/// Collects the first attribute's value, or the text.
#[derive(Default)]
struct Text(RefCell<String>);

impl TokenSink for Text {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut out = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => out.push_str(&text),
            Token::NullCharacterToken => out.push('\u{fffd}'),
            Token::TagToken(tag) => {
                if let Some(attribute) = tag.attrs.first() {
                    out.push_str(&attribute.value);
                }
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_decoded_by_the_rules_of_their_place() {
        let cases = [
            // written, meant in an attribute, meant in text
            ("plain", "plain", "plain"),
            ("a&amp;b", "a&b", "a&b"),
            ("?a=1&copy=2", "?a=1&copy=2", "?a=1©=2"),
            ("?a=1&copy;=2", "?a=1©=2", "?a=1©=2"),
            ("&#228;&#xe4;&auml;", "äää", "äää"),
            ("&#0;&#xD800;&#x110000;", "\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}"),
            ("a & b &nosuch; &", "a & b &nosuch; &", "a & b &nosuch; &"),
            ("&quot;\"'<b>", "\"\"'<b>", "\"\"'<b>"),
        ];
        for (raw, attribute, text) in cases {
            assert_eq!(in_attribute(raw), attribute, "{raw}");
            assert_eq!(in_text(raw), text, "{raw}");
        }
    }
}
