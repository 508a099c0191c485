from rest_framework.pagination import CursorPagination


class CommentPagination(CursorPagination):
    page_size = 2
    ordering = "id"
