from rest_framework import serializers

from .models import Attachment, Comment, Snippet, Tag


class SnippetSerializer(serializers.ModelSerializer):
    url = serializers.HyperlinkedIdentityField(view_name="snippet-detail")
    owner = serializers.ReadOnlyField(source="owner.username")

    class Meta:
        model = Snippet
        fields = ["url", "id", "title", "slug", "code", "linenos", "language", "created", "owner"]

    def validate(self, data):
        if self.instance and data.get("language", "text") != "text" and not self.instance.code:
            raise serializers.ValidationError("An empty snippet is plain text.")
        return data


class CommentSerializer(serializers.ModelSerializer):
    author = serializers.ReadOnlyField(source="author.username")

    class Meta:
        model = Comment
        fields = ["id", "author", "text", "created"]


class AttachmentSerializer(serializers.ModelSerializer):
    class Meta:
        model = Attachment
        fields = ["id", "name", "size", "digest"]


class UploadSerializer(serializers.Serializer):
    file = serializers.FileField(max_length=50)
    note = serializers.CharField(required=False, max_length=20)
    public = serializers.BooleanField()


class AddressSerializer(serializers.Serializer):
    email = serializers.EmailField()
    name = serializers.CharField(required=False, max_length=20)


class ShareSerializer(serializers.Serializer):
    sender = serializers.HiddenField(default=serializers.CurrentUserDefault())
    to = AddressSerializer(many=True, allow_empty=False)
    message = serializers.CharField(max_length=100)


class TagSerializer(serializers.ModelSerializer):
    class Meta:
        model = Tag
        fields = ["id", "name"]
