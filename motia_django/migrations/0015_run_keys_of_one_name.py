# A run may have several keys of one name: of a redriven one there are those of its old input, too.

from django.db import migrations
from django.db.models import Count, Max


def keep_the_newest(apps, schema_editor):
    """Leave each run one key of each name: before, there was no more."""
    keys = apps.get_model('motia', 'RunKey').objects.using(schema_editor.connection.alias)
    counted = keys.values('run_id', 'name').annotate(count=Count('id'), newest=Max('id'))
    for each in list(counted.filter(count__gt=1).order_by()):
        keys.filter(run_id=each['run_id'], name=each['name']).exclude(id=each['newest']).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('motia', '0014_run_key_index'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='runkey', name='motia_run_key_once'),
        migrations.RunPython(migrations.RunPython.noop, keep_the_newest),
    ]
