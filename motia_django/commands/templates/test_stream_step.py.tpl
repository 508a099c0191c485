from django.test import TestCase, override_settings

from motia_django import Stream, state


@override_settings(CELERY_TASK_ALWAYS_EAGER=True)
class ${class_name}Test(TestCase):
    def test_follows_a_change(self):
        with self.captureOnCommitCallbacks(execute=True):
            Stream("$stream").set("all", "1", {"status": "new"})
        self.assertEqual(state.get("$name", "1"), {"id": "1", "status": "new"})
