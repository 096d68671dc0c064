"""What the pipeline costs: measured where a step runs, kept as a history, shown as a report. No cost is estimated."""
