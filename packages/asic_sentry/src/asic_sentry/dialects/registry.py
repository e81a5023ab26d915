"""The dialects, and every question that the sentry may ask. A new dialect is its parser's file and one row here."""

from collections.abc import Mapping

from asic_sentry.dialects.antminer import ANTMINER
from asic_sentry.dialects.auradine import AURADINE
from asic_sentry.dialects.avalon import AVALON, AVALON_STATS
from asic_sentry.dialects.axeos import AXEOS
from asic_sentry.dialects.blackminer import HAMMER, VOLCMINER
from asic_sentry.dialects.bmweb import ANTMINER_WEB, ELPHAPEX_WEB
from asic_sentry.dialects.braiins import BRAIINS
from asic_sentry.dialects.braiins_web import BRAIINS_GRAPHQL, BRAIINS_REST
from asic_sentry.dialects.dialect import LibraryCall, Question
from asic_sentry.dialects.epic import EPIC
from asic_sentry.dialects.goldshell import GOLDSHELL
from asic_sentry.dialects.iceriver import ICERIVER
from asic_sentry.dialects.innosilicon import INNOSILICON
from asic_sentry.dialects.luxos import LUXOS
from asic_sentry.dialects.proto import PROTO
from asic_sentry.dialects.pyasic_rs import PYASIC_RS
from asic_sentry.dialects.sealminer import SEALMINER
from asic_sentry.dialects.vnish import VNISH
from asic_sentry.dialects.whatsminer import WHATSMINER_V1, WHATSMINER_V2
from asic_sentry.dialects.whatsminer_v3 import WHATSMINER_V3

# In the order in which they are tried: those whose program names itself before those that are known by their values.
# Two dialects of one make differ in the name of one question; the first one that the device answers is its dialect.
DIALECTS = (
    BRAIINS,
    LUXOS,
    AURADINE,
    SEALMINER,
    INNOSILICON,
    ANTMINER,
    WHATSMINER_V1,
    WHATSMINER_V2,
    AVALON,
    AVALON_STATS,
    HAMMER,
    GOLDSHELL,
    WHATSMINER_V3,
    AXEOS,
    ICERIVER,
    VNISH,
    PROTO,
    BRAIINS_REST,
    BRAIINS_GRAPHQL,
    ANTMINER_WEB,
    ELPHAPEX_WEB,
    VOLCMINER,
    EPIC,
    PYASIC_RS,
)

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}

# The closed list of everything that can be sent, by the names of dialect and question.
ALLOWED: Mapping[str, Mapping[str, Question | LibraryCall]] = {
    dialect.name: {question.name: question for question in dialect.questions} for dialect in DIALECTS
}
