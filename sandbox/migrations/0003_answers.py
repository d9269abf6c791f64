"""The ledger of answers, and what the database itself refuses to change in it."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import uuid
from django.db import migrations, models


# What was charged is never given back, and what was told is never untold: the ledger is what later answers are
# compared with and what budgets are counted from.
FORWARD = r"""
CREATE FUNCTION answer_never() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger of answers is append-only: % refused', TG_OP; END $$;
CREATE FUNCTION answer_only_closes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.key, OLD.first_run, OLD.event_id, OLD.contract_id, OLD.lane, OLD.datasets, OLD.measured, OLD.query, OLD.extracts,
      OLD.charge, OLD.asked)
     IS DISTINCT FROM
     (NEW.key, NEW.first_run, NEW.event_id, NEW.contract_id, NEW.lane, NEW.datasets, NEW.measured, NEW.query, NEW.extracts,
      NEW.charge, NEW.asked)
     OR OLD.given IS NOT NULL OR OLD.refused IS NOT NULL THEN
    RAISE EXCEPTION 'the ledger of answers is append-only: change of % refused', OLD.key;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER answer_only_closes BEFORE UPDATE ON sandbox_answer
  FOR EACH ROW EXECUTE FUNCTION answer_only_closes();
CREATE TRIGGER answer_no_delete BEFORE DELETE ON sandbox_answer FOR EACH ROW EXECUTE FUNCTION answer_never();
"""
BACKWARD = r"""
DROP TRIGGER answer_no_delete ON sandbox_answer;
DROP TRIGGER answer_only_closes ON sandbox_answer;
DROP FUNCTION answer_only_closes(), answer_never();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0002_event_id'),
        ('sandbox', '0002_event_id'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='cause',
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.AddField(
            model_name='run',
            name='charged',
            field=models.BooleanField(default=True),
        ),
        migrations.AddField(
            model_name='run',
            name='due',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='run',
            name='failure',
            field=models.CharField(blank=True, choices=[('not_releasable', 'No answer to this question can be released: it is too close to what was answered before, cannot be protected, or exceeds a limit. Ask for fewer or coarser dimensions.'), ('sandbox_lost', 'The sandbox was interrupted several times. Submit it again.'), ('no_sandbox', 'This machine has no working sandbox; nothing runs without one. The operator has been told.'), ('extract_changed', 'An extract is not the one on record. The operator has been told.'), ('contract_halted', 'The contract no longer permits this run.'), ('interrupted', 'The run was interrupted several times. Submit it again.'), ('requested', 'Cancelled by the enterprise.')], max_length=20),
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('key', models.CharField(max_length=80, unique=True)),
                ('first_run', models.UUIDField()),
                ('lane', models.CharField(max_length=10)),
                ('datasets', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('measured', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=90), size=None)),
                ('query', models.JSONField()),
                ('extracts', models.JSONField()),
                ('charge', models.BigIntegerField(default=0)),
                ('asked', models.DateTimeField(auto_now_add=True)),
                ('refused', models.DateTimeField(null=True)),
                ('given', models.DateTimeField(null=True)),
                ('table', models.BinaryField(null=True)),
                ('evidence', models.BinaryField(null=True)),
                ('outline', models.BinaryField(null=True)),
                ('summary', models.JSONField(null=True)),
                ('compared', models.JSONField(null=True)),
                ('sql_digest', models.CharField(blank=True, max_length=80)),
                ('contract', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='answers', to='contracts.contract')),
            ],
            options={
                'verbose_name': 'answer',
                'verbose_name_plural': 'answers',
                'ordering': ['-asked'],
            },
        ),
        migrations.AddField(
            model_name='run',
            name='answer',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='sandbox.answer'),
        ),
        migrations.AddIndex(
            model_name='answer',
            index=django.contrib.postgres.indexes.GinIndex(fields=['datasets'], name='answer_datasets'),
        ),
        migrations.AddIndex(
            model_name='answer',
            index=django.contrib.postgres.indexes.GinIndex(fields=['measured'], name='answer_measured'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.CheckConstraint(condition=models.Q(('charge__gte', 0)), name='answer_charge'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.CheckConstraint(condition=models.Q(('given', None), models.Q(('evidence__isnull', False), ('refused', None), ('table__isnull', False)), _connector='OR'), name='answer_given_whole'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
