"""What a password may not be: one that everybody takes, however it is stretched to twelve characters."""

from __future__ import annotations

import string
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

AROUND = string.digits + string.punctuation
OF_THIS_PLACE = ("countersign", "playstation", "giftcard", "giftcards")


class UncommonValidator(CommonPasswordValidator):
    """Refuses a common word, the person's own name and words of this place: as they are, repeated, or with digits around."""

    def validate(self, password: str, user: Any = None) -> None:
        plain = "".join(password.lower().split())
        cores = {plain, repeated_in(plain), repeated_in(plain.strip(AROUND))}
        if cores & (self.passwords | set(OF_THIS_PLACE) | own_words(user)):
            raise ValidationError(
                "This password is too common: it is one of the first that anybody would try. Take four or five words in a row.",
                code="password_too_common",
            )


def own_words(user: Any) -> set[str]:
    """The person's names, together and one by one."""
    if user is None:
        return set()
    names = [user.get_username(), *str(user).split(), "".join(str(user).split())]
    return {name.lower() for name in names}


def repeated_in(text: str) -> str:
    """The shortest part that `text` repeats from beginning to end; `text` itself if it repeats none."""
    period = (text + text).find(text, 1)
    return text[:period] if period > 0 else text
