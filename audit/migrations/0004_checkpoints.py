"""Published checkpoints, which the database keeps as they are, and what is wrong with publishing."""

import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = r"""
ALTER TABLE audit_checkpoint
  ADD CONSTRAINT audit_checkpoint_from_zero CHECK (size >= 0),
  ADD CONSTRAINT audit_checkpoint_root CHECK (length(root) = 32);

CREATE FUNCTION audit_checkpoint_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.stamp IS NULL AND NEW.stamp IS NOT NULL
     AND (NEW.size, NEW.root, NEW.note, NEW.made, NEW.cosigners, NEW.note_sm3)
         IS NOT DISTINCT FROM (OLD.size, OLD.root, OLD.note, OLD.made, OLD.cosigners, OLD.note_sm3) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a published checkpoint stays as it is, but for its time stamp, which is added once';
END $$;

CREATE TRIGGER audit_checkpoint_stamp_only BEFORE UPDATE ON audit_checkpoint
  FOR EACH ROW EXECUTE FUNCTION audit_checkpoint_keep();
CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint
  FOR EACH ROW EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_checkpoint_no_truncate BEFORE TRUNCATE ON audit_checkpoint
  FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
"""

BACKWARD = r"""
DROP TRIGGER audit_checkpoint_no_truncate ON audit_checkpoint;
DROP TRIGGER audit_checkpoint_no_delete ON audit_checkpoint;
DROP TRIGGER audit_checkpoint_stamp_only ON audit_checkpoint;
DROP FUNCTION audit_checkpoint_keep();
ALTER TABLE audit_checkpoint
  DROP CONSTRAINT audit_checkpoint_root, DROP CONSTRAINT audit_checkpoint_from_zero;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0003_record'),
    ]

    operations = [
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('size', models.BigIntegerField(primary_key=True, serialize=False, verbose_name='entries')),
                ('root', models.BinaryField(max_length=32)),
                ('note', models.BinaryField()),
                ('made', models.DateTimeField(db_index=True, verbose_name='time')),
                ('cosigners', models.JSONField(default=list)),
                ('stamp', models.BinaryField(null=True)),
                ('note_sm3', models.BinaryField(null=True)),
            ],
            options={
                'verbose_name': 'checkpoint',
                'verbose_name_plural': 'checkpoints',
                'db_table': 'audit_checkpoint',
                'ordering': ['-size'],
            },
        ),
        migrations.CreateModel(
            name='Trouble',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40)),
                ('subject', models.CharField(blank=True, max_length=300)),
                ('facts', models.JSONField(default=dict)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'db_table': 'audit_trouble',
                'ordering': ['since'],
                'constraints': [models.UniqueConstraint(fields=('code', 'subject'), name='audit_trouble_once')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
