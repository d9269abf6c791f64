"""Scripts and reviews, and what the database itself refuses to change in them."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


# What was reviewed stays what is run, and what a reviewer said stays said.
FORWARD = r"""
CREATE FUNCTION review_never() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'reviews are final: % refused', TG_OP; END $$;
CREATE FUNCTION script_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.contract_id, OLD.author_id, OLD.dataset, OLD.source, OLD.digest, OLD.read)
     IS DISTINCT FROM (NEW.contract_id, NEW.author_id, NEW.dataset, NEW.source, NEW.digest, NEW.read)
     OR OLD.prepared IS NOT NULL AND OLD.prepared IS DISTINCT FROM NEW.prepared THEN
    RAISE EXCEPTION 'a script stays as it was submitted: change of % refused', OLD.uid;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER script_stays BEFORE UPDATE ON sandbox_script FOR EACH ROW EXECUTE FUNCTION script_stays();
CREATE TRIGGER scriptreview_final BEFORE UPDATE OR DELETE ON sandbox_scriptreview
  FOR EACH ROW EXECUTE FUNCTION review_never();
CREATE TRIGGER runreview_final BEFORE UPDATE OR DELETE ON sandbox_runreview
  FOR EACH ROW EXECUTE FUNCTION review_never();
"""
BACKWARD = r"""
DROP TRIGGER script_stays ON sandbox_script;
DROP TRIGGER scriptreview_final ON sandbox_scriptreview;
DROP TRIGGER runreview_final ON sandbox_runreview;
DROP FUNCTION script_stays(), review_never();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('contracts', '0002_event_id'),
        ('parties', '0003_roles'),
        ('sandbox', '0004_trial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RunReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('verdict', models.CharField(choices=[('approve', 'approve'), ('refuse', 'refuse')], max_length=8, verbose_name='verdict')),
                ('note', models.TextField(max_length=2000, verbose_name='note')),
                ('given', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['given'],
            },
        ),
        migrations.CreateModel(
            name='Script',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('state', models.CharField(max_length=20, verbose_name='state')),
                ('state_since', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='since')),
                ('title', models.CharField(max_length=120, verbose_name='title')),
                ('dataset', models.CharField(max_length=63, verbose_name='dataset')),
                ('source', models.TextField(verbose_name='source')),
                ('digest', models.CharField(max_length=80)),
                ('read', models.JSONField()),
                ('prepared', models.JSONField(null=True)),
                ('submitted', models.DateTimeField(auto_now_add=True)),
                ('failure', models.CharField(blank=True, choices=[('not_releasable', 'No answer to this question can be released: it is too close to what was answered before, cannot be protected, or exceeds a limit. Ask for fewer or coarser dimensions.'), ('sandbox_lost', 'The sandbox was interrupted several times. Submit it again.'), ('no_sandbox', 'This machine has no working sandbox; nothing runs without one. The operator has been told.'), ('extract_changed', 'An extract is not the one on record. The operator has been told.'), ('contract_halted', 'The contract no longer permits this run.'), ('interrupted', 'The run was interrupted several times. Submit it again.'), ('requested', 'Cancelled by the enterprise.')], max_length=20)),
                ('cause', models.CharField(blank=True, max_length=60)),
                ('claim', models.UUIDField(null=True)),
                ('lease', models.DateTimeField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                'verbose_name': 'script',
                'verbose_name_plural': 'scripts',
                'ordering': ['-submitted'],
            },
        ),
        migrations.CreateModel(
            name='ScriptReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('verdict', models.CharField(choices=[('approve', 'approve'), ('refuse', 'refuse')], max_length=8, verbose_name='verdict')),
                ('note', models.TextField(max_length=2000, verbose_name='note')),
                ('given', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['given'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='run',
            name='run_state_known',
        ),
        migrations.AddConstraint(
            model_name='run',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'running', 'in_review', 'released', 'failed', 'cancelled'])), name='run_state_known'),
        ),
        migrations.AddField(
            model_name='runreview',
            name='organization',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.organization'),
        ),
        migrations.AddField(
            model_name='runreview',
            name='reviewer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='runreview',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='sandbox.run'),
        ),
        migrations.AddField(
            model_name='script',
            name='author',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='script',
            name='contract',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='scripts', to='contracts.contract', verbose_name='contract'),
        ),
        migrations.AddField(
            model_name='computation',
            name='script',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='computations', to='sandbox.script'),
        ),
        migrations.AddField(
            model_name='scriptreview',
            name='organization',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='parties.organization'),
        ),
        migrations.AddField(
            model_name='scriptreview',
            name='reviewer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='scriptreview',
            name='script',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='sandbox.script'),
        ),
        migrations.AddConstraint(
            model_name='runreview',
            constraint=models.UniqueConstraint(fields=('run', 'reviewer'), name='run_reviewed_once'),
        ),
        migrations.AddConstraint(
            model_name='script',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['in_review', 'approved', 'ready', 'refused', 'withdrawn', 'failed'])), name='script_state_known'),
        ),
        migrations.AddConstraint(
            model_name='script',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ready'), _negated=True), ('prepared__isnull', False), _connector='OR'), name='script_ready_has_records'),
        ),
        migrations.AddConstraint(
            model_name='scriptreview',
            constraint=models.UniqueConstraint(fields=('script', 'reviewer'), name='script_reviewed_once'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
