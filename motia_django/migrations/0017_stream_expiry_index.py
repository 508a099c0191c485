# On its own, and not in a transaction: the table of items may be large, and written to all the time.

import motia_django.models
from django.db import migrations


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('motia', '0016_stream_ttl'),
    ]

    operations = [
        motia_django.models.AddIndexOnline(
            model_name='streamitem',
            index=motia_django.models.FilledIndex(fields=['expires_at'], name='motia_stream_expires'),
        ),
    ]
