"""How genres change over the dates of the store. No Dagster here; `report.measure_trends` is the way in."""
