"""The crawl of `handover crawl`, as Scrapy's documentation has it, for `cargo xtask bench crawl`.

What lives here: the spider and its settings. What does not: how it is installed (xtask/src/bench.rs), how it is measured
(bench/src/crawl.rs).

    python scrapy_spider.py http://127.0.0.1:8000/ pages.jsonl

Eight requests at a time, no delay, robots.txt obeyed, the fields of handover's own lines. Cookies, the telnet console and
debug lines are off, as Scrapy's page on broad crawls advises, because handover has none of them.
"""

import json
import sys
import time
from datetime import datetime, timezone
from urllib.parse import urldefrag, urlsplit

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse
from scrapy.linkextractors import LinkExtractor


class SiteSpider(Spider):
    name = "site"
    custom_settings = {
        "CONCURRENT_REQUESTS": 8,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 8,
        "COOKIES_ENABLED": False,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": True,
        "TELNETCONSOLE_ENABLED": False,
    }
    # Every link counts, also one to what is no page: handover looks at the answer and not at the name. Without their
    # fragments, a page's links to the places of another are one link, and four fifths of the requests are never made.
    links = LinkExtractor(deny_extensions=[], process_value=lambda link: urldefrag(link).url)

    def __init__(self, page):
        super().__init__()
        self.page = page
        self.allowed_domains = [urlsplit(page).hostname]

    async def start(self):
        # Filtered, unlike Scrapy's own start, so that the start is fetched once although others link to it.
        yield Request(self.page)

    def parse(self, response):
        is_page = isinstance(response, HtmlResponse)
        links = self.links.extract_links(response) if is_page else []
        yield {
            "url": response.request.url,
            "final_url": response.url,
            "status": response.status,
            "title": text(response.css("title")) if is_page else None,
            "fields": {"heading": text(response.css("h1")) if is_page else None},
            "depth": response.meta.get("depth", 0),
            "links": len(links),
            "bytes": len(response.body),
            "content_type": response.headers.get("Content-Type", b"").decode().split(";")[0] or None,
            "charset": response.encoding if is_page else None,
            "fetched_at_ms": int(time.time() * 1000),
        }
        yield from response.follow_all(links)

    def closed(self, reason):
        """Says how long Scrapy itself was at work: without the start of Python and its modules."""
        elapsed = datetime.now(timezone.utc) - self.crawler.stats.get_value("start_time")
        print(json.dumps({"reason": reason, "elapsed_s": elapsed.total_seconds()}))


def text(found):
    """The text of the first that was found, white space collapsed."""
    return " ".join(found[0].xpath("string()").get().split()) if found else None


if __name__ == "__main__":
    start, out = sys.argv[1:]
    feeds = {out: {"format": "jsonlines", "overwrite": True}}
    process = CrawlerProcess({"FEEDS": feeds, "LOG_LEVEL": "WARNING"})
    process.crawl(SiteSpider, page=start)
    process.start()
