from decimal import Decimal

from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response

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
    titles = request.user.snippets.values_list("title", flat=True)
    return Response({"name": request.user.username, "snippets": titles, "credit": Decimal("9.50")})
