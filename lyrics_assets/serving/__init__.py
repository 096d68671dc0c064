"""The BentoML service, its page, and how a Bento or a Space is put together. No Dagster here."""
