"""Rows carry the id of the entry that made or last changed them.

Rows from before take it from the newest entry that fits; a row without any gets an id that no entry has, and is found
by the next reconciliation.
"""

import uuid

from django.db import migrations, models

BACKFILL = """
UPDATE contracts_accessrequest r SET event_id = coalesce(
  audit_latest('request:' || r.uid, ARRAY['request.filed', 'request.granted', 'request.declined', 'request.withdrawn']), gen_random_uuid());
UPDATE contracts_decision r SET event_id = coalesce(
  CASE WHEN r.outcome = '' THEN audit_latest('request:' || q.uid, ARRAY['request.filed'])
       ELSE audit_latest('request:' || q.uid, ARRAY['request.decided'], o.uid::text) END, gen_random_uuid())
FROM contracts_accessrequest q, parties_organization o WHERE q.id = r.request_id AND o.id = r.organization_id;
UPDATE contracts_contract r SET event_id = coalesce(
  audit_latest('contract:' || r.uid, ARRAY['contract.drafted', 'contract.activated', 'contract.suspended', 'contract.resumed', 'contract.terminated', 'contract.expired']), gen_random_uuid());
UPDATE contracts_signature r SET event_id = coalesce(
  CASE WHEN r.signed IS NULL THEN audit_latest('contract:' || c.uid, ARRAY['contract.drafted'])
       ELSE audit_latest('contract:' || c.uid, ARRAY['contract.signed'], o.uid::text) END, gen_random_uuid())
FROM contracts_contract c, parties_organization o WHERE c.id = r.contract_id AND o.id = r.organization_id;
"""

MODELS = ('accessrequest', 'decision', 'contract', 'signature')


class Migration(migrations.Migration):
    dependencies = [("contracts", "0001_initial"), ("audit", "0003_record")]
    operations = [
        *(migrations.AddField(name, "event_id", models.UUIDField(null=True, editable=False)) for name in MODELS),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        *(
            migrations.AlterField(name, "event_id", models.UUIDField(default=uuid.uuid4, editable=False))
            for name in MODELS
        ),
    ]
