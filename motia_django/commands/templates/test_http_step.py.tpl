from django.test import TestCase
from django.urls import reverse


class ${class_name}Test(TestCase):
    def test_answers_with_the_title(self):
        response = self.client.generic(
            "$method", reverse("motia:$name"), '{"title": "x"}', content_type="application/json"
        )
        self.assertEqual(response.status_code, 201, response.content)
        self.assertEqual(response.json(), {"title": "x"})

    def test_refuses_an_empty_title(self):
        response = self.client.generic(
            "$method", reverse("motia:$name"), '{"title": ""}', content_type="application/json"
        )
        self.assertEqual(response.status_code, 400)
