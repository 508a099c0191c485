from django.conf import settings
from django.db import models


class Snippet(models.Model):
    LANGUAGES = [("python", "Python"), ("sql", "SQL"), ("text", "Plain text")]

    title = models.CharField(max_length=100, blank=True, default="")
    slug = models.SlugField(unique=True)
    code = models.TextField()
    linenos = models.BooleanField(default=False)
    language = models.CharField(choices=LANGUAGES, default="python", max_length=20)
    created = models.DateTimeField(auto_now_add=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="snippets")

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.title


class Comment(models.Model):
    snippet = models.ForeignKey(Snippet, models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    text = models.CharField(max_length=200)
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.text


class Attachment(models.Model):
    snippet = models.ForeignKey(Snippet, models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=100)
    size = models.IntegerField()
    digest = models.CharField(max_length=64)

    def __str__(self):
        return self.name


class Tag(models.Model):
    name = models.CharField(max_length=30, unique=True)

    def __str__(self):
        return self.name
