"""Keys and passwords: resources hold their variables' names, so that no page of the UI and no log shows a value."""

import dagster as dg


def reveal(secret: str) -> str:
    """Return the value of a resource's secret field: in Dagster it has been looked up, outside nobody has yet."""
    return (secret.get_value() or "") if isinstance(secret, dg.EnvVar) else secret
