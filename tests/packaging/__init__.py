"""What is shipped and how: the app's description, the image, pins, versions, workflows. Read here, built in tests/image."""
