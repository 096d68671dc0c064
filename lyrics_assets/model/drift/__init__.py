"""How far the newest songs, and what the service is asked, have moved away from what the champion knows.

`report.measure_drift` judges the newest date's songs and how well the champion tells them, `traffic.measure_traffic`
the service's answers, `page.render_html` shows what was found. No Dagster here.
"""
