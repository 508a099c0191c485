from rest_framework.generics import get_object_or_404

from motia_django import paginate

from ..models import Comment, Snippet
from ..pagination import CommentPagination
from ..serializers import CommentSerializer

config = {
    "name": "ListComments",
    "triggers": [
        {"type": "http", "method": "GET", "path": "/snippets/:pk/comments/", "throttles": []}
    ],
}


def handler(request):
    snippet = get_object_or_404(Snippet, pk=request.params["pk"])
    comments = Comment.objects.filter(snippet=snippet).select_related("author")
    return paginate(request, comments, CommentSerializer, CommentPagination)
