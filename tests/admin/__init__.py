"""Tests of the admin's pages, by Django's test client."""
