"""A message that could not be sent, or not to everybody."""


class DeliveryFailure(Exception):
    """The text is for people and holds no secret.

    `is_final`: the channel itself is wrong, so a further attempt fails, too, until somebody changes it.
    `is_refusal`: this message is refused for good; others may be accepted.
    `retry_after_s` is the wait in seconds that the other side asks for.
    """

    def __init__(
        self, text: str, *, is_final: bool = False, is_refusal: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(text)
        self.is_final = is_final
        self.is_refusal = is_refusal
        self.retry_after_s = retry_after_s


class PartlySent(Exception):
    """Some recipients have the message and others were refused; sending it again would repeat it for the first ones."""
