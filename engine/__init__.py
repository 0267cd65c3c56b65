"""Trains, generates, evaluates and keeps runs. What lies directly here is light: it never imports torch."""
