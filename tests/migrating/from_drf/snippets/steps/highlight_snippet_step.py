from django.utils.html import format_html
from rest_framework.generics import get_object_or_404
from rest_framework.renderers import StaticHTMLRenderer

from ..models import Snippet

config = {
    "name": "HighlightSnippet",
    "triggers": [
        {
            "type": "http",
            "method": "GET",
            "path": "/snippets/:pk/highlight/",
            "renderers": [StaticHTMLRenderer],
        }
    ],
}


def handler(request):
    snippet = get_object_or_404(Snippet, pk=request.params["pk"])
    return {"body": format_html("<h1>{}</h1><pre>{}</pre>", snippet.title, snippet.code)}
