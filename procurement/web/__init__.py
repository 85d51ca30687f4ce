"""The web shell: typed requests, error pages, lists, one-time forms, template tags. It knows no domain."""
