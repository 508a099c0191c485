    'rest_framework',
    'motia_django',
    '$name',
