"""What runs the service inside the container: Home Assistant's app, or plain Docker.

Nothing of the service needs it; it brings the container's world (options of the app, folders, users, the Supervisor) into the
service's one (settings).
"""
