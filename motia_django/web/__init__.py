"""The HTTP door: http Steps as views of Django REST framework."""
