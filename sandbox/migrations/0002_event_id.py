"""Rows carry the id of the entry that made or last changed them.

Rows from before take it from the newest entry that fits; a row without any gets an id that no entry has, and is found
by the next reconciliation.
"""

import uuid

from django.db import migrations, models

BACKFILL = """
UPDATE sandbox_run r SET event_id = coalesce(
  audit_latest('run:' || r.uid, ARRAY['run.queued', 'run.started', 'run.requeued', 'run.released', 'run.failed', 'run.cancelled']), gen_random_uuid());
UPDATE sandbox_release r SET event_id = coalesce(audit_latest('run:' || u.uid, ARRAY['run.released']), gen_random_uuid())
FROM sandbox_run u WHERE u.id = r.run_id;
"""

MODELS = ('run', 'release')


class Migration(migrations.Migration):
    dependencies = [("sandbox", "0001_initial"), ("audit", "0003_record")]
    operations = [
        *(migrations.AddField(name, "event_id", models.UUIDField(null=True, editable=False)) for name in MODELS),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        *(
            migrations.AlterField(name, "event_id", models.UUIDField(default=uuid.uuid4, editable=False))
            for name in MODELS
        ),
    ]
