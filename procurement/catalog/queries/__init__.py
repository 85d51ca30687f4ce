"""What pages show of the catalogue: offers, products with their prices, SKUs with their mappings."""
