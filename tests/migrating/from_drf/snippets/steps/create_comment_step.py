from rest_framework.generics import get_object_or_404
from rest_framework.throttling import ScopedRateThrottle

from ..models import Snippet
from ..serializers import CommentSerializer

config = {
    "name": "CreateComment",
    "triggers": [
        {
            "type": "http",
            "method": "POST",
            "path": "/snippets/:pk/comments/",
            "throttles": [ScopedRateThrottle],
            "throttleScope": "comments",
            "bodySchema": CommentSerializer,
            "responseSchema": {201: CommentSerializer},
        }
    ],
}


def handler(request):
    snippet = get_object_or_404(Snippet, pk=request.params["pk"])
    comment = snippet.comments.create(**request.body, author=request.user)
    return {"status": 201, "body": comment}
