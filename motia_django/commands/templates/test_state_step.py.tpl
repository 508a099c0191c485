from django.test import TestCase

from motia_django.testing import MotiaMixin


class ${class_name}Test(MotiaMixin, TestCase):
    def test_follows_a_change(self):
        self.motia.state_change("$group", "1", {"status": "new"})
        self.assertEqual(self.motia.state.get("$name", "1"), {"status": "new"})
