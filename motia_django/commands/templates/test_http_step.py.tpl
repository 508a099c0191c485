from django.test import TestCase
from django.urls import reverse

from motia_django.testing import MotiaMixin


class ${class_name}Test(MotiaMixin, TestCase):
    def test_answers_with_the_title(self):
        answer = self.motia.http("$method", $address, json={"title": "x"})
        self.assertEqual(answer.status, 201, answer.text)
        self.assertEqual(answer.json, {"title": "x"})

    def test_refuses_an_empty_title(self):
        answer = self.motia.http("$method", $address, json={"title": ""})
        self.assertEqual(answer.status, 400)
