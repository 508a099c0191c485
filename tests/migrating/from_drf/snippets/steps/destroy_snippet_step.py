from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticatedOrReadOnly

from ..models import Snippet
from ..permissions import IsOwnerOrReadOnly

config = {
    "name": "DestroySnippet",
    "triggers": [
        {
            "type": "http",
            "method": "DELETE",
            "path": "/snippets/:pk/",
            "permissions": [IsAuthenticatedOrReadOnly, IsOwnerOrReadOnly],
        }
    ],
}


def handler(request):
    snippet = get_object_or_404(Snippet, pk=request.params["pk"])
    request.check_object_permissions(snippet)
    snippet.delete()
