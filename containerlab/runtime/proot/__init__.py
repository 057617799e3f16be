"""Containers on a host that gives no namespaces: a copied root file system, and proot(1) in front of the program.

proot traces each process (ptrace(2)) and rewrites the paths of its system calls, so that the copy looks like ``/`` and
a folder of the host like a mount. Nothing is isolated: processes, network, IPC and limits are the host's, and a program
that means harm gets out. ``program`` finds proot, ``copy`` and ``root`` make the root, ``guest`` says what is bound
where, ``spawn`` starts processes, ``tree`` knows and ends them.
"""
