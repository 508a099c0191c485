from django.test import TestCase

from motia_django.testing import MotiaMixin


class ${class_name}Test(MotiaMixin, TestCase):
    def test_handles_a_message(self):
        self.motia.queue("$topic", {"id": "1"})
        self.assertEqual(self.motia.state.get("$topic", "1"), {"done": True})
