"""How the imitated sites on loopback are crawled: fast. Chosen by ``SCRAPY_PROJECT=sandbox``."""

from scrapy_project.settings import *  # noqa: F403

SANDBOX = True
CONCURRENT_REQUESTS = 16
CONCURRENT_REQUESTS_PER_DOMAIN = 16
DOWNLOAD_DELAY = 0.0
AUTOTHROTTLE_ENABLED = False
REQUESTS_PER_DAY = 0
RETRY_AFTER_DEFAULT = 0.1
RETRY_AFTER_MAX = 0.1
PIPES_INTERVAL = 0.5  # seconds
