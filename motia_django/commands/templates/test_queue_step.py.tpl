from django.test import TestCase, override_settings

from motia_django import enqueue, state


@override_settings(CELERY_TASK_ALWAYS_EAGER=True)
class ${class_name}Test(TestCase):
    def test_handles_a_message(self):
        with self.captureOnCommitCallbacks(execute=True):
            enqueue({"topic": "$topic", "data": {"id": "1"}})
        self.assertEqual(state.get("$topic", "1"), {"done": True})
