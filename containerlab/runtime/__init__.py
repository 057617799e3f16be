"""The only room that touches the kernel: an OCI runtime spec in, a process out."""
