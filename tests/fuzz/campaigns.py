"""Every campaign by its name."""

from __future__ import annotations

from typing import Final

from tests.fuzz import bodies, console, headers, sockets, stored, table_items, visits
from tests.fuzz.campaign import Campaign

CAMPAIGNS: Final = {
    one.name: one
    for one in (
        Campaign("bodies", bodies.read),
        Campaign("tokens", bodies.tokens),
        Campaign("facts", bodies.facts),
        Campaign("times", headers.times),
        Campaign("words", headers.words),
        Campaign("cookies", headers.cookies),
        Campaign("secrets", stored.secrets),
        Campaign("urls", stored.urls),
        Campaign("addresses", stored.addresses),
        Campaign("messages", stored.messages),
        Campaign("files", stored.files),
        Campaign("items", table_items.damaged),
        Campaign("events", console.events),
        Campaign("calendars", console.calendars),
        Campaign("mutes", console.mutes),
        Campaign("windows", console.windows),
        Campaign("judged", visits.judged),
        Campaign("told", visits.told),
        Campaign("answers", sockets.answers, inputs=sockets.BATCH),
    )
}
