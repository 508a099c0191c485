from rest_framework.generics import get_object_or_404
from rest_framework.permissions import IsAuthenticatedOrReadOnly

from ..models import Snippet
from ..permissions import IsOwnerOrReadOnly
from .serializers import SnippetSerializer

changes = {
    "type": "http",
    "path": "/snippets/:pk/",
    "permissions": [IsAuthenticatedOrReadOnly, IsOwnerOrReadOnly],
}
config = {
    "name": "UpdateSnippet",
    "triggers": [{**changes, "method": "PUT"}, {**changes, "method": "PATCH"}],
}


def handler(request):
    snippet = get_object_or_404(Snippet, pk=request.params["pk"])
    request.check_object_permissions(snippet)
    serializer = SnippetSerializer(
        snippet,
        data=request.raw.data,
        partial=request.method == "PATCH",
        context=request.serializer_context,
    )
    serializer.is_valid(raise_exception=True)
    serializer.save()
    return {"body": serializer.data}
