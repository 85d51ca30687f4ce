"""The second factor: six digits that an authenticator app makes of a seed and the time (RFC 6238), or a recovery code.

The seed is sealed like a code or a key; of recovery codes only hashes are kept. Either is taken once: a step of time by a
conditional update, a recovery code by another.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from urllib.parse import quote, urlencode, urlsplit

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.staff import tries
from procurement.staff.models import Factor, RecoveryCode, User
from procurement.staff.sessions import end_all
from procurement.vault import Purpose, Secret, open_sealed, seal
from procurement.vault.primitives import same

# What every authenticator app takes without being told.
DIGITS, STEP_SECONDS, SEED_BYTES = 6, 30, 20
# A phone's clock may be a step off, and a code may be typed at the end of its time.
AROUND = (0, -1, 1)
RECOVERY_CODES, RECOVERY_BYTES = 10, 15
SET_UP_WITHIN = timedelta(minutes=15)
APP, RECOVERY = "authenticator app", "recovery code"


class WrongCode(Refused):
    """Neither the app's present code nor an unused recovery code."""

    def __init__(self) -> None:
        super().__init__(
            "This code is wrong, too old, or was used already. Nothing was changed. Wait for the next one in your app."
        )


@dataclass(frozen=True)
class ToScan:
    """What a person brings into their app, shown while the factor is set up and never again: three forms of one key."""

    seed: str
    link: str
    picture: SafeString


def factor_of(user: User) -> Factor | None:
    """The factor that counts."""
    return user.factors.filter(confirmed_at__isnull=False).first()


def has_factor(user: User) -> bool:
    return user.factors.filter(confirmed_at__isnull=False).exists()


def being_set_up(user: User) -> Factor | None:
    """The factor whose first code is awaited; a quarter of an hour long."""
    return user.factors.filter(confirmed_at__isnull=True, begun_at__gt=timezone.now() - SET_UP_WITHIN).first()


def begin(*, by: User) -> Factor:
    """Make a new seed. A factor that counts goes on counting until a code of the new one was given."""
    factor = Factor(user=by)
    factor.seed_sealed = seal(secrets.token_bytes(SEED_BYTES), purpose=Purpose.TOTP, context=factor.context())
    try:
        with transaction.atomic():
            by.factors.filter(confirmed_at__isnull=True).delete()
            factor.save(force_insert=True)
    except IntegrityError:
        raise Refused("You began this in another window just now. Nothing was changed by this one.") from None
    return factor


def to_scan(factor: Factor) -> ToScan:
    """The seed in groups of four, the link that opens an authenticator app on the same device, and that link as a picture."""
    text = base64.b32encode(_seed(factor).expose_bytes()).decode()
    name = f"{factor.user.username}@{urlsplit(settings.SITE_URL).hostname}"
    query = urlencode({"secret": text, "issuer": "Countersign"})
    link = f"otpauth://totp/{quote(f'Countersign:{name}')}?{query}"
    return ToScan(seed=in_groups(text), link=link, picture=_picture(link))


def confirm(*, by: User, code: str) -> list[str]:
    """Let the factor being set up count from now on, in place of the one before; the new recovery codes, shown once.

    Every session of the person ends with it; the one at work goes on when its key is changed.

    Raises WrongCode or TooManyTries, and Refused when nothing is being set up.
    """
    factor = being_set_up(by)
    if factor is None:
        raise Refused("The set-up was begun over 15 minutes ago. Nothing was changed. Begin again with a new key.")
    tries.take("code", by.pk, pace=tries.PROOF)
    if not _takes(factor, code):
        raise WrongCode
    tries.clear("code", by.pk)
    with transaction.atomic():
        by.factors.filter(confirmed_at__isnull=False).delete()
        if not by.factors.filter(pk=factor.pk, confirmed_at__isnull=True).update(confirmed_at=timezone.now()):
            raise Refused("You began this in another window just now. Nothing was changed by this one.")
        end_all(by)
        record("user.factor_set_up", by=by, subject=by)
        return _replace_recovery_codes(by)


def new_recovery_codes(*, by: User) -> list[str]:
    """Ten new recovery codes, shown once; those before are void."""
    with transaction.atomic():
        record("user.recovery_codes_made", by=by, subject=by)
        return _replace_recovery_codes(by)


def check(user: User, code: str, *, browser: str = tries.STRANGER) -> str:
    """What `code` is: the app's or a recovery code; either is thereby used. Raises WrongCode or TooManyTries.

    Misses are counted for each browser that is known (`tries.browser_of`), and together for all others.
    """
    factor = factor_of(user)
    if factor is None:
        raise WrongCode
    tries.take("code", user.pk, browser, pace=tries.PROOF)
    if _takes(factor, code):
        used = APP
    elif _takes_recovery(user, code):
        used = RECOVERY
    else:
        raise WrongCode
    tries.clear("code", user.pk, browser)
    return used


def remove(user: User, *, reason: str, by: User | None = None) -> bool:
    """Take a lost factor and its recovery codes away, on the word of two administrators or, `by=None`, of whoever runs the
    installation; False if none was there."""
    with transaction.atomic():
        removed, _ = user.factors.all().delete()
        user.recovery_codes.all().delete()
        if removed:
            end_all(user)
            record("user.factor_removed", by=by, subject=user, reason=reason)
    return bool(removed)


def code_at(seed: bytes, step: int) -> str:
    """The six digits of one step of 30 seconds since 1970."""
    return TOTP(seed, DIGITS, SHA1(), STEP_SECONDS).generate(step * STEP_SECONDS).decode()  # noqa: S303 - RFC 6238


def step_now() -> int:
    return int(timezone.now().timestamp()) // STEP_SECONDS


def in_groups(text: str) -> str:
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def _picture(link: str) -> SafeString:
    """The link as a QR code, an SVG to stand in the page itself: an address of its own would be one more place for the seed.

    Black on its own white, margin included: on a dark page a camera finds nothing else.
    """
    code = segno.make_qr(link, error="m")
    svg = code.svg_inline(omitsize=True, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    return mark_safe(svg)  # noqa: S308 - modules and colours only; the link is drawn, not written


def _seed(factor: Factor) -> Secret:
    return open_sealed(factor.seed_sealed, purpose=Purpose.TOTP, context=factor.context())


def _takes(factor: Factor, code: str) -> bool:
    """Whether `code` is of now or a step beside it, and of a later step than any taken before; it is then used."""
    typed, seed, now = "".join(code.split()).encode(), _seed(factor).expose_bytes(), step_now()
    steps = [now + offset for offset in AROUND if same(code_at(seed, now + offset).encode(), typed)]
    return any(Factor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step) for step in steps)


def _takes_recovery(user: User, code: str) -> bool:
    unused = user.recovery_codes.filter(digest=_digest(user, code), used_at__isnull=True)
    return bool(unused.update(used_at=timezone.now()))


def _replace_recovery_codes(user: User) -> list[str]:
    codes = [in_groups(base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]
    user.recovery_codes.all().delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(user, code)) for code in codes)
    return codes


def _digest(user: User, code: str) -> bytes:
    """A hundred and twenty random bits need no slow hash; the person's number keeps equal hashes apart."""
    plain = "".join(code.split()).replace("-", "").upper()
    return sha256(f"{user.pk}:{plain}".encode()).digest()
