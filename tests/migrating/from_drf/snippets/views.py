import hashlib
from decimal import Decimal

from django.utils.html import format_html
from rest_framework import generics, permissions, viewsets
from rest_framework.authentication import TokenAuthentication
from rest_framework.decorators import api_view, renderer_classes
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from .models import Comment, Snippet, Tag
from .pagination import CommentPagination
from .permissions import IsOwnerOrReadOnly
from .serializers import (
    AttachmentSerializer,
    CommentSerializer,
    ShareSerializer,
    SnippetSerializer,
    TagSerializer,
    UploadSerializer,
)
from .throttling import BurstThrottle


class SnippetList(generics.ListCreateAPIView):
    serializer_class = SnippetSerializer

    def get_queryset(self):
        snippets = Snippet.objects.select_related("owner")
        if language := self.request.query_params.get("language"):
            snippets = snippets.filter(language=language)
        return snippets

    def perform_create(self, serializer):
        serializer.save(owner=self.request.user)


class SnippetDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Snippet.objects.all()
    serializer_class = SnippetSerializer
    permission_classes = [permissions.IsAuthenticatedOrReadOnly, IsOwnerOrReadOnly]


@api_view(["GET"])
@renderer_classes([StaticHTMLRenderer])
def snippet_highlight(request, pk):
    snippet = generics.get_object_or_404(Snippet, pk=pk)
    return Response(format_html("<h1>{}</h1><pre>{}</pre>", snippet.title, snippet.code))


class CommentList(generics.ListCreateAPIView):
    serializer_class = CommentSerializer
    pagination_class = CommentPagination
    throttle_scope = "comments"

    def get_throttles(self):
        return [ScopedRateThrottle()] if self.request.method == "POST" else []

    def get_queryset(self):
        snippet = generics.get_object_or_404(Snippet, pk=self.kwargs["pk"])
        return Comment.objects.filter(snippet=snippet).select_related("author")

    def perform_create(self, serializer):
        snippet = generics.get_object_or_404(Snippet, pk=self.kwargs["pk"])
        serializer.save(snippet=snippet, author=self.request.user)


class AttachmentUpload(APIView):
    parser_classes = [MultiPartParser]

    def post(self, request, pk):
        snippet = generics.get_object_or_404(Snippet, pk=pk)
        upload = UploadSerializer(data=request.data)
        upload.is_valid(raise_exception=True)
        file = upload.validated_data["file"]
        digest = hashlib.sha256(file.read()).hexdigest()
        attachment = snippet.attachments.create(name=file.name, size=file.size, digest=digest)
        return Response(AttachmentSerializer(attachment).data, status=201)


class Share(APIView):
    permission_classes = [permissions.IsAuthenticated]

    def post(self, request):
        serializer = ShareSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        share = serializer.validated_data
        sent = [{"from": share["sender"].username, **each} for each in share["to"]]
        return Response({"sent": sent}, status=202)


class Me(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [permissions.IsAuthenticated]
    throttle_classes = [BurstThrottle]

    def get(self, request):
        if request.version == "1":
            return Response({"username": request.user.username})
        titles = request.user.snippets.values_list("title", flat=True)
        return Response(
            {"name": request.user.username, "snippets": titles, "credit": Decimal("9.50")}
        )


class TagViewSet(viewsets.ModelViewSet):
    queryset = Tag.objects.order_by("name")
    serializer_class = TagSerializer
