from rest_framework import permissions


class IsOwnerOrReadOnly(permissions.BasePermission):
    message = "This snippet is somebody else's."

    def has_object_permission(self, request, view, obj):
        return request.method in permissions.SAFE_METHODS or obj.owner == request.user
