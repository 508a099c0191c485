${user_import}from django.test import TestCase
from django.urls import reverse

from motia_django.testing import MotiaMixin


class ${class_name}Test(MotiaMixin, TestCase):
    def test_answers(self):
        answer = self.motia.http($request)
        self.assertEqual(answer.status, $status, answer.text)
${expected}${refusal}