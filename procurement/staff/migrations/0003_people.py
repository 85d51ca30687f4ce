"""Grants that settle and end, roles that exclude each other, and one account for each e-mail address."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Lower

import procurement.staff.models

EXCLUSIVE = (("admin", "auditor", "buyer", "manager"), ("admin", "auditor", "finance", "support"))


def settle(apps, schema_editor):
    """Roles given before this rule was one are settled; two that now exclude each other are for people to sort out."""
    grants = apps.get_model("staff", "RoleGrant").objects
    grants.update(settled_at=F("granted_at"))
    for group in EXCLUSIVE:
        held = grants.filter(role__in=group).values("user__username").annotate(roles=models.Count("pk"))
        names = ", ".join(sorted(row["user__username"] for row in held if row["roles"] > 1))
        if names:
            raise RuntimeError(
                f"Of the roles {', '.join(group)} a person may hold one from now on, and these hold more: {names}."
                " Nothing was changed. Take the others away with the version before, then migrate again."
            )


class Migration(migrations.Migration):
    dependencies = [("staff", "0002_sign_in")]
    operations = [
        migrations.AddField("user", "email", models.EmailField(blank=True, default="", max_length=254), preserve_default=False),
        migrations.AddConstraint(
            "user",
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="one_account_for_each_address"),
        ),
        migrations.AddField(
            "rolegrant", "settled_at", models.DateTimeField(default=procurement.staff.models.when_settled)
        ),
        migrations.AddField("rolegrant", "revoked_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "rolegrant",
            "revoked_by",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(settle, migrations.RunPython.noop),
        migrations.RemoveConstraint("rolegrant", "one_grant_for_each_role"),
        migrations.AddConstraint(
            "rolegrant",
            models.UniqueConstraint(
                fields=["user", "role"], condition=Q(revoked_at__isnull=True), name="one_standing_grant_for_each_role"
            ),
        ),
        *(
            migrations.AddConstraint(
                "rolegrant",
                models.UniqueConstraint(
                    fields=["user"],
                    condition=Q(role__in=group, revoked_at__isnull=True),
                    name=f"one_role_of_{'_'.join(group)}",
                ),
            )
            for group in EXCLUSIVE
        ),
        migrations.AddConstraint(
            "rolegrant",
            models.CheckConstraint(
                condition=Q(granted_by__isnull=True) | ~Q(granted_by=F("user")), name="nobody_gives_themselves_a_role"
            ),
        ),
    ]
