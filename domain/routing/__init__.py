"""The router: what it is asked, how it solves it, and what proves the answer."""
