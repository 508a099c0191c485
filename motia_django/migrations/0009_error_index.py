# On its own, and not in a transaction: the table of runs is large, and written to all the time.

import motia_django.models
from django.db import migrations


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('motia', '0008_starts'),
    ]

    operations = [
        motia_django.models.AddIndexOnline(
            model_name='run',
            index=motia_django.models.FilledIndex(fields=['fingerprint', 'status', 'finished_at'], name='motia_run_error'),
        ),
    ]
