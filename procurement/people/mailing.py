"""Sending a link by mail, where mail is set up."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from procurement.people.models import Invitation

logger = logging.getLogger(__name__)

TEXT = """{inviter} invites you to the desk where gift-card codes are bought and kept.

Your sign-in name is {username}. Set your own password here, once, before {until} UTC:

{link}

If you did not expect this, tell {inviter} and do not open it.
"""


def mail_link(invitation: Invitation, link: str) -> bool:
    """Whether the link went out by mail; never raises: the link is shown in any case."""
    if not settings.MAIL_IS_SET_UP:
        return False
    person, inviter = invitation.person, invitation.invited_by
    text = TEXT.format(
        inviter=inviter, username=person.username, link=link, until=f"{invitation.expires_at:%d %b %Y %H:%M}"
    )
    try:
        send_mail("Your account at the desk", text, None, [person.email])
    except (OSError, SMTPException) as error:
        # Its text may repeat what was sent.
        logger.warning("The invitation mail was not sent: %s", type(error).__name__)
        return False
    return True
