"""A page that asks once for each order: what the bench must find."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from procurement.demo.bench import urls as bench
from procurement.orders.models import Order
from procurement.staff.access import for_everyone


@for_everyone
def growing(request: HttpRequest) -> HttpResponse:
    return HttpResponse(", ".join(order.account.name for order in Order.objects.all()[:50]))


urlpatterns = [path("growing/", growing), *bench.urlpatterns]
