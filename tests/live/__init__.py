"""A real Home Assistant with the integration, the service in another process, and a browser that does what a person would do."""
