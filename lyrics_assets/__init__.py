"""The Dagster project that learns the genre of Portuguese song lyrics. Importing it imports nothing else."""
