"""Pages of the catalogue: products and prices, SKUs and mappings, imports of SKU lists."""
