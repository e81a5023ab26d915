"""Rigs in the API for scripts, as the rest of the commander sees them."""

from commander.noun import Noun
from commander.rigs import approval_api, asic_api, cpu_gpu_api

RIGHTS = """
/api/v1/asic-rigs                    GET view, POST own
/api/v1/asic-rigs/{rig_id}           GET view, PATCH operate, DELETE own
/api/v1/asic-rigs/{rig_id}/logs      GET view
/api/v1/asic-rigs/{rig_id}/token     POST own
/api/v1/asic-stats                   GET view
/api/v1/cpu-gpu-rigs                 GET view, POST own
/api/v1/cpu-gpu-rigs/approve         POST own
/api/v1/cpu-gpu-rigs/{rig_id}        GET view, PATCH operate, DELETE own
/api/v1/cpu-gpu-rigs/{rig_id}/logs   GET view
/api/v1/cpu-gpu-rigs/{rig_id}/token  POST own
/api/v1/cpu-gpu-stats                GET view
"""
NOUN = Noun(handlers=[*cpu_gpu_api.HANDLERS, *asic_api.HANDLERS, *approval_api.HANDLERS], rights=RIGHTS)
