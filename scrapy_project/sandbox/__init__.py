"""Letras.mus.br and Vagalume.com.br imitated on loopback: the project runs and is tested without the real sites.

The pages have the shape of the real ones, oddities included; the lyrics come from a songbook of original songs. Run it
with ``python -m scrapy_project.sandbox``, or from code with `launcher.running_sandbox`.
"""
