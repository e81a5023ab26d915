"""An open dialog of an index page or of a rig's page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RigDialog:
    """An open dialog. `error` stands beside the field that holds `value`.

    `kind` is add, edit, remove, tags, token, view or view-remove; the dialogs that derive from this one have their own.
    `path` is the index's, `back` the address of the page that it stands on. `view_id` is that of a saved view.
    """

    kind: str
    path: str
    back: str
    rig_id: int = 0
    name: str = ""
    value: str = ""
    error: str = ""
    view_id: int = 0

    @property
    def suffix(self) -> str:
        """Tells the form's handler which page the dialog belongs to."""
        return "?from=index" if self.back.partition("?")[0] == self.path else ""

    @property
    def url(self) -> str:
        """The address of the page with this dialog open."""
        rig = f"&rig={self.rig_id}" if self.suffix and self.rig_id else ""
        return f"{self.back}{'&' if '?' in self.back else '?'}dialog={self.kind}{rig}"
