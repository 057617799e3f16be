"""The state machine of containers and images: what they are, which step comes next, who is told.

It decides and remembers; the kernel's part is ``runtime``'s, the bytes of images are ``images``'.
"""
