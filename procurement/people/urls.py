"""Routes of people, proposals and limits, and of the link by which a person joins."""

from __future__ import annotations

from django.urls import include, path

from procurement.people import views
from procurement.people.proposal_views import (
    limits_change,
    limits_list,
    proposal_decide,
    proposal_detail,
    proposal_list,
)

pages = (
    [
        path("people/", views.person_list, name="person_list"),
        path("people/invite/", views.person_invite, name="person_invite"),
        path("people/proposals/", proposal_list, name="proposal_list"),
        path("people/proposals/<uuid:pk>/", proposal_detail, name="proposal_detail"),
        path("people/proposals/<uuid:pk>/decide/", proposal_decide, name="proposal_decide"),
        path("people/limits/", limits_list, name="limits_list"),
        path("people/limits/<str:currency>/", limits_change, name="limits_change"),
        path("people/<int:pk>/", views.person_detail, name="person_detail"),
        path("people/<int:pk>/roles/", views.person_roles, name="person_roles"),
        path("people/<int:pk>/end/", views.person_end, name="person_end"),
        path("people/<int:pk>/link/", views.person_link, name="person_link"),
        path("people/<int:pk>/withdraw/", views.person_withdraw, name="person_withdraw"),
        path("join/", views.invitation_accept, name="invitation_accept"),
        path("join/<str:token>/", views.invitation_open, name="invitation_open"),
    ],
    "people",
)
urlpatterns = [path("", include(pages))]
