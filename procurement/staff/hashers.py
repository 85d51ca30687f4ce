"""How a password is kept."""

from __future__ import annotations

from django.contrib.auth.hashers import ScryptPasswordHasher


class SlowScrypt(ScryptPasswordHasher):
    """Scrypt with the least that OWASP ASVS 5.0.0, appendix C, takes for three lanes: 32 MiB for each guess, not Django's 16.

    A password kept with other numbers is kept anew with these at the next sign-in.
    """

    work_factor, parallelism = 2**15, 3
    maxmem = 64 * 2**20
