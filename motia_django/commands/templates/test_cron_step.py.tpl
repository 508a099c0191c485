from django.test import TestCase

from motia_django.testing import MotiaMixin


class ${class_name}Test(MotiaMixin, TestCase):
    def test_counts_its_ticks(self):
        self.motia.cron("$name")
        self.assertEqual(self.motia.state.get("$name", "counter"), {"ticks": 1})
