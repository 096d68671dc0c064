"""Each outside system behind one interface: an embedded default, and room for its production twin beside it."""
