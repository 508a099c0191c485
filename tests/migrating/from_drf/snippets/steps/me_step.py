from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import IsAuthenticated

from ..throttling import BurstThrottle

config = {
    "name": "Me",
    "triggers": [
        {
            "type": "http",
            "method": "GET",
            "path": "/me/",
            "authentication": [TokenAuthentication],
            "permissions": [IsAuthenticated],
            "throttles": [BurstThrottle],
        }
    ],
}


def handler(request):
    if request.raw.version == "1":
        return {"body": {"username": request.user.username}}
    snippets = request.user.snippets.values_list("title", flat=True)
    return {"body": {"name": request.user.username, "snippets": list(snippets)}}
