"""A pure picture of a session for the terminal, and the screen that shows it."""
