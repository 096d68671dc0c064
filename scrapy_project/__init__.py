"""A plain Scrapy project that collects song lyrics from Letras.mus.br and Vagalume.com.br.

It knows nothing of Dagster beyond one small extension, and nothing of models. Run it by hand with
``scrapy crawl letras`` or ``scrapy crawl vagalume`` at the root of the repository.
"""
