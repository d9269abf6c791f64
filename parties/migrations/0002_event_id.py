"""Rows carry the id of the entry that made or last changed them.

Rows from before take it from the newest entry that fits; a row without any gets an id that no entry has, and is found
by the next reconciliation.
"""

import uuid

from django.db import migrations, models

BACKFILL = """
UPDATE parties_organization r SET event_id = coalesce(
  audit_latest('organization:' || r.uid, ARRAY['organization.created', 'organization.changed']), gen_random_uuid());
UPDATE parties_user r SET event_id = coalesce(
  audit_latest('account:' || r.uid, ARRAY['account.created', 'account.changed', 'account.roles_changed']), gen_random_uuid());
UPDATE parties_signingkey r SET event_id = coalesce((SELECT e.event_id FROM audit_entry e WHERE e.act = 'organization.key_created'
  AND convert_from(e.body, 'UTF8')::jsonb->'x'->>'key' = r.uid::text), gen_random_uuid());
"""

MODELS = ('organization', 'user', 'signingkey')


class Migration(migrations.Migration):
    dependencies = [("parties", "0001_initial"), ("audit", "0003_record")]
    operations = [
        *(migrations.AddField(name, "event_id", models.UUIDField(null=True, editable=False)) for name in MODELS),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        *(
            migrations.AlterField(name, "event_id", models.UUIDField(default=uuid.uuid4, editable=False))
            for name in MODELS
        ),
    ]
