"""A person at the desk without a browser: opens pages, and sends forms with everything the page put into them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from procurement.staff.models import User


@dataclass
class Form:
    """One form of a page: where it goes, and the fields as they stand."""

    action: str
    method: str
    own: bool = False
    fields: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """The forms of a page, its buttons' names and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.inside: list[str] = []
        self.words: list[str] = []
        self.area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self.inside.append(tag)
        elif tag in {"script", "style"}:
            self.inside.append(tag)
        elif self.forms and "form" in self.inside:
            self.control(tag, given)

    def control(self, tag: str, given: dict[str, str]) -> None:
        fields, name = self.forms[-1].fields, given.get("name", "")
        kind = given.get("type", "text")
        if tag == "input" and name and kind not in {"radio", "checkbox", "file", "submit"}:
            fields[name] = given.get("value", "")
        elif tag == "input" and name and "checked" in given:
            fields[name] = given.get("value", "on")
        elif tag in {"select", "textarea"}:
            self.area = name
            fields.setdefault(name, "")
        elif tag == "option" and self.area and ("selected" in given or not fields[self.area]):
            fields[self.area] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
            self.inside.remove(tag)
        if tag in {"select", "textarea"}:
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.area and self.forms:
            text = self.forms[-1].fields
            if not text[self.area] and data.strip():
                text[self.area] = data.strip()
        if not {"script", "style"} & set(self.inside):
            self.words.append(data)


class Page:
    """An answer as a person reads it."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status: int = response.status_code
        self.html: str = response.content.decode() if not response.streaming else ""
        self.reader = Reader(self.html)
        self.text = re.sub(r"\s+", " ", " ".join(self.reader.words))
        for form in self.reader.forms:
            if not form.action:
                form.action, form.own = response.wsgi_request.get_full_path(), True
        self.location: str = response.headers.get("Location", "")

    def form(self, action: str = "") -> Form:
        """The form that posts to an address containing `action`; without one, the form of the page itself."""
        posting = [form for form in self.reader.forms if form.method == "post"]
        found = [form for form in posting if (action in form.action if action else form.own)]
        assert found, f"no form to {action or 'the page itself'}: {[form.action for form in posting]}"
        return found[0]

    def links(self, part: str) -> list[str]:
        return [href.replace("&amp;", "&") for href in re.findall(r'href="([^"]+)"', self.html) if part in href]


class Desk:
    """One signed-in person."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user)

    def open(self, name: str, *args: Any, status: int = 200, **query: Any) -> Page:
        """Open a page by the name of its address, or by the address itself."""
        url = name if name.startswith("/") else reverse(name, args=args)
        page = Page(self.client.get(url, query or None))
        assert page.status == status, f"{url}: {page.status} {page.text[:400]}"
        return page

    def send(self, form: Form, *, status: int = 303, **changed: Any) -> Page:
        """Send a form as it stands with some fields changed; the page that follows a redirection is opened."""
        page = Page(self.client.post(form.action, {**form.fields, **changed}))
        assert page.status == status, f"{form.action}: {page.status} {page.text[:600]}"
        return self.open(page.location) if page.status in {302, 303} else page
