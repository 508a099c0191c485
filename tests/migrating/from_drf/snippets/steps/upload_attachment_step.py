import hashlib

from rest_framework.generics import get_object_or_404
from rest_framework.parsers import MultiPartParser

from ..models import Snippet
from ..serializers import AttachmentSerializer, UploadSerializer

config = {
    "name": "UploadAttachment",
    "triggers": [
        {
            "type": "http",
            "method": "POST",
            "path": "/snippets/:pk/attachments/",
            "parsers": [MultiPartParser],
            "bodySchema": UploadSerializer,
            "responseSchema": {201: AttachmentSerializer},
        }
    ],
}


def handler(request):
    snippet = get_object_or_404(Snippet, pk=request.params["pk"])
    file = request.body["file"]
    digest = hashlib.sha256(file.read()).hexdigest()
    attachment = snippet.attachments.create(name=file.name, size=file.size, digest=digest)
    return {"status": 201, "body": attachment}
