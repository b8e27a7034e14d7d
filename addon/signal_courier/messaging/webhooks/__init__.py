"""Webhooks: events are posted to endpoints, signed as Standard Webhooks 1.0.0 wants it; what fails is tried again for three days."""
