"""How the real sites are crawled: politely. Any line can be overridden with ``scrapy crawl -s NAME=value``."""

from scrapy.settings import default_settings

BOT_NAME = "lyrics-classifier"
SPIDER_MODULES = ["scrapy_project.spiders"]
NEWSPIDER_MODULE = "scrapy_project.spiders"

# Who asks. The sites send other markup to mobile browsers, hence the desktop prefix; {contact} is filled in.
CRAWLER_CONTACT = "contact not given"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) LyricsClassifier/0.1 (research crawler; {contact})"
ROBOTSTXT_USER_AGENT = "LyricsClassifier"
ROBOTSTXT_OBEY = True
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8",
    "Accept-Language": "pt-BR,pt;q=0.9,en;q=0.5",
}
COOKIES_ENABLED = False  # the one cookie needed is sent as a header

# How fast. Few requests at once, so that few are under way already when a site asks for a pause.
# Scrapy 2.19 starts all that waits for a domain before it counts what is under way: only the first bound holds.
CONCURRENT_REQUESTS = 2
CONCURRENT_REQUESTS_PER_DOMAIN = 2
DOWNLOAD_DELAY = 1.0  # seconds
DOWNLOAD_DELAY_JITTER = 0.0  # any other would make every second pause shorter than that
DOWNLOAD_TIMEOUT = 30  # seconds
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 1.0  # seconds
AUTOTHROTTLE_TARGET_CONCURRENCY = 1.0

# How much: requests to a site for one date, over all crawls of that date; 0 for no limit.
REQUESTS_PER_DAY = 3000

# How large: bytes of a page, unpacked; Scrapy's own bound of 1 GB is one that no memory here has.
DOWNLOAD_MAXSIZE = 16_000_000

# What is asked again.
RETRY_TIMES = 4
RETRY_HTTP_CODES = [408, 429, 500, 502, 503, 504, 522, 524]
RETRY_AFTER_DEFAULT = 10.0  # seconds of pause after a 429 that names none
RETRY_AFTER_MAX = 120.0  # seconds of pause at most, whatever a site asks for

# The archive of pages, and how old an archived page may be (other pages: the same date only).
ARCHIVE_URL = "sqlite:///var/archive/pages.sqlite"
SONG_MAX_AGE_DAYS = 30
HTTPCACHE_ENABLED = True
HTTPCACHE_STORAGE = "scrapy_project.archive.ArchiveStorage"
HTTPCACHE_POLICY = "scrapy.extensions.httpcache.DummyPolicy"
HTTPCACHE_IGNORE_MISSING = False  # True replays a date from the archive alone

DOWNLOADER_MIDDLEWARES = {
    # Inside the cache (900): the archive then keeps plain bodies, and an archived page waits for nobody.
    "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": 950,
    "scrapy_project.middlewares.RetryAfter": 960,
    "scrapy_project.middlewares.SandboxDate": 970,
    "scrapy_project.middlewares.SameSite": 975,
    "scrapy_project.middlewares.DailyBudget": 980,  # last: what another one stops was not sent
}
SANDBOX = False  # True tells the imitated sites which date to show
METAREFRESH_ENABLED = False

# Who is told.
EXTENSIONS = {"scrapy_project.extensions.PipesReport": 100, "scrapy_project.extensions.StatsFile": 110}
PIPES_INTERVAL = 2.0  # seconds between two reports of progress
STATS_FILE = ""  # path of a JSON file for the final stats
FEED_EXPORT_ENCODING = "utf-8"
LOG_LEVEL = "INFO"

# Both open a local port that runs any Python it is sent.
REMOTE_CONTROL_ENABLED = False
TELNETCONSOLE_ENABLED = False

# What is turned off above would still be imported, with two HTTP clients: a fifth of what a crawl of few pages costs.
EXTENSIONS_BASE = {
    name: order
    for name, order in default_settings.EXTENSIONS_BASE.items()
    if name not in ("scrapy.extensions.remote_control.RemoteControl", "scrapy.extensions.telnet.TelnetConsole")
}
DOWNLOADER_MIDDLEWARES_BASE = {
    name: order
    for name, order in default_settings.DOWNLOADER_MIDDLEWARES_BASE.items()
    if name != "scrapy.downloadermiddlewares.cookies.CookiesMiddleware"
}
