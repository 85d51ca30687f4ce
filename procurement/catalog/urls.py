"""Routes of products, SKUs, mappings and imports."""

from __future__ import annotations

from django.urls import path

from procurement.catalog.views import imports, products, skus

app_name = "catalog"
urlpatterns = [
    path("products/", products.product_list, name="product_list"),
    path("products/<int:pk>/", products.product_detail, name="product_detail"),
    path("refresh/", products.refresh, name="refresh"),
    path("skus/", skus.sku_list, name="sku_list"),
    path("skus/<int:pk>/", skus.sku_detail, name="sku_detail"),
    path("skus/<int:pk>/draft/", skus.sku_draft, name="sku_draft"),
    path("mappings/propose/", skus.propose_all, name="propose_all"),
    path("mappings/activate/", skus.activate_all, name="activate_all"),
    path("mappings/<int:pk>/activate/", skus.mapping_activate, name="mapping_activate"),
    path("mappings/<int:pk>/retire/", skus.mapping_retire, name="mapping_retire"),
    path("skus/imports/new/", imports.import_new, name="import_new"),
    path("skus/imports/<uuid:pk>/", imports.import_detail, name="import_detail"),
    path("skus/imports/<uuid:pk>/apply/", imports.import_apply, name="import_apply"),
    path("skus/imports/<uuid:pk>/refused.csv", imports.import_refused_csv, name="import_refused_csv"),
    path("skus/imports/examples/<slug:name>/", imports.import_example, name="import_example"),
]
