"""
A Kubernetes cluster for the tests, by whatever way this machine allows.

`make cluster` and the tests' fixture come through `obtain.py`: a given kubeconfig, else kind, else a node
of our own (`native.py`). What such a node needs is built by `golang.py` and `images.py` and kept in
the folder that `places.py` names.
"""
