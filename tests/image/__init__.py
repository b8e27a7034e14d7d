"""The image itself: built with buildah from a base made on the spot, then started as a container."""
