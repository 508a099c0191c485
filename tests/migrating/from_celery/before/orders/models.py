from django.db import models


class Order(models.Model):
    status = models.CharField(max_length=20, default="placed")
    tries = models.IntegerField(default=0)

    def __str__(self):
        return f"Order {self.pk}"

    def note(self, what):
        """Write down what was done: a test counts it."""
        self.entries.create(what=what)


class Entry(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="entries")
    what = models.CharField(max_length=50)

    def __str__(self):
        return self.what
