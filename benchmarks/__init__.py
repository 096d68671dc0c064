"""What things cost: `make bench` measures, prints one table and keeps the figures under benchmarks/results."""
