"""Rigs in the API for scripts, as the rest of the commander sees them."""

from commander.noun import Noun
from commander.rigs import approval_api, asic_api, cpu_gpu_api

NOUN = Noun(handlers=[*cpu_gpu_api.HANDLERS, *asic_api.HANDLERS, *approval_api.HANDLERS])
