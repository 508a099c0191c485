from rest_framework.serializers import HyperlinkedIdentityField

from ..serializers import SnippetSerializer as OldSnippetSerializer


class SnippetSerializer(OldSnippetSerializer):
    url = HyperlinkedIdentityField(view_name="motia:RetrieveSnippet")
