"""A library of sound files to one table: files found, shared among workers, written once."""
