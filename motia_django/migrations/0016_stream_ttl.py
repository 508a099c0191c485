from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('motia', '0015_run_keys_of_one_name'),
    ]

    operations = [
        migrations.AddField(
            model_name='streamitem',
            name='expires_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='expires'),
        ),
    ]
