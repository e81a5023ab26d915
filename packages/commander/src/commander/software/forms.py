"""The mining software form: what a browser sends, and what the form shows."""

from collections.abc import Mapping

import msgspec
from protocol.playbook_messages import Archive, Platform

from commander.software.domain import Download, Hardware, MiningSoftware

SIDES = {"linux": "Linux", "windows": "Windows"}
HARDWARE = {Hardware.CPU: "CPU", Hardware.GPU: "GPU", Hardware.BOTH: "CPU and GPU"}
ARCHIVES = {each.value: each.value for each in Archive if each is not Archive.UNKNOWN} | {
    "none": "none: the download is the program itself"
}


class SoftwareForm(msgspec.Struct, frozen=True, kw_only=True):
    """Every field is a text, as forms send them; `linux_url` and so on are of one platform."""

    name: str = ""
    software: str = ""
    version: str = ""
    hardware: str = "gpu"
    algorithms: str = "1"
    has_api: str = ""
    note: str = ""
    linux_url: str = ""
    linux_archive: str = "tar.gz"
    linux_executable: str = ""
    linux_script: str = ""
    linux_sha256: str = ""
    windows_url: str = ""
    windows_archive: str = "zip"
    windows_executable: str = ""
    windows_script: str = ""
    windows_sha256: str = ""
    confirmed: str = ""


def form_of(about: MiningSoftware) -> SoftwareForm:
    sides = {f"{side}_{name}": text for side in SIDES for name, text in _texts(getattr(about, side)).items()}
    return SoftwareForm(
        name=about.name,
        software=about.software,
        version=about.version,
        hardware=about.hardware.value,
        algorithms=str(about.algorithms),
        has_api="yes" if about.has_api else "",
        note=about.note,
        **sides,
    )


def _texts(download: Download | None) -> dict[str, str]:
    if download is None:
        return {}
    return {
        "url": download.url,
        "archive": download.archive.value,
        "executable": download.executable,
        "script": download.script,
        "sha256": download.sha256 or "",
    }


def software_of(form: SoftwareForm) -> MiningSoftware:
    """Reads the form; a platform without address, program and script is left out."""
    kinds = {each.value for each in Hardware}
    return MiningSoftware(
        name=form.name,
        software=form.software,
        version=form.version,
        hardware=Hardware(form.hardware) if form.hardware in kinds else Hardware.GPU,
        algorithms=2 if form.algorithms == "2" else 1,
        has_api=form.has_api == "yes",
        note=form.note,
        linux=_download(form, "linux"),
        windows=_download(form, "windows"),
    )


def _download(form: SoftwareForm, side: str) -> Download | None:
    texts = {name: getattr(form, f"{side}_{name}").strip() for name in ("url", "executable", "script", "sha256")}
    if not any(texts.values()):
        return None
    return Download(archive=Archive(getattr(form, f"{side}_archive")), **texts)


def errors_of(fields: Mapping[str, str]) -> dict[str, str]:
    """By the form's names."""
    return {name.replace(".", "_") or "form": text for name, text in fields.items()}


def platforms_of(about: MiningSoftware) -> list[tuple[str, str]]:
    """Returns each platform of an entry with what its download lacks: "", "no checksum" or "no address"."""
    platforms = []
    for platform, side in ((Platform.LINUX, "linux"), (Platform.WINDOWS, "windows")):
        if download := about.download(platform):
            platforms.append(
                (SIDES[side], "no address" if not download.url else "" if download.sha256 else "no checksum")
            )
    return platforms
