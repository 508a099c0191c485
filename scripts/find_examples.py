"""Find an example of what the pictures show, in the sample project's database; print it as JSON."""

from __future__ import annotations

import json
import os

import django


def main() -> None:
    """Look among the newest runs; begin a redrive, so that there is a batch to show."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample_project.settings")
    django.setup()
    print(json.dumps(examples()))


def examples() -> dict[str, str]:
    """Return ids by the names that the addresses of pictures have in braces."""
    from motia_django import batches, models
    from motia_django.ledger.selections import Selection

    runs = models.Run.objects.order_by("-id")
    dead = runs.filter(status="dead")
    invalid = dead.filter(step="ProcessPayment", trigger="queue").first() or dead[0]
    packed = runs.filter(step="PackOrder", status="succeeded")[0]
    steps = ["ProcessPayment", "SendEmail"]  # not the dead run that is shown
    chosen = Selection(wanted={"status__in": ["dead"], "step__in": steps})
    total = dead.filter(step__in=steps).count()
    reason = "the mail server is back"
    batch = batches.begin("redrive", chosen, by="admin (admin)", reason=reason, total=total)
    return {
        "dead": str((dead.filter(step="PackOrder").first() or invalid).id),
        "asked": str(runs.get(trace_id=packed.trace_id, step="CreateOrder").id),
        "mark": str((dead.filter(step="SendEmail").first() or invalid).fingerprint),
        "batch": str(batch.pk),
        "item": str(models.StateItem.objects.filter(group="orders")[0].pk),
        "streamed": str(models.StreamItem.objects.all()[0].pk),
    }


if __name__ == "__main__":
    main()
