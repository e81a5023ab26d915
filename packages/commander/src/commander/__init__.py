"""Minewarden's commander: the web server of a mining farm."""

from importlib.metadata import version

VERSION = version("minewarden-commander")
