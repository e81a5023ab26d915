"""The sentries' API for logs and specs, as the rest of the commander sees it."""

from commander.intake import asic_sentry_api, sentry_api
from commander.noun import Noun

NOUN = Noun(handlers=[*sentry_api.HANDLERS, *asic_sentry_api.HANDLERS])
