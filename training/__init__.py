"""Training: from drum grooves and one-shots to the two models of a bundle, on a workstation.

One harness (``config``, ``loop``, ``report``, ``cli``) drives two tasks, ``patterns`` and ``sounds``.
Everything here may import torch; nothing in ``device`` may import this.
"""
