from rest_framework.generics import get_object_or_404

from ..models import Snippet
from .serializers import SnippetSerializer

config = {
    "name": "RetrieveSnippet",
    "triggers": [
        {
            "type": "http",
            "method": "GET",
            "path": "/snippets/:pk/",
            "responseSchema": {200: SnippetSerializer},
        }
    ],
}


def handler(request):
    return {"body": get_object_or_404(Snippet, pk=request.params["pk"])}
