from motia_django import paginate

from ..models import Snippet
from .serializers import SnippetSerializer

config = {
    "name": "ListSnippets",
    "triggers": [{"type": "http", "method": "GET", "path": "/snippets/"}],
}


def handler(request):
    snippets = Snippet.objects.select_related("owner")
    if language := request.raw.query_params.get("language"):
        snippets = snippets.filter(language=language)
    return paginate(request, snippets, SnippetSerializer)
