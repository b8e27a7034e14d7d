"""Stand-ins for what the app's container runs in: s6-overlay, a machine of its own, the Supervisor.

Debian has s6 and execline, but no s6-rc and no s6-overlay; the rules of both that the app uses are in `overlay`, after the documents of
s6-overlay 3.2 and skarnet.org.
"""
