"""A sentry as far as commands need one: it fetches them from its inbox and reports what became of them."""

from dataclasses import dataclass, field

from commander_farm import Farm, Rig

INBOX = "/api/v1/sentry/inbox"
STATUS = "/api/v1/sentry/commands/status"


@dataclass
class CommandSentry:
    farm: Farm
    rig: Rig
    boot: str = "boot-1"
    versions: dict[str, str] = field(default_factory=dict)

    async def fetch(self, *, wait_s: int = 0) -> list[dict[str, object]]:
        """The commands of a new item of the inbox; none if there is no news."""
        headers = self.rig.auth | ({"Prefer": f"wait={wait_s}"} if wait_s else {})
        answer = await self.farm.client.get(INBOX, params=self.versions, headers=headers, timeout=wait_s + 10)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = []
        for item in answer.json()["items"]:
            self.versions[item["kind"]] = item["version"]
            if item["kind"] == "commands":
                found = item["body"]["commands"]
        return found

    async def report(self, command: dict[str, object], state: str, text: str = "It is so.", **more: object) -> None:
        about = {"id": command["id"], "action": command["action"], "state": state, "text": text, "boot_id": self.boot}
        body = {"boot_id": self.boot, "commands": [about | more]}
        answer = await self.farm.client.put(STATUS, json=body, headers=self.rig.auth)
        assert answer.status_code == 204, answer.text
