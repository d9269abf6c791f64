"""No event id stands twice; the entry a business row belongs to; the organizations an entry concerns; sealing times;
personal fields beside the log; reconciliations; entries that wait too long.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = r"""
CREATE OR REPLACE FUNCTION audit_emit(event_id uuid, body bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO audit_outbox (event_id, body) VALUES ($1, $2);
  -- Looked up after the insert: whoever wrote the same id at the same time has been waited for, sealing included.
  IF EXISTS (SELECT 1 FROM audit_entry WHERE event_id = $1) THEN
    RAISE unique_violation USING MESSAGE = 'the log holds an entry with this event id already';
  END IF;
END $$;

-- The newest entry about `obj` that is one of `acts` (of one organization, where one is named), waiting ones included.
CREATE FUNCTION audit_latest(obj text, acts text[], org text DEFAULT NULL) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT event_id FROM (
    SELECT event_id, seq AS place FROM audit_entry e
    WHERE e.obj = $1 AND e.act = ANY($2) AND ($3 IS NULL OR e.org = $3)
    UNION ALL
    SELECT event_id, 4611686018427387904 + id FROM audit_outbox, LATERAL (SELECT convert_from(body, 'UTF8')::jsonb AS b) w
    WHERE b->>'obj' = $1 AND b->>'act' = ANY($2) AND ($3 IS NULL OR b->>'org' = $3)
  ) found ORDER BY place DESC LIMIT 1
$$;
"""

BACKWARD = r"""
DROP FUNCTION audit_latest(text, text[], text);
CREATE OR REPLACE FUNCTION audit_emit(event_id uuid, body bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ INSERT INTO audit_outbox (event_id, body) VALUES (event_id, body) $$;
"""


# Copies of the stored bytes: the guard against changes of them steps aside for this one statement.
PARTIES = r"""
ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_no_change;
UPDATE audit_entry SET parties = ARRAY[org] WHERE org <> '';
ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_no_change;
"""

PERSONAL = r"""
ALTER TABLE audit_personal ADD CONSTRAINT audit_personal_salt CHECK (length(salt) = 32);

CREATE FUNCTION audit_keep(event_id uuid, field text, salt bytea, value text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ INSERT INTO audit_personal (event_id, field, salt, value) VALUES ($1, $2, $3, $4) $$;

-- The entry that erases stands in the outbox of the same transaction, and says of which ids which fields.
CREATE FUNCTION audit_only_erased_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT event_id::text, field FROM gone
    EXCEPT
    SELECT i.id, f.field FROM
      (SELECT convert_from(body, 'UTF8')::jsonb->'x' AS x FROM audit_outbox
       WHERE position(convert_to('"act":"log.erased"', 'UTF8') IN body) > 0) said,
      LATERAL jsonb_array_elements_text(x->'ids') AS i (id), LATERAL jsonb_array_elements_text(x->'fields') AS f (field)
  ) THEN
    RAISE EXCEPTION 'a personal field leaves only together with an entry that says so';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_personal_no_change BEFORE UPDATE ON audit_personal
  FOR EACH ROW EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_personal_no_truncate BEFORE TRUNCATE ON audit_personal
  FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_personal_erased_only AFTER DELETE ON audit_personal
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_only_erased_leave();
"""

PERSONAL_BACKWARD = r"""
DROP TRIGGER audit_personal_erased_only ON audit_personal;
DROP TRIGGER audit_personal_no_truncate ON audit_personal;
DROP TRIGGER audit_personal_no_change ON audit_personal;
DROP FUNCTION audit_only_erased_leave(), audit_keep(uuid, text, bytea, text);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards")]
    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.AddField(
            model_name='entry',
            name='parties',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
        ),
        migrations.AddField(model_name='entry', name='written', field=models.DateTimeField(null=True)),
        migrations.AddField(model_name='entry', name='sealed', field=models.DateTimeField(null=True)),
        migrations.AlterField('entry', 'sealed', models.DateTimeField(null=True, db_default=django.db.models.functions.datetime.Now())),
        migrations.RunSQL(PARTIES, migrations.RunSQL.noop),
        *(
            migrations.AlterField('entry', name, models.CharField(max_length=length, verbose_name=label))
            for name, length, label in (('act', 40, 'event'), ('actor', 40, 'actor'), ('org', 40, 'organization'), ('obj', 80, 'object'))
        ),
        *(
            migrations.AddIndex('entry', models.Index(fields=[name, 'seq'], name=f'audit_entry_{name}'))
            for name in ('act', 'actor', 'org', 'obj')
        ),
        migrations.AddIndex(
            model_name='entry',
            index=django.contrib.postgres.indexes.GinIndex(fields=['parties'], name='audit_entry_parties'),
        ),
        migrations.CreateModel(
            name='Personal',
            fields=[
                ('pk', models.CompositePrimaryKey('event_id', 'field', blank=True, editable=False, primary_key=True, serialize=False)),
                ('event_id', models.UUIDField()),
                ('field', models.CharField(max_length=32)),
                ('salt', models.BinaryField(max_length=32)),
                ('value', models.TextField()),
            ],
            options={'db_table': 'audit_personal'},
        ),
        migrations.RunSQL(PERSONAL, PERSONAL_BACKWARD),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('day', models.DateField(db_index=True)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('next', models.BigIntegerField()),
                ('findings', models.JSONField()),
            ],
            options={'db_table': 'audit_reconciliation'},
        ),
        migrations.CreateModel(
            name='Lag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(null=True)),
                ('first', models.BigIntegerField(null=True)),
                ('suspect', models.BigIntegerField(null=True)),
                ('suspected', models.DateTimeField(null=True)),
            ],
            options={'db_table': 'audit_lag'},
        ),
    ]
