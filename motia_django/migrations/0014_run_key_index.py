# On its own, and not in a transaction: the table of keys is large, and written to all the time.

import motia_django.models
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('motia', '0013_fewer_permissions'),
    ]

    operations = [
        motia_django.models.AddIndexOnline(
            model_name='runkey',
            index=models.Index(fields=['run_id'], name='motia_run_key_run'),
        ),
    ]
