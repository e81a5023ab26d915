"""The search box, columns, saved views and links around the rows of an index page, as its template gets them."""

from collections.abc import Sequence
from urllib.parse import urlencode

from commander.rig_pages.columns import column_choices, column_classes
from commander.rig_pages.kind import Display
from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.navigation import columns, extra_headings, saved_links
from commander.saved_views.store import SavedView


def index_controls(query: IndexQuery, display: Display, saved: Sequence[SavedView]) -> dict[str, object]:
    """Returns the values by the names in the template. `kept…` are hidden fields of forms."""
    parameters = query.but().parameters()
    return {
        "columns": [*columns(query, display.headings), *extra_headings(query)],
        "column_choices": column_choices(query.columns, display.kind),
        "column_classes": column_classes(query.columns, display.kind),
        "kept_columns": {name: value for name, value in parameters.items() if name != "columns"},
        "kept": {name: value for name, value in parameters.items() if name != "select"},
        "select": query.select,
        "saved_views": saved_links(saved, query),
        "save_href": query.address(dialog="view"),
        "add_href": query.address(dialog="add"),
        "tags_csv": f"/tags.csv?{urlencode({'kind': display.kind, 'select': query.select})}",
    }
