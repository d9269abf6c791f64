"""Rows carry the id of the entry that made or last changed them.

Rows from before take it from the newest entry that fits; a row without any gets an id that no entry has, and is found
by the next reconciliation.
"""

import uuid

from django.db import migrations, models

BACKFILL = """
UPDATE catalog_dataset r SET event_id = coalesce(
  audit_latest('dataset:' || r.uid, ARRAY['dataset.created', 'dataset.changed', 'dataset.listed', 'dataset.withdrawn']), gen_random_uuid());
UPDATE catalog_source r SET event_id = coalesce(
  audit_latest('source:' || r.uid, ARRAY['source.registered']), gen_random_uuid());
UPDATE catalog_version r SET event_id = coalesce(
  audit_latest('version:' || r.uid, ARRAY['version.uploaded', 'version.checking', 'version.checked', 'version.schema_set', 'version.building', 'version.published', 'version.rejected', 'version.failed']), gen_random_uuid());
"""

MODELS = ('dataset', 'source', 'version')


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial"), ("audit", "0003_record")]
    operations = [
        *(migrations.AddField(name, "event_id", models.UUIDField(null=True, editable=False)) for name in MODELS),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        *(
            migrations.AlterField(name, "event_id", models.UUIDField(default=uuid.uuid4, editable=False))
            for name in MODELS
        ),
    ]
