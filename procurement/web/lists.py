"""One list view for all lists: every part of its state is in the URL, so a link shows the same rows to anyone.

A page declares a `ListSpec` and calls `list_page`. Unknown filters, sorts and pages fall back to the default instead of
failing, so an old link keeps working.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.core.paginator import Paginator
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import render

from procurement.web.exports import FORMATS, table_response

Row = TypeVar("Row", bound=Model)
Choices = Sequence[tuple[str, str]]

PAGE_SIZES = (25, 50, 100)
DEFAULT_SIZE = 50
MOST_EXPORTED = 200_000


@dataclass(frozen=True)
class Filter(Generic[Row]):
    """One filter above a list. `apply` narrows the queryset by the value in the URL.

    `kind` is choice, text or date. `choices` may be a function, called once for each page. A value that is not among
    the choices is ignored.
    """

    name: str
    label: str
    apply: Callable[[QuerySet[Row], str], QuerySet[Row]]
    kind: str = "choice"
    choices: Choices | Callable[[], Choices] = ()
    any_label: str = "All"
    placeholder: str = ""


@dataclass(frozen=True)
class Tab:
    """A saved view: a name in the URL (`?view=open`) for the rows `where` matches; `counted` shows how many those are."""

    name: str
    label: str
    where: Q = field(default_factory=Q)
    counted: bool = False


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column of the CSV export. Values: text, integers, Decimal, ISO times; never a code."""

    header: str
    value: Callable[[Row], object]


@dataclass(frozen=True)
class ListSpec(Generic[Row]):
    """What a list offers. The first tab and `default_sort` hold when the URL says nothing.

    `sorts` maps a name in the URL to ordering fields; "-name" reverses them. A unique field is always added last, so
    that pages never overlap.
    """

    noun: str
    nouns: str
    sorts: Mapping[str, Sequence[str]]
    default_sort: str
    filters: Sequence[Filter[Row]] = ()
    tabs: Sequence[Tab] = ()
    columns: Sequence[Column[Row]] = ()
    export_permission: str = ""
    size: int = DEFAULT_SIZE


@dataclass(frozen=True)
class BoundFilter:
    name: str
    label: str
    kind: str
    value: str
    choices: Choices
    any_label: str
    placeholder: str


@dataclass(frozen=True)
class Link:
    label: str
    url: str
    current: bool = False
    count: int | None = None


@dataclass(frozen=True)
class Chip:
    label: str
    value: str
    remove_url: str


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """A list as its template draws it."""

    rows: Sequence[Row]
    total: int
    page: int
    pages: int
    start: int
    end: int
    sort: str
    view: str
    noun: str
    nouns: str
    filters: Sequence[BoundFilter]
    tabs: Sequence[Link]
    chips: Sequence[Chip]
    kept: Sequence[tuple[str, str]]
    page_links: Sequence[Link]
    sizes: Sequence[Link]
    previous_url: str
    next_url: str
    clear_url: str
    exports: Sequence[Link]

    @property
    def is_filtered(self) -> bool:
        return bool(self.chips)

    @property
    def count_words(self) -> str:
        """`312 orders, 1–50`, or `No orders`."""
        if not self.total:
            return f"No {self.nouns}"
        noun = self.noun if self.total == 1 else self.nouns
        span = f", {self.start:,}–{self.end:,}" if self.pages > 1 else ""
        return f"{self.total:,} {noun}{span}"

    @property
    def no_match(self) -> str:
        how_many = "this filter" if len(self.chips) == 1 else f"these {len(self.chips)} filters"
        return f"No {self.nouns} match {how_many}."


@dataclass
class _State:
    """The query of a list request, read once against its spec."""

    spec: ListSpec[Any]
    query: QueryDict
    filters: list[BoundFilter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.filters = [_bind(item, self.query.get(item.name, "").strip()) for item in self.spec.filters]

    @property
    def view(self) -> str:
        names = [tab.name for tab in self.spec.tabs]
        asked = self.query.get("view", "")
        return asked if asked in names else (names[0] if names else "")

    @property
    def sort(self) -> str:
        asked = self.query.get("sort", "")
        return asked if asked.removeprefix("-") in self.spec.sorts else self.spec.default_sort

    @property
    def size(self) -> int:
        asked = self.query.get("size", "")
        return int(asked) if asked.isdigit() and int(asked) in PAGE_SIZES else self.spec.size

    def url(self, **changes: str) -> str:
        """This list's address with `changes`; an empty value drops the key, and any change starts at page 1."""
        query = self.query.copy()
        for key in ("page", "format"):
            query.pop(key, None)
        for name in [name for name, value in query.items() if value == ""]:
            query.pop(name)
        for key, value in changes.items():
            query.pop(key, None)
            if value:
                query[key] = value
        return f"?{query.urlencode()}"


def list_page(
    request: HttpRequest,
    spec: ListSpec[Row],
    queryset: QuerySet[Row],
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    on_export: Callable[[str, int], None] | None = None,
) -> HttpResponseBase:
    """Answer a list request: the page, or with `?format=csv` or `xlsx` all filtered rows as a table.

    `on_export(filters in words, row count)` writes the audit event before the first row leaves.
    """
    state = _State(spec, request.GET)
    rows = _narrowed(state, queryset)
    if request.GET.get("format") in FORMATS and spec.columns and _may_export(request, spec):
        filters = _filters_in_words(state)
        if on_export:
            on_export(filters, rows.count())
        return table_response(
            request, spec.nouns, spec.columns, rows[:MOST_EXPORTED].iterator(chunk_size=1000), filters
        )
    return render(request, template, {**(context or {}), "listing": build_listing(request, spec, queryset)})


def build_listing(request: HttpRequest, spec: ListSpec[Row], queryset: QuerySet[Row]) -> Listing[Row]:
    """The page of rows that the request's URL asks for, with everything its toolbar needs."""
    state = _State(spec, request.GET)
    page = Paginator(_narrowed(state, queryset), state.size).get_page(request.GET.get("page"))
    pages = page.paginator.num_pages
    return Listing(
        rows=list(page.object_list),
        total=page.paginator.count,
        page=page.number,
        pages=pages,
        start=page.start_index(),
        end=page.end_index(),
        sort=state.sort,
        view=state.view,
        noun=spec.noun,
        nouns=spec.nouns,
        filters=state.filters,
        tabs=_tabs(state, queryset),
        chips=[Chip(f.label, _value_words(f), state.url(**{f.name: ""})) for f in state.filters if f.value],
        kept=[(key, request.GET[key]) for key in ("view", "sort", "size") if request.GET.get(key)],
        page_links=_page_links(state, page.number, pages),
        sizes=[Link(str(n), state.url(size=str(n)), n == state.size) for n in PAGE_SIZES],
        previous_url=state.url(page=str(page.number - 1)) if page.has_previous() else "",
        next_url=state.url(page=str(page.number + 1)) if page.has_next() else "",
        clear_url=state.url(**{item.name: "" for item in spec.filters}),
        exports=[Link(label, state.url(format=name)) for name, label in FORMATS.items()]
        if spec.columns and _may_export(request, spec)
        else [],
    )


def _may_export(request: HttpRequest, spec: ListSpec[Any]) -> bool:
    if not spec.export_permission:
        return True
    user: Any = request.user
    return bool(user.can(spec.export_permission))


def _bind(item: Filter[Any], value: str) -> BoundFilter:
    choices = item.choices() if callable(item.choices) else item.choices
    if item.kind == "choice" and value not in {key for key, _ in choices}:
        value = ""
    return BoundFilter(item.name, item.label, item.kind, value, choices, item.any_label, item.placeholder)


def _narrowed(state: _State, queryset: QuerySet[Row]) -> QuerySet[Row]:
    rows = _filtered(state, queryset)
    for tab in state.spec.tabs:
        if tab.name == state.view:
            rows = rows.filter(tab.where)
    reverse = state.sort.startswith("-")
    fields = [_flip(name) if reverse else name for name in state.spec.sorts[state.sort.removeprefix("-")]]
    return rows.order_by(*fields, "-pk" if reverse else "pk")


def _filtered(state: _State, rows: QuerySet[Row]) -> QuerySet[Row]:
    for item, bound in zip(state.spec.filters, state.filters, strict=True):
        if bound.value:
            rows = item.apply(rows, bound.value)
    return rows


def _flip(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _tabs(state: _State, queryset: QuerySet[Any]) -> list[Link]:
    counts = _tab_counts(state, queryset)
    return [
        Link(tab.label, state.url(view=tab.name), tab.name == state.view, counts.get(tab.name))
        for tab in state.spec.tabs
    ]


def _tab_counts(state: _State, queryset: QuerySet[Any]) -> dict[str, int]:
    """How many rows each counted view holds, in one query however many there are."""
    counted = {tab.name: Count("pk", filter=tab.where) for tab in state.spec.tabs if tab.counted}
    if not counted:
        return {}
    # The numbers stand for the names: a view may be called what a column is called.
    places = {f"view_{place}": name for place, name in enumerate(counted)}
    found = _filtered(state, queryset).order_by().aggregate(**{place: counted[name] for place, name in places.items()})
    return {name: found[place] for place, name in places.items()}


def _page_links(state: _State, current: int, pages: int) -> list[Link]:
    near = {1, 2, pages - 1, pages, current - 1, current, current + 1}
    links: list[Link] = []
    for number in sorted(n for n in near if 1 <= n <= pages):
        if links and number - int(links[-1].label) > 1:
            links.append(Link(str(number - 1), ""))
        links.append(Link(str(number), state.url(page=str(number)), number == current))
    return links


def _value_words(bound: BoundFilter) -> str:
    return dict(bound.choices).get(bound.value, bound.value)


def _filters_in_words(state: _State) -> str:
    tab = [tab.label for tab in state.spec.tabs if tab.name == state.view]
    words = tab + [f"{f.label}: {_value_words(f)}" for f in state.filters if f.value]
    return "; ".join(words) or "none"


def in_words(items: Iterable[str]) -> str:
    """`a, b and c`."""
    words = list(items)
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""
