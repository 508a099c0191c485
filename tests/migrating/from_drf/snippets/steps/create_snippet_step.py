from django.urls import reverse

from ..models import Snippet
from .serializers import SnippetSerializer

config = {
    "name": "CreateSnippet",
    "triggers": [
        {
            "type": "http",
            "method": "POST",
            "path": "/snippets/",
            "bodySchema": SnippetSerializer,
            "responseSchema": {201: SnippetSerializer},
        }
    ],
}


def handler(request):
    snippet = Snippet.objects.create(**request.body, owner=request.user)
    url = reverse("motia:RetrieveSnippet", args=[snippet.pk])
    headers = {"Location": request.raw.build_absolute_uri(url)}
    return {"status": 201, "body": snippet, "headers": headers}
