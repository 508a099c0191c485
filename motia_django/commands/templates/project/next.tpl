wrote $folder

    cd $folder
    python manage.py migrate
    python manage.py createsuperuser
    python manage.py motia_steps new CreateOrder --enqueues order.created
    python manage.py motia_steps new PackOrder --trigger queue --topic order.created
    python manage.py motia_steps dev
