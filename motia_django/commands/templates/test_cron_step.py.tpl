from django.test import TestCase

from motia_django import invoke, state


class ${class_name}Test(TestCase):
    def test_counts_its_ticks(self):
        invoke("$name")
        self.assertEqual(state.get("$name", "counter"), {"ticks": 1})
