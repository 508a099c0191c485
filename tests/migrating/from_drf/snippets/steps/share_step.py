from rest_framework.permissions import IsAuthenticated

from ..serializers import ShareSerializer

config = {
    "name": "Share",
    "triggers": [
        {
            "type": "http",
            "method": "POST",
            "path": "/share/",
            "permissions": [IsAuthenticated],
            "bodySchema": ShareSerializer,
        }
    ],
}


def handler(request):
    share = request.body
    sent = [{"from": share["sender"].username, **each} for each in share["to"]]
    return {"status": 202, "body": {"sent": sent}}
