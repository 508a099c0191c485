from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.routers import DefaultRouter
from snippets.views import TagViewSet

router = DefaultRouter()
router.register("tags", TagViewSet)

urlpatterns = [
    path("old/", include("snippets.urls")),
    path("new/", include("motia_django.urls")),
    path("token/", obtain_auth_token),
    path("", include(router.urls)),
]
