"""A small double-entry ledger: accounts, balanced entries, running balances. It knows nothing of who uses it."""
