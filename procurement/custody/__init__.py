"""Custody: the sealing keys as administrators see them, and what is erased for good."""
