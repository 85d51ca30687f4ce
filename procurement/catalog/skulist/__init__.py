"""A storefront's SKU list: bytes to lines (`reading`), lines to values (`rules`), values to outcomes (`judging`)."""
