"""Storage adapters: the only modules that import the libraries of their storage."""
