"""What a lyric is: its text, language and identity, the dataset of a date, the trends over dates. No Dagster here."""
