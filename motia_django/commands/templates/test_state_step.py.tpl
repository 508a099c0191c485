from django.test import TestCase, override_settings

from motia_django import state


@override_settings(CELERY_TASK_ALWAYS_EAGER=True)
class ${class_name}Test(TestCase):
    def test_follows_a_change(self):
        with self.captureOnCommitCallbacks(execute=True):
            state.set("$group", "1", {"status": "new"})
        self.assertEqual(state.get("$name", "1"), {"status": "new"})
