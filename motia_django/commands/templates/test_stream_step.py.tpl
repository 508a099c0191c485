from django.test import TestCase

from motia_django.testing import MotiaMixin


class ${class_name}Test(MotiaMixin, TestCase):
    def test_follows_a_change(self):
        self.motia.stream_event("$stream", "all", "1", {"status": "new"})
        self.assertEqual(self.motia.state.get("$name", "1"), {"id": "1", "status": "new"})
