"""The assets, one module a group. Thin shells: they fetch inputs, call the core, write, and report what was seen."""
