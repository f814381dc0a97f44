//! What a site's robots.txt permits (RFC 9309), and what it means when there is none to be had.
//!
//! Parsing is the `robotxt` crate's; the limits and the meaning of a failed fetch are ours.
//! Fetching is [`fetch`](super::fetch)'s and keeping is [`robots_cache`](super::robots_cache)'s.

use std::time::Duration;

/// How much of a robots.txt is read, in bytes. RFC 9309 asks for at least this much; a rule cut by
/// the limit is not applied.
pub const ROBOTS_BYTES_MAX: usize = robotxt::BYTE_LIMIT;

/// Longest `Crawl-delay` that is obeyed. A site that asks for more gets this: otherwise one line
/// of a stranger's file could stop a crawl for good.
pub const CRAWL_DELAY_MAX: Duration = Duration::from_secs(60);

/// Most rules of one file that are kept for matching. Beyond it the file is taken as refusing
/// everything, the safe reading of something that no person wrote.
const RULES_MAX: usize = 10_000;

/// The rules of one robots.txt for one agent.
///
/// ```
/// use handover_modules::scraper::robots::Robots;
///
/// let file = b"User-agent: *\nDisallow: /private\nAllow: /private/open\nCrawl-delay: 2\n";
/// let robots = Robots::parse(file, "handover/0.1 (+https://example.org/bot)");
/// assert!(robots.allows("/public?page=2"));
/// assert!(!robots.allows("/private/x"));
/// assert!(robots.allows("/private/open/x"));
/// assert_eq!(robots.crawl_delay().map(|d| d.as_secs()), Some(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Robots(robotxt::Robots);

impl Robots {
    /// Reads a robots.txt for this agent; `agent` may be a whole User-Agent header or just its
    /// [`product_token`]. Never fails: what is not understood is ignored, as the RFC asks.
    #[must_use]
    pub fn parse(file: &[u8], agent: &str) -> Self {
        let rules = robotxt::Robots::parse(file, product_token(agent));
        if rules.rules().len() > RULES_MAX {
            return Self(robotxt::Robots::disallow_all());
        }
        Self(rules)
    }

    /// No rules: everything is permitted.
    #[must_use]
    pub fn allow_all() -> Self {
        Self(robotxt::Robots::allow_all())
    }

    /// Whether the agent may fetch this path and query, written as in a
    /// [`PageUrl`](super::url::PageUrl). The longest rule that matches decides, `Allow` where two
    /// are equally long. `/robots.txt` itself is always permitted.
    #[must_use]
    pub fn allows(&self, path_and_query: &str) -> bool {
        self.0.is_allowed(path_and_query)
    }

    /// Pause the site asks for between two requests, at most [`CRAWL_DELAY_MAX`].
    #[must_use]
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.0.crawl_delay().map(|delay| delay.min(CRAWL_DELAY_MAX))
    }
}

/// What asking for a robots.txt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RobotsAnswer {
    /// Obey these rules, which may permit everything.
    Rules(Robots),
    /// Nobody may say: fetch nothing from this site now, come back after `retry_after` where the
    /// server named a time, else at the caller's own pace.
    Later {
        /// What the server asked for.
        retry_after: Option<Duration>,
    },
}

impl RobotsAnswer {
    /// The meaning of an answered request, by status (RFC 9309, section 2.3.1). `file` is the body,
    /// of which [`ROBOTS_BYTES_MAX`] bytes are read.
    ///
    /// A 2xx is a file to obey. A 4xx, and a chain of more than five redirects (which arrives here
    /// as its last 3xx), says there is no file: everything is permitted. A 5xx says the site is in
    /// trouble: nothing is permitted for now. 429 is a 4xx by number only: a server that says
    /// "too many requests" is not asking for more of them, so it counts as trouble.
    #[must_use]
    pub fn from_status(
        status: u16,
        file: &[u8],
        agent: &str,
        retry_after: Option<Duration>,
    ) -> Self {
        match status {
            200..=299 => Self::Rules(Robots::parse(file, agent)),
            429 | 500.. => Self::Later { retry_after },
            _ => Self::Rules(Robots::allow_all()),
        }
    }

    /// The meaning of no answer at all: no connection, a timeout, a broken certificate.
    #[must_use]
    pub fn unreachable() -> Self {
        Self::Later { retry_after: None }
    }
}

/// The part of a User-Agent that robots.txt files speak of: letters, `-` and `_` up to the first
/// other character.
///
/// ```
/// use handover_modules::scraper::robots::product_token;
/// assert_eq!(product_token("handover/0.1 (+https://example.org)"), "handover");
/// ```
#[must_use]
pub fn product_token(agent: &str) -> &str {
    let agent = agent.trim_start();
    let end = agent.find(|c: char| !(c.is_ascii_alphabetic() || c == '-' || c == '_'));
    &agent[..end.unwrap_or(agent.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each case: file, then paths that are permitted, then paths that are not.
    fn check(file: &str, allowed: &[&str], refused: &[&str]) {
        let robots = Robots::parse(file.as_bytes(), "handover/0.1");
        for path in allowed {
            assert!(robots.allows(path), "{path} must be allowed by\n{file}");
        }
        for path in refused {
            assert!(!robots.allows(path), "{path} must be refused by\n{file}");
        }
    }

    #[test]
    fn the_longest_match_wins_and_allow_wins_a_tie() {
        check("User-agent: *\nDisallow: /a\nAllow: /a/b\n", &["/", "/b", "/a/b/c"], &["/a", "/ab"]);
        check("User-agent: *\nAllow: /a\nDisallow: /a\n", &["/a"], &[]);
        check("User-agent: *\nDisallow: /\nAllow: /$\n", &["/"], &["/a", "/?q"]);
        check("User-agent: *\nDisallow: /a?b\n", &["/a", "/a?c"], &["/a?b", "/a?bc"]);
    }

    #[test]
    fn star_matches_anything_and_dollar_the_end() {
        let file = "User-agent: *\nDisallow: /*.pdf$\nDisallow: /*/secret/\nDisallow: /x$y";
        check(
            file,
            &["/a.pdf?download", "/secret/", "/x"],
            &["/a.pdf", "/b/c.pdf", "/a/secret/b", "/x$y"],
        );
    }

    #[test]
    fn our_own_group_replaces_the_one_for_all() {
        let file = "User-agent: *\nDisallow: /\n\nUser-agent: HandOver\nDisallow: /no\n";
        check(file, &["/yes"], &["/no"]);
        check("User-agent: handover-images\nDisallow: /\n", &["/a"], &[]);
    }

    #[test]
    fn groups_of_one_agent_are_merged_and_may_share_rules() {
        let file = "user-agent: handover\ndisallow: /a\nuser-agent: other\ndisallow: /b\n\
                    user-agent: handover\ndisallow: /c\n";
        check(file, &["/b"], &["/a", "/c"]);
        check("User-agent: other\nUser-agent: handover\nDisallow: /a\n", &["/b"], &["/a"]);
    }

    #[test]
    fn odd_files_are_read_as_well_as_they_can_be() {
        check("\u{feff}User-agent: *\r\nDisallow: /a\r\n", &["/b"], &["/a"]);
        check("User-agent: *\rDisallow: /a", &["/b"], &["/a"]);
        check("# hello\n\n  User-Agent :  *  # all\n  disallow : /a # not this\n", &["/"], &["/a"]);
        check("User-agent: *\nSitemap: http://x/s.xml\nNoise\nHost: y\nDisallow: /a", &[], &["/a"]);
        check("User-agent: *\nDisallow:\n", &["/", "/a"], &[]);
        check("Disallow: /\n", &["/a"], &[]);
        check("<html><body>not found</body></html>", &["/a"], &[]);
        check("", &["/a"], &[]);
        check("User-agent: *\nDisallow: /\n", &["/robots.txt"], &["/", "/a"]);
    }

    #[test]
    fn percent_encoding_is_compared_by_meaning() {
        check("User-agent: *\nDisallow: /a%3cd\nDisallow: /ä", &[], &["/a%3Cd", "/%C3%A4"]);
        check("User-agent: *\nDisallow: /%7ejoe", &[], &["/~joe"]);
        let latin1 = b"User-agent: *\nDisallow: /caf\xe9\nDisallow: /b\n";
        assert!(!Robots::parse(latin1, "handover").allows("/b"));
    }

    #[test]
    fn a_crawl_delay_is_read_and_bounded() {
        let cases = [
            ("2", Some(Duration::from_secs(2))),
            ("0.5", Some(Duration::from_millis(500))),
            ("0", Some(Duration::ZERO)),
            ("86400", Some(CRAWL_DELAY_MAX)),
            ("1e30", None),
            ("inf", None),
            ("nan", None),
            ("-1", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            let file = format!("User-agent: *\nCrawl-delay: {text}\n");
            assert_eq!(Robots::parse(file.as_bytes(), "x").crawl_delay(), expected, "{text}");
        }
        let other = b"User-agent: other\nCrawl-delay: 9\n\nUser-agent: *\nDisallow: /a\n";
        assert_eq!(Robots::parse(other, "handover").crawl_delay(), None);
    }

    #[test]
    fn only_whole_lines_within_500_kib_count() {
        let mut file = b"User-agent: *\nDisallow: /early\n".to_vec();
        while file.len() < ROBOTS_BYTES_MAX - 7 {
            file.push(b'\n');
        }
        file.extend_from_slice(b"Allow: /early\nDisallow: /late\n");
        let robots = Robots::parse(&file, "handover");
        assert!(!robots.allows("/early"), "the cut rule `Allow: /` must not apply");
        assert!(robots.allows("/late"));
    }

    #[test]
    fn a_file_with_absurdly_many_rules_refuses_everything() {
        let mut file = String::from("User-agent: *\n");
        for n in 0..=RULES_MAX {
            file.push_str(&format!("Allow: /{n}\n"));
        }
        assert!(!Robots::parse(file.as_bytes(), "handover").allows("/1"));
    }

    #[test]
    fn no_file_permits_everything_and_trouble_permits_nothing() {
        let file = b"User-agent: *\nDisallow: /a\n";
        let answer = |status| RobotsAnswer::from_status(status, file, "handover", None);
        assert_eq!(answer(200), RobotsAnswer::Rules(Robots::parse(file, "handover")));
        for status in [301, 400, 401, 403, 404, 410] {
            assert_eq!(answer(status), RobotsAnswer::Rules(Robots::allow_all()), "{status}");
        }
        for status in [429, 500, 502, 503, 599] {
            assert_eq!(answer(status), RobotsAnswer::unreachable(), "{status}");
        }
        let wait = Some(Duration::from_secs(30));
        assert_eq!(
            RobotsAnswer::from_status(503, b"", "handover", wait),
            RobotsAnswer::Later { retry_after: wait }
        );
    }

    #[test]
    fn the_product_token_ends_where_the_version_begins() {
        for (agent, token) in
            [("handover/0.1 (+x)", "handover"), ("My-Bot_a", "My-Bot_a"), ("", ""), (" a b", "a")]
        {
            assert_eq!(product_token(agent), token);
        }
    }
}
