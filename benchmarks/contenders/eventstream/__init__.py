"""django-eventstream with Redis and storage, by its README: it can resume, too."""
