"""How fast each part is, beside its alternatives."""
