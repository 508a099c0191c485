from django.urls import path

from . import views

urlpatterns = [
    path("snippets/", views.SnippetList.as_view(), name="snippet-list"),
    path("snippets/<int:pk>/", views.SnippetDetail.as_view(), name="snippet-detail"),
    path("snippets/<int:pk>/highlight/", views.snippet_highlight, name="snippet-highlight"),
    path("snippets/<int:pk>/comments/", views.CommentList.as_view(), name="comment-list"),
    path("snippets/<int:pk>/attachments/", views.AttachmentUpload.as_view(), name="attachments"),
    path("share/", views.Share.as_view(), name="share"),
    path("me/", views.Me.as_view(), name="me"),
]
