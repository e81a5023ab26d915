"""All packages have one version, and require that version of each other."""

import set_version


def test_all_packages_have_one_version() -> None:
    assert len(set_version.projects()) == 5
    found = [set_version.versions(path.read_text(encoding="utf-8")) for path in set_version.projects()]
    assert len(set.union(*found)) == 1


def test_a_release_writes_its_version_everywhere() -> None:
    for path in set_version.projects():
        text = path.read_text(encoding="utf-8")
        released = set_version.with_version(text, "7.8.9")
        assert set_version.versions(released) == {"7.8.9"}
        (old,) = set_version.versions(text)
        assert set_version.with_version(released, old) == text
