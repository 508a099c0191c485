"""The admin: overview, runs, dead letters, schedules, state, streams, Steps, flows, for people."""

from __future__ import annotations

from django.contrib import admin

from motia_django import models
from motia_django.admin.batches import BatchAdmin
from motia_django.admin.dead_letters import DeadLetterAdmin
from motia_django.admin.flows import FlowAdmin
from motia_django.admin.overview import OverviewAdmin
from motia_django.admin.runs import RunAdmin
from motia_django.admin.schedules import ScheduleAdmin
from motia_django.admin.state import StateItemAdmin
from motia_django.admin.steps import StepAdmin
from motia_django.admin.streams import StreamItemAdmin

admin.site.register(models.Batch, BatchAdmin)
admin.site.register(models.DeadLetter, DeadLetterAdmin)
admin.site.register(models.Overview, OverviewAdmin)
admin.site.register(models.Run, RunAdmin)
admin.site.register(models.Schedule, ScheduleAdmin)
admin.site.register(models.StateItem, StateItemAdmin)
admin.site.register(models.StreamItem, StreamItemAdmin)
admin.site.register(models.Step, StepAdmin)
admin.site.register(models.Flow, FlowAdmin)
